/* What the devices of a PC answer: keyboard controller, keyboard, mouse, serial port, timer.
   Bytes that firmware may have left behind are read away first. */
#include "support.h"

gate_entry:
  ret

/* Reads away what is in the keyboard controller; AL is lost. */
drain:
  movl $100000, %ecx
1:
  inb $0x64, %al
  testb $1, %al
  jz 2f
  inb $0x60, %al
2:
  loop 1b
  ret

/* Waits for a byte, prints its status (output buffer, mouse) and the byte. */
answer:
  pushal
  movl $1000000, %ecx
1:
  inb $0x64, %al
  testb $1, %al
  loopz 1b
  andl $0x21, %eax
  call print_hex
  xorl %eax, %eax
  inb $0x60, %al
  call print_hex
  popal
  ret

  .macro COMMAND value
  movb $\value, %al
  outb %al, $0x64
  .endm
  .macro DATA value
  movb $\value, %al
  outb %al, $0x60
  .endm
  .macro ANSWERS count
  .rept \count
  call answer
  .endr
  LINE
  .endm
  .macro MOUSE value, count
  COMMAND 0xD4
  DATA \value
  ANSWERS \count
  .endm
  .macro OUT port, value
  movw $\port, %dx
  movb $\value, %al
  outb %al, %dx
  .endm
  .macro IN port
  movw $\port, %dx
  xorl %eax, %eax
  inb %dx, %al
  call print_hex
  .endm

  .globl main
main:
  call drain
  TEST "controller: self test, keyboard test, mouse test"
  COMMAND 0xAA
  ANSWERS 1
  COMMAND 0xAB
  ANSWERS 1
  COMMAND 0xA9
  ANSWERS 1
  TEST "controller: command byte, output port bits, outputs written by the host"
  COMMAND 0x60
  DATA 0x44
  COMMAND 0x20
  ANSWERS 1
  COMMAND 0xA7
  COMMAND 0x20
  ANSWERS 1
  COMMAND 0xA8
  COMMAND 0xAD
  COMMAND 0x20
  ANSWERS 1
  COMMAND 0xAE
  COMMAND 0xD2
  DATA 0x5A
  ANSWERS 1
  COMMAND 0xD3
  DATA 0xA5
  ANSWERS 1
  TEST "keyboard: reset, identify, echo, LEDs, rate, scan code set, enable"
  DATA 0xFF
  ANSWERS 2
  DATA 0xF2
  ANSWERS 3
  DATA 0xEE
  ANSWERS 1
  DATA 0xED
  ANSWERS 1
  DATA 7
  ANSWERS 1
  DATA 0xF3
  ANSWERS 1
  DATA 0x20
  ANSWERS 1
  DATA 0xF4
  ANSWERS 1
  TEST "mouse: reset, identify, rate, resolution, status, scaling, defaults, enable, disable"
  MOUSE 0xFF, 3
  MOUSE 0xF2, 2
  MOUSE 0xF3, 1
  MOUSE 80, 1
  MOUSE 0xE8, 1
  MOUSE 3, 1
  MOUSE 0xE9, 4
  MOUSE 0xE7, 1
  MOUSE 0xF4, 1
  MOUSE 0xE9, 4
  MOUSE 0xF5, 1
  MOUSE 0xF6, 1
  MOUSE 0xE9, 4
  TEST "serial port: divisor, line control, scratch, loopback, modem status"
  OUT 0x3F9, 0
  OUT 0x3FA, 0
  OUT 0x3FB, 0x83
  OUT 0x3F8, 1
  OUT 0x3F9, 0
  IN 0x3F8
  IN 0x3F9
  OUT 0x3FB, 0x03
  IN 0x3FB
  IN 0x3F9
  OUT 0x3FF, 0xA7
  IN 0x3FF
  LINE
  OUT 0x3FC, 0x0B
  IN 0x3FC
  IN 0x3FE
  IN 0x3FD
  IN 0x3FA
  LINE
  TEST "timer: status by read-back, once a count is loaded"
  .irp control, 0x36, 0x30
  OUT 0x43, \control
  OUT 0x40, 0xFF
  OUT 0x40, 0xFF
  OUT 0x43, 0xE2
  IN 0x40
  .endr
  LINE
  TEST "timer channel 2 as one shot"
  inb $0x61, %al
  andb $0xFC, %al
  orb $1, %al
  outb %al, $0x61
  OUT 0x43, 0xB0
  OUT 0x42, 0x00
  OUT 0x42, 0x10
  inb $0x61, %al
  movzbl %al, %eax
  andl $0x20, %eax
  HEX %eax
1:
  inb $0x61, %al
  testb $0x20, %al
  jz 1b
  movzbl %al, %eax
  andl $0x23, %eax
  HEX %eax
  LINE
  TEST "PCI address register"
  movw $0xCF8, %dx
  movl $0x80000000, %eax
  outl %eax, %dx
  inl %dx, %eax
  HEX %eax
  LINE
  ret
