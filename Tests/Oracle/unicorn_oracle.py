"""Executes instruction cases with Unicorn and writes down what became of them.

Usage: unicorn_oracle.py CASES RESULTS

CASES, little-endian:
  header   magic "LLC1", u32 count, u32 code base, u32 code size
           u32 window count, then per window u32 address, u32 size and its initial bytes
  case     u8 length, u8 flags (bit 0: repeated string instruction), u16 0, u32 offset of its code
           in the code region, 15 bytes of code, u8 0, 8 registers and EFLAGS as u32
RESULTS:
  per case u8 status (0 executed, 1 exception), u8 exception, u8 windows changed (0 or 1), u8 0,
           u32 EIP, 8 registers and EFLAGS as u32, and the windows' bytes if they changed
"""

import struct
import sys

import unicorn
from unicorn import x86_const as x86

CASE = struct.Struct("<BBHI16s9I")
RESULT = struct.Struct("<BBBBI9I")

REGISTERS = [
    x86.UC_X86_REG_EAX, x86.UC_X86_REG_ECX, x86.UC_X86_REG_EDX, x86.UC_X86_REG_EBX,
    x86.UC_X86_REG_ESP, x86.UC_X86_REG_EBP, x86.UC_X86_REG_ESI, x86.UC_X86_REG_EDI,
    x86.UC_X86_REG_EFLAGS,
]
WITH_EIP = [x86.UC_X86_REG_EIP] + REGISTERS


def main(cases_path, results_path):
    data = open(cases_path, "rb").read()
    magic, count, code_base, code_size, window_count = struct.unpack_from("<4s4I", data, 0)
    if magic != b"LLC1":
        sys.exit("unicorn_oracle: %s is not a file of cases" % cases_path)
    position = 20
    windows = []
    for _ in range(window_count):
        address, size = struct.unpack_from("<2I", data, position)
        position += 8
        windows.append((address, size, data[position:position + size]))
        position += size

    uc = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_32)
    uc.mem_map(0, 0x10000)
    # With a page on either side: Unicorn looks at where a jump goes, and short ones leave the region.
    uc.mem_map(code_base - 0x1000, code_size + 0x2000)
    exceptions = []

    def interrupted(uc, number, _):
        exceptions.append(number)
        uc.emu_stop()

    uc.hook_add(unicorn.UC_HOOK_INTR, interrupted)
    clean = uc.context_save()
    cases = []
    for _ in range(count):
        case = CASE.unpack_from(data, position)
        position += CASE.size
        cases.append(case)
        uc.mem_write(code_base + case[3], case[4][:case[0]])

    with open(results_path, "wb") as results:
        dirty = True
        for number, case in enumerate(cases):
            length, flags, _, offset = case[:4]
            if dirty:
                for address, _, contents in windows:
                    uc.mem_write(address, contents)
            start = code_base + offset
            uc.reg_write_batch(list(zip(REGISTERS, case[5:])))
            exceptions.clear()
            status = 0
            try:
                if flags & 1:
                    uc.emu_start(start, start + length)
                else:
                    uc.emu_start(start, code_base + code_size, count=1)
            except unicorn.UcError as error:
                if not exceptions:
                    sys.exit("unicorn_oracle: case %d (%s): %s"
                             % (number, case[4][:length].hex(), error))
            after = uc.reg_read_batch(WITH_EIP)
            memory = [bytes(uc.mem_read(address, size)) for address, size, _ in windows]
            dirty = any(m != w[2] for m, w in zip(memory, windows))
            if exceptions:
                # Unicorn delivers nothing: without this, the next exception would be a double fault.
                status = 1
                uc.context_restore(clean)
            results.write(RESULT.pack(
                status, exceptions[0] & 0xFF if exceptions else 0, dirty, 0, *after))
            if dirty:
                for m in memory:
                    results.write(m)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
