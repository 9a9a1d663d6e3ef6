/* From the boot loader, and from the start-up message of the first CPU, to C. */
  .set FLAGS, 0
  .section .multiboot, "a"
  .align 4
  .long 0x1BADB002, FLAGS, -(0x1BADB002 + FLAGS)

  .text
  .globl _start
_start:
  movl $boot0_stack + 1024, %esp
  pushl %ebx
  call main

/* The second CPU begins in real mode at 0x8000, where the first one copies this to. */
  .code16
  .globl trampoline, trampoline_end
trampoline:
  cli
  xorw %ax, %ax
  movw %ax, %ds
  lgdtl 0x8000 + gdt_for_trampoline - trampoline
  movl $1, %eax
  movl %eax, %cr0
  ljmpl $0x08, $other_cpu
gdt_for_trampoline:
  .word 0x17
  .long gdt
trampoline_end:

  .code32
other_cpu:
  movw $0x10, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  movl $boot1_stack + 1024, %esp
  call other_main

  .bss
  .align 16
  .globl boot0_stack, boot1_stack
  .type boot0_stack, @object
  .type boot1_stack, @object
  .size boot0_stack, 1024
  .size boot1_stack, 1024
boot0_stack: .skip 1024
boot1_stack: .skip 1024
  .section .note.GNU-stack, "", @progbits
