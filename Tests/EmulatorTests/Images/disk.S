/* An IDE disk by programmed input and output. Each sector of the disk begins with its number; the disk has
   2100 sectors. QEMU completes commands some time later: every step waits until the disk is not busy. */
#include "support.h"

gate_entry:
  ret

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
  .macro SETUP count, low, middle, high, device
  OUT 0x1F2, \count
  OUT 0x1F3, \low
  OUT 0x1F4, \middle
  OUT 0x1F5, \high
  OUT 0x1F6, \device
  .endm
  .macro COMMAND value
  OUT 0x1F7, \value
  call ready
  .endm

/* Waits until the disk is not busy; prints the status and, when there is one, the error. */
ready:
  pushal
1:
  movw $0x3F6, %dx
  inb %dx, %al
  testb $0x80, %al
  jnz 1b
  movw $0x1F7, %dx
  xorl %eax, %eax
  inb %dx, %al
  call print_hex
  testb $1, %al
  jz 2f
  IN 0x1F1
2:
  popal
  ret

/* Reads a sector and prints its first and its last four bytes. */
sector:
  pushal
  movl $buffer, %edi
  movl $128, %ecx
  movw $0x1F0, %dx
  rep insl
  HEX buffer
  HEX buffer + 508
  popal
  ret

  .globl main
main:
  cld
  TEST "a disk answers; the other one does not"
  OUT 0x3F6, 2
  OUT 0x1F6, 0xE0
  call ready
  LINE
  OUT 0x1F6, 0xF0
  IN 0x1F7
  OUT 0x1F6, 0xE0
  LINE
  TEST "identify: configuration, capabilities, sectors by LBA"
  COMMAND 0xEC
  movl $buffer, %edi
  movl $256, %ecx
  movw $0x1F0, %dx
  rep insw
  movzwl buffer + 98, %eax
  andl $0x200, %eax
  call print_hex
  HEX buffer + 120
  movzwl buffer + 166, %eax
  andl $0x4400, %eax
  call print_hex
  call ready
  LINE
  TEST "one sector by LBA"
  SETUP 1, 5, 0, 0, 0xE0
  COMMAND 0x20
  call sector
  call ready
  LINE
  TEST "three sectors by LBA, one block after the other"
  SETUP 3, 0x20, 3, 0, 0xE0
  COMMAND 0x20
  call sector
  call ready
  call sector
  call ready
  call sector
  call ready
  LINE
  TEST "the last sector, the first that is not there"
  SETUP 1, 0x33, 8, 0, 0xE0
  COMMAND 0x20
  call sector
  LINE
  SETUP 1, 0x34, 8, 0, 0xE0
  OUT 0x1F7, 0x20
1:
  movw $0x3F6, %dx
  inb %dx, %al
  testb $0x80, %al
  jnz 1b
  andl $1, %eax
  call print_hex
  LINE
  TEST "by cylinder, head and sector"
  SETUP 1, 9, 0, 0, 0xA3
  COMMAND 0x20
  call sector
  LINE
  SETUP 1, 63, 1, 0, 0xA0
  COMMAND 0x20
  call sector
  LINE
  TEST "48 bits"
  OUT 0x1F2, 0
  OUT 0x1F3, 0
  OUT 0x1F4, 0
  OUT 0x1F5, 0
  SETUP 1, 0x11, 0x07, 0, 0xE0
  COMMAND 0x24
  call sector
  LINE
  TEST "writing, and reading it again"
  SETUP 2, 0x40, 0, 0, 0xE0
  COMMAND 0x30
  movl $pattern, %esi
  movl $128, %ecx
  movw $0x1F0, %dx
  rep outsl
  call ready
  movl $pattern, %esi
  movl $256, %ecx
  movw $0x1F0, %dx
  rep outsw
  call ready
  LINE
  SETUP 3, 0x3F, 0, 0, 0xE0
  COMMAND 0x20
  call sector
  call ready
  call sector
  call ready
  call sector
  call ready
  LINE
  TEST "blocks of several sectors"
  SETUP 4, 0, 0, 0, 0xE0
  COMMAND 0xC6
  LINE
  SETUP 6, 0x10, 0, 0, 0xE0
  COMMAND 0xC4
  call sector
  call sector
  call sector
  call sector
  call ready
  call sector
  call sector
  call ready
  LINE
  TEST "commands without data, commands that are none"
  COMMAND 0xE7
  COMMAND 0x91
  OUT 0x1F7, 0xF9
1:
  movw $0x3F6, %dx
  inb %dx, %al
  testb $0x80, %al
  jnz 1b
  andl $1, %eax
  call print_hex
  IN 0x1F1
  LINE
  TEST "the interrupt: one for each command, until the status is read"
  GATE 0x76, KCODE, on_disk, INTERRUPT_GATE
  OUT 0xA1, 0xBF
  OUT 0x21, 0xFB
  OUT 0x20, 0x11
  OUT 0x21, 0x08
  OUT 0x21, 0x04
  OUT 0x21, 0x01
  OUT 0xA0, 0x11
  OUT 0xA1, 0x70
  OUT 0xA1, 0x02
  OUT 0xA1, 0x01
  OUT 0x21, 0xFB
  OUT 0xA1, 0xBF
  OUT 0x3F6, 0
  SETUP 1, 7, 0, 0, 0xE0
  OUT 0x1F7, 0x20
1:
  sti
  hlt
  cli
  cmpl $1, interrupts
  jb 1b
  call sector
  HEX interrupts
  LINE
  SETUP 1, 7, 0, 0, 0xE0
  OUT 0x1F7, 0x30
  movl $pattern, %esi
  movl $128, %ecx
  movw $0x1F0, %dx
2:
  movw $0x3F6, %dx
  inb %dx, %al
  testb $8, %al
  jz 2b
  movw $0x1F0, %dx
  rep outsl
1:
  sti
  hlt
  cli
  cmpl $2, interrupts
  jb 1b
  HEX interrupts
  LINE
  TEST "a reset"
  OUT 0x3F6, 6
  OUT 0x3F6, 2
1:
  movw $0x1F7, %dx
  inb %dx, %al
  testb $0x80, %al
  jnz 1b
  IN 0x1F2
  IN 0x1F3
  IN 0x1F4
  IN 0x1F5
  LINE
  ret

on_disk:
  pushal
  movw $0x1F7, %dx
  inb %dx, %al
  movb $0x20, %al
  outb %al, $0xA0
  outb %al, $0x20
  incl interrupts
  popal
  iretl

  .data
  .align 4
interrupts:
  .long 0
pattern:
  .long 0x600DF00D
  .fill 126, 4, 0x11111111
  .long 0x12345678
  .bss
buffer:
  .skip 512
