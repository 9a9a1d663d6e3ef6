/* Ways into the kernel and out of it, and from one stack to another. */

  .macro ENTRY name, vector, error=0
entry_\name:
  .if !\error
  pushl $0
  .endif
  pushl $\vector
  jmp trap_common
  .endm

  .text
  ENTRY timer, 0x20
  ENTRY keyboard, 0x21
  ENTRY device, 0x24
  ENTRY system_call, 0x40
  ENTRY exception, 0xFF
  .globl entry_timer, entry_keyboard, entry_device, entry_system_call, entry_exception

trap_common:
  pushal
  pushl %ds
  pushl %es
  movw $0x10, %ax
  movw %ax, %ds
  movw %ax, %es
  .globl entry_complete
entry_complete:
  cld
  pushl %esp
  call trap
  addl $4, %esp
  .globl trap_return
trap_return:
  popl %es
  popl %ds
  popal
  addl $8, %esp
  iretl

/* switch_context(struct context **from, struct context *to) */
  .globl switch_context
switch_context:
  movl 4(%esp), %eax
  movl 8(%esp), %edx
  pushl %ebp
  pushl %ebx
  pushl %esi
  pushl %edi
  movl %esp, (%eax)
  movl %edx, %esp
  popl %edi
  popl %esi
  popl %ebx
  popl %ebp
  ret

/* What tasks do. */
  .globl program_reader, program_writer, program_yielder, program_computer, program_once
program_reader:
  movl $1, %eax
  int $0x40
  jmp program_reader
program_writer:
  movl $'.', %ebx
  movl $2, %eax
  int $0x40
  jmp program_writer
program_yielder:
  movl $3, %eax
  int $0x40
  jmp program_yielder
program_once:
  movl $1, %eax
  int $0x40
program_computer:
  jmp program_computer

  .section .note.GNU-stack, "", @progbits
