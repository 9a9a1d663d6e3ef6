/* Hardware tasks: jumps, calls, nested returns, task gates, double fault, errors of the TSS, and at
   last a triple fault. Intel SDM Vol. 3A §6.12.2, §6.15, chapter 7. */
#include "support.h"

gate_entry:
  ret

/* What of a TSS the processor writes, and the descriptor's access byte. */
  .macro SHOW tss, selector
  HEX \tss
  HEX \tss + 32
  movl \tss + 36, %eax
  andl $FLAG_MASK, %eax
  HEX %eax
  HEX \tss + 56
  movzbl gdt + \selector + 5, %eax
  HEX %eax
  .endm

  .macro NEW_TASK entry, flags=2
  movl $\entry, tss2 + 32
  movl $\flags, tss2 + 36
  movl $task_top, tss2 + 56
  movl $KCODE, tss2 + 76
  movl $KDATA, tss2 + 80
  movl $KDATA, tss2 + 84
  movl $KDATA, tss2 + 72
  movl $0, tss2 + 88
  movl $0, tss2 + 92
  movl $0, tss2 + 96
  movl $0, tss2
  movb $0xE9, gdt + TSS2 + 5
  .endm

  .macro HERE
  pushl %eax
  pushfl
  popl %eax
  andl $FLAG_MASK, %eax
  call print_hex
  str %eax
  call print_hex
  movl %cr0, %eax
  andl $8, %eax
  call print_hex
  popl %eax
  .endm

  .globl main
main:
  movb $0xFF, %al
  outb %al, $0x21
  outb %al, $0xA1
  GATE 0x80, KCODE, report_handler, USER_GATE

  TEST "CALL to a TSS, IRET back"
  NEW_TASK 2f
  movl $0x11, %ebx
  clts
  lcall $TSS2, $0
  HERE
  HEX %ebx
  SHOW tss1, TSS1
  SHOW tss2, TSS2
  LINE
  jmp 3f
2:
  HERE
  HEX %esp
  movl $0x22, %ebx
  LINE
  iretl
  SAY "again "
  HERE
  LINE
  iretl
3:
  TEST "the task goes on after its IRET"
  lcall $TSS2, $0
  TEST "CALL through a task gate, from ring 3"
  NEW_TASK 2f
  movl %esp, user_stack
  movl $4f, user_return
  TO_USER 1f, 0x202
1:
  lcall $TASK_GATE + 3, $0
  int $0x81
2:
  HERE
  SHOW tss1, TSS1
  LINE
  iretl
4:
  cli
  movl %cs, %eax
  HEX %eax
  LINE
  TEST "JMP to a TSS and back"
  NEW_TASK 2f
  ljmp $TSS2, $0
  jmp 3f
2:
  HERE
  SHOW tss1, TSS1
  SHOW tss2, TSS2
  LINE
  ljmp $TSS1, $0
3:
  HERE
  SHOW tss1, TSS1
  SHOW tss2, TSS2
  LINE
  TEST "INT n through a task gate"
  NEW_TASK 2f
  GATE 0x85, TSS2, 0, 0x85
  sti
  int $0x85
  cli
  HERE
  LINE
  jmp 3f
2:
  HERE
  SHOW tss1, TSS1
  LINE
  iretl
3:
  TEST "exception with an error code through a task gate"
  NEW_TASK 2f
  GATE 13, TSS2, 0, 0x85
  movl $OUTSIDE, %eax
1:
  movl %eax, %gs
  jmp 3f
2:
  HERE
  HEX (%esp)
  HEX %esp
  SHOW tss1, TSS1
  LINE
  addl $4, %esp
  movl $0, tss1 + 40
  iretl
3:
  HERE
  LINE
  GATE 13, KCODE, fault_13, INTERRUPT_GATE

  TEST "descriptor: busy, absent, too short, beyond the GDT, DPL, RPL"
  .irp selector, TSS1, ABSENT_TSS, SHORT_TSS, OUTSIDE
  ON_FAULT 1f
  ljmp $\selector, $0
1:
  ON_FAULT 1f
  lcall $\selector, $0
1:
  .endr
  ON_FAULT 1f
  FROM_USER 0x202, "ljmp $TSS1 + 3, $0"
1:
  ON_FAULT 1f
  FROM_USER 0x202, "lcall $SHORT_TSS, $0"
1:
  TEST "task gate: busy TSS, absent, not a TSS, too short"
  .irp selector, TSS1, ABSENT_TSS, KDATA, OUTSIDE, SHORT_TSS
  GATE 0x85, \selector, 0, 0x85
  ON_FAULT 1f
  int $0x85
1:
  .endr
  TEST "IRET with NT: back link not busy, not a TSS, beyond the GDT"
  .irp selector, TSS2, KDATA, OUTSIDE, 0
  movl $\selector, tss1
  ON_FAULT 1f
  pushl $0x4002
  popfl
  iretl
1:
  pushl $2
  popfl
  .endr

  TEST "double fault through a task gate: #GP whose gate is absent"
  NEW_TASK 2f
  GATE 8, TSS2, 0, 0x85
  GATE 13, KCODE, fault_13, 0x0E
  movl $OUTSIDE, %eax
1:
  movl %eax, %gs
  jmp 3f
2:
  HERE
  HEX (%esp)
  SHOW tss1, TSS1
  LINE
  addl $4, %esp
  movl $3f, tss1 + 32
  iretl
3:
  HERE
  LINE
  TEST "double fault: #PF whose stack is missing"
  movl $table1, %edi
  movl $7, %eax
  movl $1024, %ecx
1:
  stosl
  addl $0x1000, %eax
  loop 1b
  movl $table1 + 7, directory
  movl $directory, %eax
  movl %eax, %cr3
  movl $directory, tss2 + 28
  movl $directory, tss1 + 28
  movl %cr0, %eax
  orl $0x80000000, %eax
  movl %eax, %cr0
  NEW_TASK 2f
  movl %esp, saved
  movl $0x800000, %esp
  pushl $1
2:
  HERE
  HEX (%esp)
  HEX %cr2
  SHOW tss1, TSS1
  LINE
  addl $4, %esp
  movl $3f, tss1 + 32
  movl saved, %eax
  movl %eax, tss1 + 56
  iretl
3:
  HERE
  LINE
  GATE 13, KCODE, fault_13, INTERRUPT_GATE
  TEST "a task with another page directory"
  movl $table1 + 7, directory2
  movl $table2 + 7, directory2 + 8
  movl $0x400007, table2
  NEW_TASK 2f
  movl $directory2, tss2 + 28
  lcall $TSS2, $0
  movl %cr3, %eax
  subl $directory, %eax
  HEX %eax
  LINE
  jmp 3f
2:
  movl $0x77, 0x800000
  movl %cr3, %eax
  subl $directory2, %eax
  HEX %eax
  LINE
  iretl
3:
  TEST "triple fault"
  GATE 8, KCODE, fault_8, 0x0E
  GATE 13, KCODE, fault_13, 0x0E
  movl $OUTSIDE, %eax
  movl %eax, %gs
  SAY "not reached\n"
  ret

  .data
  .align 4
saved:
  .long 0
  .bss
  .align 4096
directory:
  .skip 4096
directory2:
  .skip 4096
table1:
  .skip 4096
table2:
  .skip 4096
  .text
