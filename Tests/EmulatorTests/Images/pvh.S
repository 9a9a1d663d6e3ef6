/* Entered by PVH, and with PLAIN by the ELF entry: prints the state and what EBX or ESI points to. */
  .set COM1, 0x3F8

  .section .note, "a", @note
  .align 4
  .long 4, 4, 18
  .asciz "Xen"
  .long start

  .text
  .globl start
start:
  movl $stack_top, %esp
  movl %ebx, %ebp
  movl %cr0, %eax
  andl $0x80000001, %eax
  call hex
  movl %cr4, %eax
  call hex
  pushfl
  popl %eax
  andl $0x20200, %eax
  call hex
  /* The magic number, and the first entry of the memory map. */
  movl (%ebp), %eax
  call hex
  movl 40(%ebp), %esi
  movl (%esi), %eax
  call hex
  movl 16(%esi), %eax
  call hex
  /* Usable memory above 1 MB. */
  movl 48(%ebp), %ecx
1:
  cmpl $0x100000, (%esi)
  jne 2f
  cmpl $1, 16(%esi)
  jne 2f
  movl (%esi), %eax
  call hex
2:
  addl $24, %esi
  decl %ecx
  jnz 1b
  movl 24(%ebp), %esi
3:
  lodsb
  testb %al, %al
  jz 4f
  call put
  jmp 3b
4:
  movw $0xF4, %dx
  movl $0x10, %eax
  outl %eax, %dx
5:
  hlt
  jmp 5b

put:
  movw $COM1, %dx
  outb %al, %dx
  ret

hex:
  pushal
  movl $8, %ecx
  movl %eax, %ebx
1:
  roll $4, %ebx
  movb %bl, %al
  andb $15, %al
  addb $48, %al
  cmpb $58, %al
  jb 2f
  addb $39, %al
2:
  call put
  loop 1b
  movb $10, %al
  call put
  popal
  ret

  .bss
stack:
  .skip 1024
stack_top:
