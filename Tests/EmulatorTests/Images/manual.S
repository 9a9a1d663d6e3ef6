/* Behaviour in which QEMU departs from the manual, so that it is compared with the manual alone
   (manual.expected says for each line what the manual has): segment limits and rights, null
   segments, EIP against the limit of CS, absent stack segments, EXT bits, LTR of a null selector,
   accessed bits of code segments. */
#include "support.h"

gate_entry:
  ret

  .macro USE instruction:vararg
  ON_FAULT 9f
  \instruction
  SAY "no fault\n"
9:
  .endm

  .macro RETURN_OUT ss, sp, selector, target, flags
  pushl $\ss
  pushl $\sp
  pushl $\flags
  pushl $\selector
  pushl $\target
  iretl
  .endm

  .globl main
main:
  movb $0xFF, %al
  outb %al, $0x21
  outb %al, $0xA1
  TEST "limits of data segments: expand-up, expand-down"
  movl $EXPAND_DOWN, %eax
  movl %eax, %fs
  movl $SMALL_DATA, %eax
  movl %eax, %gs
  USE movl %gs:0xFFC, %eax
  USE movl %gs:0xFFD, %eax
  USE movb %gs:0x1000, %al
  USE movl %gs:0xFFFFFFFE, %eax
  USE movl %fs:0xFFF, %eax
  USE movl %fs:0x1000, %eax
  USE movl %fs:0xFFFFFFFE, %eax
  USE movb %fs:0, %al
  TEST "limits of the stack segment, in ring 3: push, load by EBP, RET, IRET"
  movl $0x00000FFF, gdt + CALL_GATE
  movl $0x0040F200, gdt + CALL_GATE + 4
  .irp body, "movl $0x1004, %esp; pushl %eax", "movl $0x1010, %ebp; movl (%ebp), %eax", \
    "movl $0xFFE, %esp; ret", "movl $0xFF8, %esp; iretl", "movl $2, %esp; pushl %eax"
  ON_FAULT 1f
  FROM_USER 0x202, "movl %eax, %eax; movl $CALL_GATE + 3, %ecx; movl %ecx, %ss; \body"
1:
  .endr
  TEST "rights: store to read-only data, to code, load through execute-only code"
  movl $READ_ONLY, %eax
  movl %eax, %gs
  USE movl %gs:scratch, %eax
  USE movl %eax, %gs:scratch
  USE movl %eax, %cs:scratch
  movl $KCODE, %eax
  movl %eax, %gs
  USE movl %gs:scratch, %eax
  USE movl %eax, %gs:scratch
  TEST "null segment: load, store, LES through it"
  xorl %eax, %eax
  movl %eax, %gs
  USE movl %gs:scratch, %eax
  USE movl %eax, %gs:scratch
  USE les %gs:scratch, %eax
  TEST "IRET: EIP beyond the limit of CS faults in the IRET"
  ON_FAULT 1f
  pushl $2
  pushl $SMALL_CODE
  pushl $0x1000
  iretl
1:
  TEST "IRET to ring 3: stack segment absent is a stack fault"
  movb $0x72, gdt + 0x25
  ON_FAULT 1f
  RETURN_OUT UDATA, user_top, UCODE, 1f, 2
1:
  movb $0xF2, gdt + 0x25
  TEST "INT n into ring 1 whose stack segment is absent is a stack fault"
  GATE 0x84, CODE1, start, USER_GATE
  movl $ABSENT_STACK1, tss1 + 16
  ON_FAULT 1f
  FROM_USER 0x202, "int $0x84"
1:
  cli
  TEST "INT n into ring 1 without room on its stack"
  movl $0x00000FFF, gdt + 0xC0
  movl $0x0040B200, gdt + 0xC4
  movl $0x10, tss1 + 12
  ON_FAULT 1f
  FROM_USER 0x202, "int $0x84"
1:
  cli
  movl $ring1_top, tss1 + 12
  movl $DATA1, tss1 + 16
  TEST "gate whose offset lies beyond the limit of its code segment"
  GATE 0x84, SMALL_CODE, 0x1000, USER_GATE
  ON_FAULT 1f
  int $0x84
1:
  TEST "task gate whose TSS lies in the LDT"
  GATE 0x84, 4, 0, 0x85
  ON_FAULT 1f
  int $0x84
1:
  TEST "EXT: a second exception while the first, or an interrupt, is delivered"
  GATE 6, KCODE, fault_6, 0x0E
  ON_FAULT 1f
  ud2
1:
  GATE 6, OUTSIDE, fault_6, INTERRUPT_GATE
  ON_FAULT 1f
  ud2
1:
  GATE 6, 0, fault_6, INTERRUPT_GATE
  ON_FAULT 1f
  ud2
1:
  GATE 6, KCODE, fault_6, INTERRUPT_GATE
  movb $0x11, %al
  outb %al, $0x20
  movb $0x20, %al
  outb %al, $0x21
  movb $4, %al
  outb %al, $0x21
  movb $1, %al
  outb %al, $0x21
  movb $0xEF, %al
  outb %al, $0x21
  movw $0x3FC, %dx
  movb $8, %al
  outb %al, %dx
  movw $0x3F9, %dx
  movb $2, %al
  outb %al, %dx
  movb $0, %al
  outb %al, %dx
  ON_FAULT 1f
  sti
  nop
1:
  TEST "INT n during which another one is not EXT"
  ON_FAULT 1f
  int $0x24
1:
  TEST "LTR of a null selector"
  xorl %eax, %eax
  USE ltr %ax
  TEST "accessed bit of a code segment"
  ljmp $CONFORMING, $1f
1:
  ljmp $KCODE, $1f
1:
  HEX gdt + CONFORMING + 4
  LINE
  ret

  .data
  .align 4
scratch:
  .long 0, 0
