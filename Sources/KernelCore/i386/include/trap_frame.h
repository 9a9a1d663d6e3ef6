// How a debugger finds what an entry interrupted: DWARF call-frame information, in a section
// that is not loaded.
//
// TRAP_FRAME(pushed): from here on the CPU's frame, EIP first, lies `pushed` bytes above ESP.
// The interrupted code's ESP is in the frame if CS says ring 3, and else where the frame ends:
// the expression is `cs & 3 ? *(cfa + 8) : cfa + 8`, the CFA being the address of CS.
#define TRAP_FRAME(pushed) \
        .cfi_startproc simple; \
        .cfi_signal_frame; \
        .cfi_def_cfa %esp, pushed + 4; \
        .cfi_offset %eip, -4; \
        .cfi_escape 0x16, 4, 15, 0x12, 0x06, 0x33, 0x1a, 0x28, 5, 0, 0x23, 8, 0x2f, 3, 0, 0x23, 8, 0x06

// The general registers lie where PUSHAL has put them, on top of vector and error code.
#define SAVED_BY_PUSHAL \
        .cfi_adjust_cfa_offset 32; \
        .cfi_offset %eax, -16; .cfi_offset %ecx, -20; .cfi_offset %edx, -24; \
        .cfi_offset %ebx, -28; .cfi_offset %ebp, -36; .cfi_offset %esi, -40; .cfi_offset %edi, -44
