/* Gates, the interrupt stack table, IRETQ, far transfers and system segments in 64-bit mode. */
#include "support64.h"

/* IRETQ to a frame built of these values; the way back is a fault or `label`. */
  .macro RETURN_TO rip, cs, flags, rsp, ss
  movabsq $\ss, %rax
  pushq %rax
  movabsq $\rsp, %rax
  pushq %rax
  pushq $\flags
  pushq $\cs
  movabsq $\rip, %rax
  pushq %rax
  iretq
  .endm

  .code32
compatible:
  movl $-1, %eax
  incl %eax
  pushl %esp
  popl %ecx
  int $0x42
  int $0x81
far_read:
  movl $UDATA, %eax
  movl %eax, %ds
  movl $0x70000000, %eax
  movl (%eax), %eax
swap:
  .byte 0x0F, 0x01, 0xF8   /* SWAPGS */
  .code64

main:
  TEST "from ring 0: the frame is aligned, SS:RSP is always pushed"
  GATE 0x40, KCODE, report_handler, INTERRUPT_GATE
  GATE 0x41, KCODE, report_handler, TRAP_GATE
  GATE 0x42, KCODE, report_handler, USER_GATE
  sti
  int $0x40
  int $0x41
  cli
  pushw $0
  int $0x40
  addq $2, %rsp
  subq $5, %rsp
  int $0x41
  addq $5, %rsp

  TEST "from ring 3"
  FROM_USER 0x202, int $0x42
  FROM_USER 0x3202, int $0x42

  TEST "the interrupt stack table"
  GATE 0x43, KCODE, report_handler, USER_GATE, 1
  GATE 0x44, KCODE, report_handler, USER_GATE, 2
  xorl %eax, %eax
  movl %eax, %ss
  int $0x43
  int $0x44
  movl $KDATA, %eax
  movl %eax, %ss
  FROM_USER 2, int $0x43
  GATE 0x45, KCODE, report_handler, USER_GATE, 3
  EXPECT_FAULT int $0x45
  EXPECT_FAULT FROM_USER 2, int $0x45

  TEST "bad gates"
  GATE 0x46, 0, report_handler, USER_GATE
  EXPECT_FAULT int $0x46
  GATE 0x46, KCODE32, report_handler, USER_GATE
  EXPECT_FAULT int $0x46
  GATE 0x46, BAD_CODE, report_handler, USER_GATE
  EXPECT_FAULT int $0x46
  GATE 0x46, KDATA, report_handler, USER_GATE
  EXPECT_FAULT int $0x46
  GATE 0x46, OUTSIDE, report_handler, USER_GATE
  EXPECT_FAULT int $0x46
  GATE 0x46, ABSENT_CODE, report_handler, USER_GATE
  EXPECT_FAULT int $0x46
  GATE 0x46, UCODE, report_handler, USER_GATE
  EXPECT_FAULT int $0x46
  GATE 0x46, CONFORMING, report_handler, USER_GATE
  int $0x46

  TEST "exceptions"
  EXPECT_FAULT ud2
  EXPECT_FAULT FROM_USER 2, ud2
  ON_FAULT 1f
  xorl %ecx, %ecx
  divl %ecx
1:
  ON_FAULT 1f
  int3
1:
  EXPECT_FAULT FROM_USER 2, hlt
  EXPECT_FAULT FROM_USER 2, cli
  EXPECT_FAULT FROM_USER 2, inb $0x20, %al
  /* A double fault: the page fault's gate is bad. */
  GATE 14, KCODE32, fault_14, INTERRUPT_GATE
  GATE 8, KCODE, fault_8, INTERRUPT_GATE, 1
  xorl %eax, %eax
  movl %eax, %ss
  ON_FAULT 1f
  movq 0x700000000000, %rax
1:
  GATE 14, KCODE, fault_14, INTERRUPT_GATE

  TEST "IRETQ"
  movq %rsp, user_stack
  movq $1f, user_return
  RETURN_TO USER + 2f, UCODE, 0x246CD7, USER + user_top, UDATA
2:
  int $0x42
  int $0x81
1:
  movq %rsp, fault_stack
  RETURN_TO 1f, KCODE, 2, scratch + 64, 0
1:
  SAY "null SS "
  HEX %rsp
  movl %ss, %eax
  call print_hex
  LINE
  movq fault_stack, %rsp
  RETURN_TO 1f, KCODE, 2, scratch + 67, KDATA
1:
  HEX %rsp
  movl %ss, %eax
  call print_hex
  LINE
  movq fault_stack, %rsp
  EXPECT_FAULT RETURN_TO 1f, KCODE, 0x4002, scratch + 64, READ_ONLY
  EXPECT_FAULT RETURN_TO 1f, KCODE, 2, scratch + 64, OUTSIDE
  EXPECT_FAULT RETURN_TO 1f, KCODE, 2, scratch + 64, UDATA
  EXPECT_FAULT RETURN_TO 1f, 0, 2, scratch + 64, KDATA
  EXPECT_FAULT RETURN_TO 1f, KDATA, 2, scratch + 64, KDATA
  EXPECT_FAULT RETURN_TO 1f, OUTSIDE, 2, scratch + 64, KDATA
  EXPECT_FAULT RETURN_TO 1f, ABSENT_CODE, 2, scratch + 64, KDATA
  EXPECT_FAULT RETURN_TO 1f, UCODE, 2, USER + user_top, 0
  EXPECT_FAULT RETURN_TO 1f, UCODE, 2, USER + user_top, 3
  EXPECT_FAULT RETURN_TO 1f, UCODE, 2, USER + user_top, KDATA
1:
  pushfq
  orq $0x4000, (%rsp)
  popfq
  EXPECT_FAULT RETURN_TO 1f, KCODE, 2, scratch + 64, KDATA
1:
  pushq $2
  popfq

  TEST "compatibility mode"
  /* Low pages, as 32-bit code cannot reach USER: the image's own 2 MiB become accessible. */
  orb $4, directory
  movq %cr3, %rax
  movq %rax, %cr3
  movq %rsp, user_stack
  movq $1f, user_return
  RETURN_TO compatible, UCODE32, 0x202, user_top, UDATA
1:
  HEX %rax
  HEX %rcx
  LINE
  EXPECT_FAULT RETURN_TO far_read, UCODE32, 0x202, user_top, UDATA
  EXPECT_FAULT RETURN_TO swap, UCODE32, 0x202, user_top, UDATA
  andb $~4, directory
  movq %cr3, %rax
  movq %rax, %cr3

  TEST "far transfers"
  pushq $KCODE
  pushq $1f
  lretq
1:
  SAY "lretq\n"
  ljmpl *far_pointer
far_target:
  SAY "ljmp\n"
  lcalll *gate_pointer
  SAY "back\n"
  EXPECT_FAULT ljmpl *tss_pointer
  EXPECT_FAULT ljmpl *data_pointer
  FROM_USER 2, lcalll *(gate_pointer)(%rip)
  SAY "gate from ring 3\n"
  EXPECT_FAULT FROM_USER 2, lcalll *(inner_pointer)(%rip)

  TEST "system segments"
  str %eax
  call print_hex
  EXPECT_BEGIN
  movl $TSS, %eax
  ltr %ax
  EXPECT_END
  EXPECT_BEGIN
  movl $LDT, %eax
  ltr %ax
  EXPECT_END
  EXPECT_BEGIN
  movl $KDATA, %eax
  lldt %ax
  EXPECT_END
  movl $LDT, %eax
  lldt %ax
  sldt %eax
  call print_hex
  movl $0x07, %eax
  movl %eax, %es
  movl %es, %eax
  call print_hex
  movl $0, %eax
  lldt %ax
  EXPECT_BEGIN
  movl $0x07, %eax
  movl %eax, %es
  EXPECT_END
  sgdt scratch
  HEX scratch
  movzwl scratch + 8, %eax
  call print_hex
  sidt scratch
  HEX scratch
  LINE
  movl $TSS, %ebx
  larl %ebx, %eax
  call print_hex
  lsll %ebx, %eax
  call print_hex
  movl $CALL_GATE, %ebx
  larl %ebx, %eax
  call print_hex
  LINE

  TEST "segment registers"
  xorl %eax, %eax
  movl %eax, %ss
  movl %ss, %eax
  call print_hex
  movl $KDATA, %eax
  movl %eax, %ss
  EXPECT_BEGIN
  USER_BEGIN 2
  xorl %eax, %eax
  movl %eax, %ss
  USER_END
  EXPECT_END
  EXPECT_BEGIN
  movl $UDATA, %eax
  movl %eax, %ss
  EXPECT_END
  EXPECT_BEGIN
  movl $OUTSIDE, %eax
  movl %eax, %ds
  EXPECT_END
  xorl %eax, %eax
  movl %eax, %ds
  movl %eax, %es
  HEX scratch
  LINE
  pushq %fs
  popq %rax
  call print_hex
  movw $0x50, %ax
  movw %ax, %fs
  pushq %fs
  popq %gs
  movl %gs, %eax
  call print_hex
  LINE
  ret

gate_entry:
  pushq %rax
  pushq %rbp
  leaq 16(%rsp), %rbp
  SAY "gate "
  HEX (%rbp)
  HEX 8(%rbp)
  HEX %rbp
  movl %ss, %eax
  call print_hex
  testb $3, 8(%rbp)
  jz 1f
  HEX 16(%rbp)
  HEX 24(%rbp)
1:
  LINE
  popq %rbp
  popq %rax
  lretq

  .data
far_pointer:
  .long far_target
  .word KCODE
gate_pointer:
  .long 0x12345678
  .word CALL_GATE
inner_pointer:
  .long 0
  .word INNER_GATE
tss_pointer:
  .long 0
  .word TSS
data_pointer:
  .long 0
  .word KDATA
