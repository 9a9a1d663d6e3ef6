/* Interrupt and trap gates: flags, privilege, stack switches, and each error code.
   Intel SDM Vol. 3A §6.12, §6.13; Vol. 2A "INT n". */
#include "support.h"

gate_entry:
  ret

  .globl main
main:
  GATE 0x80, KCODE, report_handler, USER_GATE
  GATE 0x82, KCODE, report_handler, INTERRUPT_GATE + 0x60

  TEST "trap gate and interrupt gate, ring 0, IF clear"
  int $0x80
  int $0x82
  TEST "trap gate keeps IF, interrupt gate clears it"
  movb $0xFF, %al
  outb %al, $0x21
  outb %al, $0xA1
  sti
  int $0x80
  int $0x82
  pushfl
  popl %eax
  cli
  andl $FLAG_MASK, %eax
  HEX %eax
  LINE

  TEST "from ring 3: stack of the TSS"
  FROM_USER 0x202, "int $0x80"
  FROM_USER 0x3202, "int $0x82"
  TEST "NT is cleared by delivery"
  pushl $0x4002
  popfl
  int $0x82
  pushl $2
  popfl

  TEST "INT n through a gate of DPL 0, ring 3"
  GATE 0x83, KCODE, report_handler, INTERRUPT_GATE
  ON_FAULT 1f
  FROM_USER 0x202, "int $0x83"
1:
  TEST "gate not present; DPL is checked first"
  GATE 0x84, KCODE, report_handler, 0x6E
  ON_FAULT 1f
  FROM_USER 0x202, "int $0x84"
1:
  GATE 0x84, KCODE, report_handler, 0x0E
  ON_FAULT 1f
  FROM_USER 0x202, "int $0x84"
1:
  ON_FAULT 1f
  int $0x84
1:
  TEST "not a gate"
  GATE 0x84, KCODE, report_handler, 0xEC
  ON_FAULT 1f
  int $0x84
1:
  GATE 0x84, KCODE, report_handler, 0xF2
  ON_FAULT 1f
  int $0x84
1:
  TEST "beyond the limit of the IDT"
  movw $0x83 * 8 + 7, idt_pointer
  lidt idt_pointer
  ON_FAULT 1f
  int $0x84
1:
  movw $256 * 8 - 1, idt_pointer
  lidt idt_pointer

  TEST "code selector null, data, beyond the GDT, not present, less privileged"
  .irp selector, 0, 3, KDATA, OUTSIDE, ABSENT_CODE, 0x18, 0x0C
  GATE 0x84, \selector, report_handler, USER_GATE
  ON_FAULT 1f
  int $0x84
1:
  .endr
  TEST "the same from ring 3"
  .irp selector, 0, KDATA, OUTSIDE, ABSENT_CODE
  GATE 0x84, \selector, report_handler, USER_GATE
  ON_FAULT 1f
  FROM_USER 0x202, "int $0x84"
1:
  .endr

  TEST "conforming code keeps CPL 3 and the stack"
  GATE 0x84, CONFORMING, leave_conforming, USER_GATE
  movl %esp, user_stack
  movl $1f, user_return
  TO_USER 2f, 0x3002
2:
  int $0x84
leave_conforming:
  movl %cs, %eax
  movl %eax, conforming_cs
  movl %esp, conforming_sp
  int $0x81
1:
  HEX conforming_cs
  HEX conforming_sp
  LINE

  TEST "handler in ring 1, from ring 3"
  GATE 0x84, CODE1, ring1_handler, USER_GATE
  FROM_USER 0x202, "int $0x84"
  TEST "ring 1 from ring 0: the handler may not be less privileged"
  ON_FAULT 1f
  int $0x84
1:
  TEST "stack selector of ring 1: null, RPL, read-only, DPL, code, beyond the GDT"
  .irp selector, 0, 0x78, 0x7A, 0x51, UDATA, 0x11, OUTSIDE + 1, 0x71
  movl $\selector, tss1 + 16
  ON_FAULT 1f
  FROM_USER 0x202, "int $0x84"
1:
  .endr
  movl $DATA1, tss1 + 16

  TEST "INT3 and INTO, through gates of DPL 3 and DPL 0"
  GATE 3, KCODE, report_handler, USER_GATE
  GATE 4, KCODE, report_handler, USER_GATE
  FROM_USER 0x202, "int3"
  FROM_USER 0xA02, "into"
  FROM_USER 0x202, "into"
  GATE 3, KCODE, report_handler, INTERRUPT_GATE
  GATE 4, KCODE, report_handler, INTERRUPT_GATE
  ON_FAULT 1f
  FROM_USER 0x202, "int3"
1:
  ON_FAULT 1f
  FROM_USER 0xA02, "into"
1:
  TEST "exceptions push their own address: UD2, DIV, BOUND"
  ON_FAULT 1f
  ud2
1:
  ON_FAULT 1f
  xorl %ecx, %ecx
  divl %ecx
1:
  ON_FAULT 1f
  movl $11, %eax
  bound %eax, bounds
1:
  ON_FAULT 1f
  movl $-5, %eax
  bound %eax, bounds
  SAY "inside\n"
  FROM_USER 0x202, "ud2"
1:
  TEST "privileged instructions in ring 3"
  .irp instruction, hlt, clts, "mov %cr0, %eax", "lgdt gdt_pointer", "ltr %ax", "lldt %ax", \
    "invlpg 0", wbinvd, rdmsr, "lmsw %ax", "mov %eax, %db7", cli, sti, "inb $0x60, %al"
  ON_FAULT 1f
  FROM_USER 0x202, "\instruction"
1:
  .endr
  TEST "16-bit interrupt gate"
  movl $handler16, %eax
  andl $0xFFFF, %eax
  movl $gdt + CALL_GATE, %edi   /* any free descriptor: code with the image's base */
  movl $0x0000FFFF, (%edi)
  movl $0x00CF9A10, 4(%edi)
  GATE 0x84, CALL_GATE, 0, 0x86
  movw %ax, idt + 0x84 * 8
  int $0x84
  ret

/* Runs with its segment's base at 100000h: 16-bit frame, data at absolute addresses. */
handler16:
  pushal
  movzwl 32(%esp), %eax

  movl %eax, scratch
  movzwl 34(%esp), %eax
  movl %eax, scratch + 4
  movzwl 36(%esp), %eax
  movl %eax, scratch + 8
  ljmp $KCODE, $1f
1:
  HEX scratch
  HEX scratch + 4
  movl scratch + 8, %eax
  andl $FLAG_MASK, %eax
  HEX %eax
  LINE
  popal
  addl $6, %esp
  ret

/* In ring 1 nothing can be printed: tell ring 0. */
ring1_handler:
  movl %cs, %eax
  movl %eax, conforming_cs
  movl %esp, conforming_sp
  int $0x80
  iretl

  .data
  .align 4
bounds:
  .long -10, 10
conforming_cs:
  .long 0
conforming_sp:
  .long 0
scratch:
  .long 0, 0, 0
