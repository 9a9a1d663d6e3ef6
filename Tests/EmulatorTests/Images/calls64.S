/* SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS, bases of FS and GS, CR8, CR0.TS and CR4.OSFXSR. */
#include "support64.h"

  .set STAR, 0x0018000800000000

/* Entered by SYSCALL on the user's stack. */
system_call:
  movq %rsp, %r12
  movl $stack_top - 1024, %esp
  SAY "syscall "
  HEX %rcx
  movq %r11, %rax
  andl $FLAG_MASK, %eax
  call print_hex
  HEX %r12
  movl %cs, %eax
  call print_hex
  movl %ss, %eax
  call print_hex
  pushfq
  popq %rax
  andl $FLAG_MASK, %eax
  call print_hex
  LINE
  movq %r12, %rsp
  testq %r15, %r15
  jnz 1f
  sysretq
1:
  /* To 32-bit code, whose address is low. */
  movl $returned_32, %ecx
  movl $user_top, %esp
  sysretl

system_enter:
  SAY "sysenter "
  HEX %rsp
  HEX %rcx
  HEX %rdx
  movl %cs, %eax
  call print_hex
  movl %ss, %eax
  call print_hex
  pushfq
  popq %rax
  andl $FLAG_MASK, %eax
  call print_hex
  LINE
  testq %r15, %r15
  jnz 1f
  sysexitq
1:
  movl $returned_32, %edx
  movl $user_top, %ecx
  sysexitl

  .code32
returned_32:
  movl $-1, %eax
  incl %eax
  int $0x42
  int $0x81
  .code64

main:
  GATE 0x42, KCODE, report_handler, USER_GATE
  GATE 0x47, KCODE, report_and_leave, USER_GATE

  TEST "SYSCALL without EFER.SCE"
  EXPECT_FAULT FROM_USER 2, syscall
  EXPECT_FAULT sysretq
  READ_MSR 0xC0000080
  orl $1, %eax
  wrmsr
  WRITE_MSR 0xC0000081, STAR
  WRITE_MSR 0xC0000082, system_call
  WRITE_MSR 0xC0000084, 0x47700

  TEST "SYSCALL and SYSRET"
  USER_BEGIN 0x202
  xorl %r15d, %r15d
  syscall
  int $0x42
  USER_END
  USER_BEGIN 0x40602
  xorl %r15d, %r15d
  syscall
  int $0x42
  USER_END
  EXPECT_FAULT FROM_USER 2, sysretq
  orb $4, directory
  movq %cr3, %rax
  movq %rax, %cr3
  USER_BEGIN 0x202
  movl $1, %r15d
  syscall
  USER_END
  HEX %rax
  LINE

  TEST "SYSENTER and SYSEXIT"
  EXPECT_FAULT FROM_USER 2, sysenter
  EXPECT_FAULT sysexitq
  WRITE_MSR 0x174, 8
  WRITE_MSR 0x175, inner_top
  WRITE_MSR 0x176, system_enter
  USER_BEGIN 0x202
  xorl %r15d, %r15d
  leaq 3f(%rip), %rdx
  movq %rsp, %rcx
  sysenter
3:
  int $0x47
  USER_END
  EXPECT_FAULT FROM_USER 2, sysexitq
  andb $~4, directory
  movq %cr3, %rax
  movq %rax, %cr3

  TEST "bases of FS and GS"
  WRITE_MSR 0xC0000100, scratch
  WRITE_MSR 0xC0000101, scratch + 8
  WRITE_MSR 0xC0000102, scratch + 16
  movq $0x11, scratch
  movq $0x22, scratch + 8
  movq $0x33, scratch + 16
  HEX %fs:0
  HEX %gs:0
  swapgs
  HEX %gs:0
  READ_MSR 0xC0000102
  call print_hex
  swapgs
  HEX %gs:0
  HEX %gs:8
  LINE
  EXPECT_FAULT FROM_USER 2, swapgs
  EXPECT_FAULT FROM_USER 2, rdmsr
  EXPECT_FAULT rdfsbase %rax
  SET_CR4 0x10000
  rdfsbase %rax
  call print_hex
  rdgsbase %eax
  call print_hex
  movabsq $0xFFFF800000001000, %rbx
  wrfsbase %rbx
  rdfsbase %rax
  call print_hex
  wrgsbase %ebx
  rdgsbase %rax
  call print_hex
  LINE
  USER_BEGIN 2
  movl $0x777, %ebx
  wrgsbase %rbx
  rdgsbase %rcx
  USER_END
  HEX %rcx
  LINE
  movabsq $0xFFFF800000000000, %rbx
  wrgsbase %rbx
  movl $scratch + 8, %ecx
  HEX %gs:(%rcx)
  xorl %eax, %eax
  movl %eax, %gs
  movl $KDATA, %eax
  movl %eax, %gs
  rdgsbase %rax
  call print_hex
  LINE

  TEST "CR8"
  movq %cr8, %rax
  call print_hex
  movl $9, %eax
  movq %rax, %cr8
  movq %cr8, %rax
  call print_hex
  xorl %eax, %eax
  movq %rax, %cr8
  LINE
  EXPECT_FAULT FROM_USER 2, movq %cr8, %rax

  TEST "vector registers"
  CLEAR_CR4 0x200
  EXPECT_FAULT xorps %xmm0, %xmm0
  SET_CR4 0x200
  movl $0x1234, %eax
  movq %rax, %xmm9
  movq %cr0, %rax
  orl $8, %eax
  movq %rax, %cr0
  EXPECT_FAULT movaps %xmm9, %xmm1
  EXPECT_FAULT fxsave64 scratch
  clts
  movaps %xmm9, %xmm1
  movdqu %xmm1, scratch
  HEX scratch
  fninit
  fxsave64 scratch
  HEX scratch
  HEX scratch + 24
  HEX scratch + 160 + 9 * 16
  movq $0x5678, scratch + 160 + 9 * 16
  movq $0, scratch + 168 + 9 * 16
  fxrstor64 scratch
  movq %xmm9, %rax
  call print_hex
  LINE
  movq %cr0, %rax
  orl $4, %eax
  movq %rax, %cr0
  EXPECT_FAULT movaps %xmm9, %xmm1
  movq %cr0, %rax
  andl $~4, %eax
  movq %rax, %cr0
  EXPECT_FAULT FROM_USER 2, clts

  TEST "fences, and pairs of 16 bytes"
  movl $0x11, %eax
  lfence
  mfence
  sfence
  pause
  movq %rax, scratch
  sfence
  HEX scratch
  movq $0x33, scratch + 8
  movl $0x33, %edx
  movl $0x55, %ebx
  movl $0x77, %ecx
  lock cmpxchg16b scratch
  pushfq
  popq %rsi
  andl $0x40, %esi
  HEX %rsi
  HEX scratch
  HEX scratch + 8
  lock cmpxchg16b scratch
  HEX %rax
  HEX %rdx
  LINE
  EXPECT_FAULT lock cmpxchg16b scratch + 8
  FROM_USER 2, lfence
  FROM_USER 2, mfence

  TEST "instructions that 64-bit mode does not have"
  .irp code, 0x06, 0x0E, 0x16, 0x1E, 0x27, 0x2F, 0x37, 0x3F, 0x60, 0x61, 0x82, 0x9A, 0xC4, 0xC5, 0xCE, 0xD6, 0xEA
  ON_FAULT 1f
  .byte \code
  .fill 8, 1, 0x90
1:
  .endr
  ret

gate_entry:
  lretq
