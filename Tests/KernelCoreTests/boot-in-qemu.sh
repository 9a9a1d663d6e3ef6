#!/bin/sh
# Boots an image of the kernel core in QEMU and prints what it says on the serial port.
#
#   boot-in-qemu.sh IMAGE [COMMAND-LINE]
#
# With "exit=qemu" the run ends when the last task has exited. Exit status 0 then; 1 if the
# image is still running after 20 seconds, or ended in another way.
set -u

image=$1
line=${2:-tasks=hello,hello exit=qemu}

timeout 20 qemu-system-i386 -kernel "$image" -append "$line" -serial stdio -display none \
  -monitor none -no-reboot -device isa-debug-exit,iobase=0xf4,iosize=4
# The device turns the byte 0 that the kernel writes into 2 * 0 + 1.
[ $? -eq 1 ]
