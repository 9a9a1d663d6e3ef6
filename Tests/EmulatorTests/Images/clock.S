/* The MC146818 clock: formats, registers, the acknowledge of its interrupt. */
#include "support.h"

gate_entry:
  ret

  .macro CMOS index
  movb $\index, %al
  outb %al, $0x70
  xorl %eax, %eax
  inb $0x71, %al
  .endm
  .macro SET index, value
  movb $\index, %al
  outb %al, $0x70
  movb $\value, %al
  outb %al, $0x71
  .endm

  .globl main
main:
  TEST "registers A, B and D as written and as they are"
  SET 0x0B, 0x02
  CMOS 0x0B
  call print_hex
  SET 0x0B, 0x06
  CMOS 0x0B
  call print_hex
  CMOS 0x0A
  andl $0x7F, %eax
  call print_hex
  CMOS 0x0D
  call print_hex
  LINE
  TEST "binary and decimal are the same year"
  SET 0x0B, 0x06
  CMOS 0x09
  movl %eax, %ebx
  SET 0x0B, 0x02
  CMOS 0x09
  movl %eax, %ecx
  shrl $4, %ecx
  imull $10, %ecx
  andl $15, %eax
  addl %ecx, %eax
  subl %ebx, %eax
  call print_hex
  LINE
  TEST "register C is zero where no interrupt is on and was read before"
  CMOS 0x0C
  CMOS 0x0C
  andl $0x80, %eax
  call print_hex
  LINE
  TEST "port 92h: A20 on and off, port 61h: gate and speaker bits"
  inb $0x92, %al
  orb $2, %al
  outb %al, $0x92
  xorl %eax, %eax
  inb $0x92, %al
  andl $2, %eax
  call print_hex
  movb $1, %al
  outb %al, $0x61
  xorl %eax, %eax
  inb $0x61, %al
  andl $3, %eax
  call print_hex
  movb $0, %al
  outb %al, $0x61
  xorl %eax, %eax
  inb $0x61, %al
  andl $3, %eax
  call print_hex
  LINE
  TEST "text memory and the cursor's registers"
  movl $0x1F411F42, 0xB8000 + 160
  HEX 0xB8000 + 160
  movw $0x3D4, %dx
  movb $0x0E, %al
  outb %al, %dx
  incw %dx
  movb $0x03, %al
  outb %al, %dx
  decw %dx
  movb $0x0F, %al
  outb %al, %dx
  incw %dx
  movb $0x57, %al
  outb %al, %dx
  xorl %eax, %eax
  inb %dx, %al
  call print_hex
  decw %dx
  movb $0x0E, %al
  outb %al, %dx
  incw %dx
  xorl %eax, %eax
  inb %dx, %al
  call print_hex
  LINE
  TEST "the HPET counts when it is on, and only then"
  movl $0xFED00000, %ebx
  movl $0, 0x10(%ebx)
  movl (%ebx), %eax
  shrl $16, %eax
  call print_hex
  movl 0xF0(%ebx), %ecx
  movl 0xF0(%ebx), %eax
  subl %ecx, %eax
  call print_hex
  movl $1, 0x10(%ebx)
  movl 0xF0(%ebx), %ecx
  movl $100000, %esi
1:
  decl %esi
  jnz 1b
  movl 0xF0(%ebx), %eax
  cmpl %ecx, %eax
  seta %al
  movzbl %al, %eax
  call print_hex
  movl $0, 0x10(%ebx)
  HEX 0x10(%ebx)
  LINE
  .rept 12
  SAY "."
  LINE
  .endr
  ret
