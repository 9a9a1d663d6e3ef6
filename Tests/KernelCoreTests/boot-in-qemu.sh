#!/bin/sh
# Boots an image of the kernel core in QEMU and prints what it says on the serial port.
#
#   boot-in-qemu.sh IMAGE [COMMAND-LINE [CPUS]]
#
# With "exit=qemu" the run ends when the last task has exited. Exit status 0 then; 1 if the
# image is still running after 20 seconds, or ended in another way.
set -u

image=$1
line=${2:-tasks=hello,hello exit=qemu}
cpus=${3:-1}
system=qemu-system-i386

# The fifth byte of an ELF file says how wide its addresses are: 2 for 64 bits. QEMU's own loader takes
# 32-bit containers only; what is in them may be anything.
if [ "$(od -An -tu1 -j4 -N1 "$image" | tr -d ' ')" = 2 ]; then
  system=qemu-system-x86_64
  narrow=$(mktemp)
  trap 'rm -f "$narrow"' EXIT
  objcopy -O elf32-i386 "$image" "$narrow"
  image=$narrow
fi

timeout 20 $system -smp "$cpus" -kernel "$image" -append "$line" -serial stdio -display none \
  -monitor none -no-reboot -device isa-debug-exit,iobase=0xf4,iosize=4
# The device turns the byte 0 that the kernel writes into 2 * 0 + 1.
[ $? -eq 1 ]
