/* IRET between rings: its checks, what it makes of EFLAGS, data segments that become null; POPF and
   CLI under IOPL. Intel SDM Vol. 2A "IRET", Vol. 2B "POPF", "STI". */
#include "support.h"

gate_entry:
  ret

  .macro FLAGS
  pushfl
  popl %eax
  andl $FLAG_MASK, %eax
  call print_hex
  .endm

/* IRET to CS:EIP with a frame of three words. */
  .macro RETURN_TO selector, target, flags
  pushl $\flags
  pushl $\selector
  pushl $\target
  iretl
  .endm

  .macro RETURN_OUT ss, sp, selector, target, flags
  pushl $\ss
  pushl $\sp
  RETURN_TO \selector, \target, \flags
  .endm

  .globl main
main:
  GATE 0x80, KCODE, report_handler, USER_GATE
  movb $0xFF, %al
  outb %al, $0x21
  outb %al, $0xA1

  TEST "to the same ring: all flags come from the frame"
  RETURN_TO KCODE, 1f, 0x3602
1:
  FLAGS
  cld
  RETURN_TO KCODE, 1f, 0x2
1:
  FLAGS
  LINE
  TEST "AC and ID come back with 32 bits, stay with 16"
  RETURN_TO KCODE, 1f, 0x240002
1:
  pushfl
  popl %eax
  andl $0x240000, %eax
  HEX %eax
  pushw $0x2
  pushw $KCODE
  movl $2f, %eax
  pushw %ax
  movl $gdt + CALL_GATE, %edi
  movl $0x0000FFFF, (%edi)
  movl $0x00CF9A10, 4(%edi)
  movw $CALL_GATE, 2(%esp)
  iretw
2:
  ljmp $KCODE, $3f
3:
  pushfl
  popl %eax
  andl $0x240000, %eax
  HEX %eax
  LINE
  RETURN_TO KCODE, 1f, 0x2
1:
  TEST "code selector: null, data, beyond the GDT, absent, RPL, DPL"
  .irp selector, 0, 3, KDATA, OUTSIDE, ABSENT_CODE, 0x0B, 0x18, 0x73, TSS1
  ON_FAULT 1f
  RETURN_TO \selector, 1f, 2
1:
  .endr
  TEST "conforming code, same ring"
  RETURN_TO CONFORMING, 1f, 2
1:
  movl %cs, %eax
  HEX %eax
  ljmp $KCODE, $1f
1:
  LINE
  TEST "outer ring: stack selector null, RPL, DPL, read-only, beyond the GDT"
  .irp selector, 0, 0x20, 0x21, KDATA + 3, READ_ONLY + 3, OUTSIDE + 3
  ON_FAULT 1f
  RETURN_OUT \selector, user_top, UCODE, 1f, 2
1:
  .endr
  TEST "data segments of ring 0 become null in ring 3, others stay"
  movl $KDATA, %eax
  movl %eax, %ds
  movl %eax, %fs
  movl $UDATA, %eax
  movl %eax, %es
  movl $CONFORMING, %eax
  movl %eax, %gs
  movl %esp, user_stack
  movl $2f, user_return
  RETURN_OUT UDATA, user_top, UCODE, 1f, 0x3002
1:
  pushl %ds
  pushl %es
  pushl %fs
  pushl %gs
  movl %esp, %ebp
  int $0x81
2:
  .irp n, 12, 8, 4, 0
  movzwl %ss:\n(%ebp), %eax
  call print_hex
  .endr
  LINE
  xorl %eax, %eax
  movl %eax, %fs
  movl %eax, %gs

  TEST "IRET in ring 3 with IOPL 0: IF and IOPL do not change"
  movl %esp, user_stack
  movl $2f, user_return
  RETURN_OUT UDATA, user_top, UCODE, 1f, 0x202
1:
  pushl $0x3002
  pushl $UCODE
  pushl $3f
  iretl
3:
  pushfl
  popl %ebp
  int $0x81
2:
  andl $FLAG_MASK, %ebp
  HEX %ebp
  LINE
  TEST "the same with IOPL 3: IF does change"
  movl %esp, user_stack
  movl $2f, user_return
  RETURN_OUT UDATA, user_top, UCODE, 1f, 0x3202
1:
  pushl $0x0002
  pushl $UCODE
  pushl $3f
  iretl
3:
  pushfl
  popl %ebp
  int $0x81
2:
  andl $FLAG_MASK, %ebp
  HEX %ebp
  LINE
  cli
  TEST "IRET from ring 3 to ring 0"
  ON_FAULT 1f
  FROM_USER 0x202, "pushl $2; pushl $KCODE; pushl $1f; iretl"
1:
  TEST "POPF in ring 3: IOPL 0, then IOPL 3"
  .irp flags, 0x0202, 0x3202
  movl %esp, user_stack
  movl $2f, user_return
  RETURN_OUT UDATA, user_top, UCODE, 1f, \flags
1:
  pushl $0x4402
  popfl
  pushfl
  popl %ebp
  int $0x81
2:
  andl $FLAG_MASK, %ebp
  HEX %ebp
  LINE
  pushl $2
  popfl
  .endr
  TEST "POPFW keeps AC and ID"
  pushl $0x240002
  popfl
  pushw $0x3002
  popfw
  pushfl
  popl %eax
  HEX %eax
  LINE
  pushl $2
  popfl
  TEST "CLI and STI in ring 3 with IOPL 3"
  movl %esp, user_stack
  movl $2f, user_return
  RETURN_OUT UDATA, user_top, UCODE, 1f, 0x3202
1:
  cli
  pushfl
  popl %ebp
  sti
  pushfl
  popl %edi
  int $0x81
2:
  andl $FLAG_MASK, %ebp
  andl $FLAG_MASK, %edi
  HEX %ebp
  HEX %edi
  LINE
  cli
  TEST "ring 1 with IOPL 1 may, with IOPL 0 may not"
  movl %esp, user_stack
  movl $2f, user_return
  RETURN_OUT DATA1, ring1_top, CODE1, 1f, 0x1202
1:
  cli
  pushfl
  popl %ebp
  int $0x81
2:
  andl $FLAG_MASK, %ebp
  HEX %ebp
  LINE
  ON_FAULT 2f
  RETURN_OUT DATA1, ring1_top, CODE1, 1f, 0x0202
1:
  cli
2:
  TEST "I/O bitmap of the TSS"
  movl %esp, %ebx
  ON_FAULT 1f
  FROM_USER 0x202, "inb $0x64, %al"
1:
  movl $gdt + TSS1, %edi
  movw $0x67 + 33, (%edi)
  andb $0xFD, 5(%edi)
  movl $TSS1, %eax
  ltr %ax
  movl $tss1, %edi
  movl $0xFFFFFFFF, bitmap
  movl $0xFFFFFFFF, bitmap + 4
  movl $0xFFFFFFFF, bitmap + 8
  movl $0xFFFFFFFE, bitmap + 12
  movw $bitmap - tss1, tss1 + 102
  movl $gdt + TSS1, %edi
  movw $bitmap - tss1 + 13, (%edi)
  andb $0xFD, 5(%edi)
  ltr %ax
  SAY "60h allowed "
  FROM_USER 0x202, "inb $0x60, %al"
  LINE
  .irp instruction, "inb $0x61, %al", "inw $0x60, %ax", "inb $0x5F, %al", "inb $0x68, %al", \
    "outb %al, $0x67"
  ON_FAULT 1f
  FROM_USER 0x202, "\instruction"
1:
  .endr
  ret

  .data
  .align 4
scratch:
  .long 0
bitmap:
  .long 0, 0, 0, 0, 0
