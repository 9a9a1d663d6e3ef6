/* Ways into the kernel and out of it, and from one stack to another. */
  .set USER_SP, 0
  .set KERNEL_SP, 8

  .text
/* SYSCALL changes neither GS nor the stack. Interrupts are off: see SFMASK in main.c.
   In: RAX number, RDI argument. Out: RAX. */
  .globl entry_syscall
entry_syscall:
  swapgs
  movq %rsp, %gs:USER_SP
  movq %gs:KERNEL_SP, %rsp
  pushq %gs:USER_SP
  pushq %r11
  pushq %rcx
  subq $8, %rsp
  sti
  movq %rax, %rdx
  cld
  call system_call
  cli
  addq $8, %rsp
  popq %rcx
  popq %r11
  popq %rsp
  swapgs
  sysretq

  .macro ENTRY name, vector, error=0
  .globl entry_\name
entry_\name:
  .if !\error
  pushq $0
  .endif
  pushq $\vector
  jmp common
  .endm

  ENTRY timer, 0x20
  ENTRY keyboard, 0x21
  ENTRY exception, 0xFF

common:
  testb $3, 24(%rsp)
  jz 1f
  swapgs
1:
  .irp register, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
  pushq %\register
  .endr
  cld
  movq %rsp, %rdi
  call interrupt
  .globl interrupt_return
interrupt_return:
  .irp register, r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax
  popq %\register
  .endr
  addq $16, %rsp
  testb $3, 8(%rsp)
  jz 1f
  swapgs
1:
  iretq

/* switch_stacks(u64 **from, u64 *to) */
  .globl switch_stacks
switch_stacks:
  .irp register, rbp, rbx, r12, r13, r14, r15
  pushq %\register
  .endr
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  .irp register, r15, r14, r13, r12, rbx, rbp
  popq %\register
  .endr
  ret

/* What tasks do. */
  .globl program_reader, program_writer, program_yielder, program_computer, program_once
program_reader:
  movl $1, %eax
  syscall
  jmp program_reader
program_writer:
  movl $'.', %edi
  movl $2, %eax
  syscall
  jmp program_writer
program_yielder:
  movl $3, %eax
  syscall
  jmp program_yielder
program_once:
  movl $1, %eax
  syscall
program_computer:
  jmp program_computer

  .section .note.GNU-stack, "", @progbits
