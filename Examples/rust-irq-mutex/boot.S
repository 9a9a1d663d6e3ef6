/* From the boot loader, in 32-bit mode, to Rust in 64-bit mode (Intel SDM Vol. 3A section 9.8.5); interrupt
   entries; the switch of stacks. */
  .section .multiboot, "a"
  .align 4
  .long 0x1BADB002, 0, -0x1BADB002

  .text
  .code32
  .globl _start
_start:
  movl $boot_stack_top, %esp
  movl %ebx, %esi               /* what the boot loader hands over */
  /* The first 1 GB at its own addresses, in pages of 2 MB. */
  movl $level3 + 3, level4
  movl $level2 + 3, level3
  movl $0x83, %eax
  movl $level2, %ecx
1:
  movl %eax, (%ecx)
  addl $0x200000, %eax
  addl $8, %ecx
  cmpl $level2 + 4096, %ecx
  jne 1b
  movl $level4, %eax
  movl %eax, %cr3
  movl %cr4, %eax
  orl $0x20, %eax
  movl %eax, %cr4
  movl $0xC0000080, %ecx
  rdmsr
  orl $0x100, %eax
  wrmsr
  movl %cr0, %eax
  orl $0x80000001, %eax
  movl %eax, %cr0
  lgdt gdt_pointer
  ljmp $0x08, $2f

  .code64
2:
  movw $0x10, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  /* Gates: exceptions, timer, keyboard. */
  xorl %ecx, %ecx
3:
  leaq entry_exception(%rip), %rax
  leaq entry_timer(%rip), %rdx
  cmpl $0x20, %ecx
  cmove %rdx, %rax
  leaq entry_keyboard(%rip), %rdx
  cmpl $0x21, %ecx
  cmove %rdx, %rax
  movl %ecx, %edi
  shll $4, %edi
  movw %ax, idt(%rdi)
  movw $0x08, idt + 2(%rdi)
  movw $0x8E00, idt + 4(%rdi)
  shrq $16, %rax
  movw %ax, idt + 6(%rdi)
  shrq $16, %rax
  movl %eax, idt + 8(%rdi)
  incl %ecx
  cmpl $0x22, %ecx
  jne 3b
  lidt idt_pointer
  movl %esi, %edi
  call kernel_main

  .macro ENTRY name, vector
entry_\name:
  pushq %rdi
  movl $\vector, %edi
  jmp common
  .endm
  ENTRY timer, 0x20
  ENTRY keyboard, 0x21
  ENTRY exception, 0xFF

common:
  .irp register, rax, rcx, rdx, rsi, r8, r9, r10, r11
  pushq %\register
  .endr
  cld
  call interrupt
  .irp register, r11, r10, r9, r8, rsi, rdx, rcx, rax
  popq %\register
  .endr
  popq %rdi
  iretq

/* switch_stacks(from: *mut u64, to: u64) */
  .globl switch_stacks
switch_stacks:
  .irp register, rbp, rbx, r12, r13, r14, r15
  pushq %\register
  .endr
  movq %rsp, (%rdi)
  movq %rsi, %rsp
4:
  .irp register, r15, r14, r13, r12, rbx, rbp
  popq %\register
  .endr
  ret

/* begin(stack: u64) -> ! */
  .globl begin
begin:
  movq %rdi, %rsp
  jmp 4b

/* prepare(top: u64, entry) -> u64 */
  .globl prepare
prepare:
  movq %rsi, -16(%rdi)
  leaq thread_begins(%rip), %rax
  movq %rax, -24(%rdi)
  leaq -72(%rdi), %rax
  ret
thread_begins:
  sti
  ret

  .data
  .align 8
gdt: .quad 0, 0xAF9A000000FFFF, 0xCF92000000FFFF
gdt_pointer:
  .word 23
  .long gdt
idt_pointer:
  .word 0x22 * 16 - 1
  .quad idt

  .bss
  .align 4096
level4: .skip 4096
level3: .skip 4096
level2: .skip 4096
idt: .skip 0x22 * 16
  .macro STACK name
  .globl \name, \name\()_top
  .type \name, @object
  .size \name, 1024
\name: .skip 1024
\name\()_top:
  .endm
  .align 16
  STACK boot_stack
  STACK thread0_stack
  STACK thread1_stack
