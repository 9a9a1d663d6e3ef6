/* From the boot loader, in 32-bit mode, to C in 64-bit mode. Intel SDM Vol. 3A section 9.8.5. */
  .set FLAGS, 0
  .section .multiboot, "a"
  .align 4
  .long 0x1BADB002, FLAGS, -(0x1BADB002 + FLAGS)

  .text
  .code32
  .globl _start
_start:
  movl $boot_stack + 1024, %esp
  movl %ebx, %edi               /* for main */
  /* The first 1 GB at its own addresses, in pages of 2 MB that user code may use, too. */
  movl $level3 + 7, level4
  movl $level2 + 7, level3
  movl $0x87, %eax
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
  orl $0x20, %eax               /* PAE */
  movl %eax, %cr4
  movl $0xC0000080, %ecx        /* EFER: LME, SCE */
  rdmsr
  orl $0x101, %eax
  wrmsr
  movl %cr0, %eax
  orl $0x80000001, %eax         /* PG, PE */
  movl %eax, %cr0
  lgdt gdt_pointer
  ljmp $0x08, $2f

  .code64
2:
  movw $0x10, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  movl %edi, %edi
  call main

  .data
gdt_pointer:
  .word 63
  .long gdt

  .bss
  .align 4096
level4: .skip 4096
level3: .skip 4096
level2: .skip 4096
  .globl boot_stack
  .type boot_stack, @object
  .size boot_stack, 1024
boot_stack: .skip 1024
  .section .note.GNU-stack, "", @progbits
