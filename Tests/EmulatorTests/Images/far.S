/* Far jumps, calls and returns, call gates, and loads of segment registers with their faults.
   Intel SDM Vol. 3A §5.5–5.8; Vol. 2: CALL, JMP, RET, MOV, LAR, LSL, VERR, ARPL. */
#include "support.h"

/* Behind the call gate: two parameters. */
gate_entry:
  pushal
  leal 32(%esp), %ebp
  SAY "gate "
  movl %cs, %eax
  call print_hex
  movl %ss, %eax
  call print_hex
  movl %ebp, %eax
  call print_hex
  .irp n, 0, 4, 8, 12, 16, 20
  HEX \n(%ebp)
  .endr
  LINE
  popal
  lret $8

  .macro SELECTORS
  movl %cs, %eax
  call print_hex
  .irp segment, ss, ds, es, fs, gs
  movl %\segment, %eax
  call print_hex
  .endr
  LINE
  .endm

  .macro USE instruction:vararg
  ON_FAULT 9f
  \instruction
  SAY "no fault\n"
9:
  .endm

  .globl main
main:
  movb $0xFF, %al
  outb %al, $0x21
  outb %al, $0xA1
  GATE 0x80, KCODE, report_handler, USER_GATE
  xorl %eax, %eax
  lldt %ax

  TEST "far call and return, same ring"
  lcall $KCODE, $far_function
  lcall *far_pointer
  lcall $CONFORMING, $far_function
  TEST "far jump"
  ljmp $CONFORMING, $1f
1:
  SELECTORS
  ljmp $KCODE, $1f
1:
  TEST "far jump: null, data, beyond the GDT, absent, DPL, RPL, limit, LDT without one"
  .irp selector, 0, KDATA, OUTSIDE, ABSENT_CODE, 0x18, UCODE, 0x0B, LDT, 0x0C, TSS1
  ON_FAULT 1f
  ljmp $\selector, $1f
1:
  .endr
  ON_FAULT 1f
  ljmp $SMALL_CODE, $0x1000
1:
  TEST "far call: the same"
  .irp selector, 0, KDATA, OUTSIDE, ABSENT_CODE, 0x18, TSS1
  ON_FAULT 1f
  lcall $\selector, $1f
1:
  .endr
  TEST "call gate without change of ring"
  pushl $0x1111
  pushl $0x2222
  lcall $CALL_GATE, $0
  TEST "call gate from ring 3: stack of the TSS, parameters copied, released on both"
  movl %esp, user_stack
  movl $2f, user_return
  TO_USER 1f, 0x202
1:
  pushl $0x3333
  pushl $0x4444
  lcall $CALL_GATE + 3, $0
  movl %esp, %ebp
  int $0x81
2:
  HEX %ebp
  LINE
  TEST "call gate: DPL, RPL, absent, jump into an inner ring"
  .irp selector, INNER_GATE, INNER_GATE + 3, ABSENT_GATE + 3
  ON_FAULT 1f
  FROM_USER 0x202, "lcall $\selector, $0"
1:
  .endr
  ON_FAULT 1f
  FROM_USER 0x202, "ljmp $CALL_GATE + 3, $0"
1:
  ON_FAULT 1f
  lcall $INNER_GATE + 1, $0
1:
  TEST "call gate: code selector null, data, beyond the GDT, absent"
  .irp selector, 0, KDATA, OUTSIDE, ABSENT_CODE, UCODE
  movw $\selector, gdt + CALL_GATE + 2
  ON_FAULT 1f
  lcall $CALL_GATE, $0
1:
  .endr
  movw $KCODE, gdt + CALL_GATE + 2
  TEST "call gate: stack of the inner ring"
  .irp selector, 0, 0x78, 0x51, UDATA
  movw $0x70, gdt + CALL_GATE + 2
  movl $\selector, tss1 + 16
  ON_FAULT 1f
  FROM_USER 0x202, "lcall $CALL_GATE + 3, $0"
1:
  .endr
  movw $KCODE, gdt + CALL_GATE + 2
  movl $DATA1, tss1 + 16

  TEST "far return: null, data, beyond, absent, inner, stack of the outer ring"
  .irp selector, 0, KDATA, OUTSIDE, ABSENT_CODE, 0x0B, 0x18
  ON_FAULT 1f
  pushl $\selector
  pushl $1f
  lret
1:
  .endr
  ON_FAULT 1f
  FROM_USER 0x202, "pushl $KCODE; pushl $1f; lret"
1:
  .irp selector, 0, 0x20, KDATA, OUTSIDE + 3
  ON_FAULT 1f
  pushl $\selector
  pushl $user_top
  pushl $UCODE
  pushl $1f
  lret
1:
  .endr

  TEST "MOV SS: null, RPL, DPL, read-only, code, beyond the GDT, absent"
  .irp selector, 0, 0x11, UDATA, READ_ONLY, KCODE, OUTSIDE, ABSENT_DATA, TSS1
  movl $\selector, %ecx
  USE movl %ecx, %ss
  .endr
  TEST "MOV DS: null, user data, execute-only, absent, system, beyond, RPL 3 on DPL 0"
  .irp selector, 0, UDATA, EXECUTE_ONLY, ABSENT_DATA, TSS1, OUTSIDE, 0x13, KCODE, READ_ONLY, 7
  movl $\selector, %ecx
  USE movl %ecx, %es
  .endr
  TEST "POP ES and LES, LSS"
  ON_FAULT 1f
  pushl $ABSENT_DATA
  popl %es
1:
  pushl $UDATA
  popl %es
  les far_data, %eax
  SELECTORS
  ON_FAULT 1f
  lss far_pointer, %eax
1:
  movl %esp, far_stack
  lss far_stack, %esp
  movl $KDATA, %eax
  movl %eax, %es
  TEST "LDT"
  ON_FAULT 1f
  movl $TSS1, %ecx
  lldt %cx
1:
  movl $LDT, %eax
  lldt %ax
  sldt %eax
  HEX %eax
  movl $7, %eax
  movl %eax, %fs
  lcall $0x0C, $far_function
  SELECTORS
  ON_FAULT 1f
  movl $0x17, %eax
  movl %eax, %gs
1:
  xorl %eax, %eax
  movl %eax, %fs
  lldt %ax
  movl $7, %ecx
  USE movl %ecx, %fs
  TEST "LTR: busy, not a TSS, absent"
  .irp selector, TSS1, KDATA, ABSENT_TSS, OUTSIDE, 4
  movl $\selector, %ecx
  USE ltr %cx
  .endr
  str %eax
  HEX %eax
  HEX gdt + TSS1 + 4
  LINE
  TEST "accessed bits are set by loading"
  movl $EXPAND_DOWN, %eax
  movl %eax, %fs
  HEX gdt + EXPAND_DOWN + 4
  HEX gdt + EXECUTE_ONLY + 4
  LINE
  TEST "LAR, LSL, VERR, VERW"
  .irp selector, 0, KCODE, KDATA, UDATA, 0x13, TSS1, LDT, CALL_GATE, TASK_GATE, OUTSIDE, \
    ABSENT_DATA, EXECUTE_ONLY, READ_ONLY, SMALL_DATA
  movl $0x12345678, %ebx
  movl $\selector, %ecx
  larl %ecx, %ebx
  pushfl
  HEX %ebx
  movl $0x12345678, %ebx
  lsll %ecx, %ebx
  pushfl
  HEX %ebx
  verr %cx
  pushfl
  verw %cx
  pushfl
  .rept 4
  popl %eax
  andl $0x40, %eax
  HEX %eax
  .endr
  LINE
  .endr
  TEST "the same in ring 3"
  .irp selector, KDATA, UDATA, INNER_GATE, TASK_GATE
  movl %esp, user_stack
  movl $2f, user_return
  TO_USER 1f, 0x202
1:
  movl $0x12345678, %ebx
  movl $\selector, %ecx
  larl %ecx, %ebx
  pushfl
  popl %esi
  verr %cx
  pushfl
  popl %edi
  int $0x81
2:
  HEX %ebx
  andl $0x40, %esi
  andl $0x40, %edi
  HEX %esi
  HEX %edi
  LINE
  .endr
  TEST "ARPL"
  movl $0x1230, %ecx
  movl $3, %edx
  arpl %dx, %cx
  pushfl
  HEX %ecx
  arpl %dx, %cx
  pushfl
  HEX %ecx
  .rept 2
  popl %eax
  andl $0x40, %eax
  HEX %eax
  .endr
  LINE
  TEST "SGDT, SIDT, SMSW"
  sgdt scratch
  HEX scratch
  movzwl scratch + 4, %eax
  HEX %eax
  sidt scratch
  HEX scratch
  smsw %ax
  andl $15, %eax
  HEX %eax
  LINE
  ret

far_function:
  SELECTORS
  lret

  .data
  .align 4
far_pointer:
  .long far_function
  .word KCODE
far_data:
  .long 0x12345678
  .word UDATA
far_stack:
  .long 0
  .word KDATA
  .align 4
scratch:
  .long 0, 0
