/* What the test images share: boot, tables, printing over COM1, and fault handlers that print what
   was pushed and go on at a place that the test has set.

   An image defines `main`, which runs in ring 0 with interrupts off and returns. */

  .set KCODE, 0x08
  .set KDATA, 0x10
  .set UCODE, 0x1B
  .set UDATA, 0x23
  .set TSS1, 0x28
  .set TSS2, 0x30
  .set ABSENT_DATA, 0x38
  .set ABSENT_CODE, 0x40
  .set CONFORMING, 0x48
  .set READ_ONLY, 0x50
  .set CALL_GATE, 0x58
  .set TASK_GATE, 0x60
  .set LDT, 0x68
  .set CODE1, 0x71
  .set DATA1, 0x79
  .set SMALL_DATA, 0x80
  .set EXPAND_DOWN, 0x88
  .set EXECUTE_ONLY, 0x90
  .set ABSENT_GATE, 0x98
  .set SMALL_CODE, 0xA0
  .set INNER_GATE, 0xA8
  .set ABSENT_TSS, 0xB0
  .set SHORT_TSS, 0xB8
  .set ABSENT_STACK1, 0xC1
  .set OUTSIDE, 0x400

  .set INTERRUPT_GATE, 0x8E
  .set TRAP_GATE, 0x8F
  .set USER_GATE, 0xEF
  .set COM1, 0x3F8

/* IF, TF, DF, IOPL, NT, VM: the flags that no instruction leaves undefined. RF is left out. */
  .set FLAG_MASK, 0x00027700

  .macro GATE vector, selector, offset, access
  pushal
  movl $\vector, %ecx
  movl $\selector, %edx
  movl $\offset, %eax
  movl $\access, %ebx
  call set_gate
  popal
  .endm

  .section .multiboot, "a"
  .align 4
  .long 0x1BADB002, 0, -0x1BADB002

  .text
  .globl start
start:
  cld
  movl $stack_top, %esp
  lgdt gdt_pointer
  ljmp $KCODE, $1f
1:
  movw $KDATA, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  xorl %eax, %eax
  movw %ax, %fs
  movw %ax, %gs
  call fill_tables
  GATE 0x81, KCODE, leave_user, USER_GATE
  lidt idt_pointer
  movw $TSS1, %ax
  ltr %ax
  movw $0x3FB, %dx
  movb $3, %al
  outb %al, %dx
  call main
  movl $done_text, %esi
  call print
finish:
  movw $0xF4, %dx
  movl $0x10, %eax
  outl %eax, %dx
1:
  cli
  hlt
  jmp 1b

/* Bases of the system segments, and the gates of all exceptions. */
fill_tables:
  .irp pair, TSS1, SHORT_TSS, ABSENT_TSS
  movl $tss1, %eax
  movl $gdt + \pair, %edi
  call set_base
  .endr
  movl $tss2, %eax
  movl $gdt + TSS2, %edi
  call set_base
  movl $ldt, %eax
  movl $gdt + LDT, %edi
  call set_base
  movl $gate_entry, %eax
  movl $gdt + CALL_GATE, %edi
  call set_offset
  movl $gdt + ABSENT_GATE, %edi
  call set_offset
  movl $gdt + INNER_GATE, %edi
  call set_offset
  xorl %ecx, %ecx
1:
  movl handlers(, %ecx, 4), %eax
  movl $KCODE, %edx
  movl $INTERRUPT_GATE, %ebx
  call set_gate
  incl %ecx
  cmpl $32, %ecx
  jb 1b
  ret

/* The base EAX into the descriptor at EDI. */
set_base:
  movw %ax, 2(%edi)
  shrl $16, %eax
  movb %al, 4(%edi)
  movb %ah, 7(%edi)
  ret

/* The offset EAX into the gate at EDI. */
set_offset:
  movw %ax, (%edi)
  pushl %eax
  shrl $16, %eax
  movw %ax, 6(%edi)
  popl %eax
  ret

/* Gate for vector ECX: offset EAX, selector DX, access byte BL. */
set_gate:
  pushl %eax
  movw %ax, idt(, %ecx, 8)
  movw %dx, idt + 2(, %ecx, 8)
  movb $0, idt + 4(, %ecx, 8)
  movb %bl, idt + 5(, %ecx, 8)
  shrl $16, %eax
  movw %ax, idt + 6(, %ecx, 8)
  popl %eax
  ret

/* Prints the string at ESI. */
print:
  pushal
1:
  lodsb
  testb %al, %al
  jz 2f
  call put
  jmp 1b
2:
  popal
  ret

put:
  pushl %edx
  pushl %eax
  movw $0x3FD, %dx
1:
  inb %dx, %al
  testb $0x20, %al
  jz 1b
  popl %eax
  movw $COM1, %dx
  outb %al, %dx
  popl %edx
  ret

/* Prints EAX as eight hexadecimal digits and a blank. */
print_hex:
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
  movb $32, %al
  call put
  popal
  ret

newline:
  pushl %eax
  movb $10, %al
  call put
  popl %eax
  ret

  .macro SAY text
  pushl %esi
  movl $.Ltext\@, %esi
  call print
  popl %esi
  .data
.Ltext\@:
  .asciz "\text"
  .text
  .endm

  .macro TEST text
  SAY "# \text\n"
  .endm

  .macro HEX value
  pushl %eax
  movl \value, %eax
  call print_hex
  popl %eax
  .endm

  .macro LINE
  call newline
  .endm

/* After a fault, print and go on at `label` in ring 0 on the usual stack. */
  .macro ON_FAULT label
  movl $\label, on_fault
  movl %esp, fault_stack
  .endm

  .macro FAULTS number, has_error
fault_\number:
  .if \has_error == 0
  pushl $0
  .endif
  pushl $\number
  jmp fault_common
  .endm

  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 9, 15, 16, 18, 19, 20, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
  FAULTS \n, 0
  .endr
  .irp n, 8, 10, 11, 12, 13, 14, 17, 21
  FAULTS \n, 1
  .endr

/* Frame: vector, error code, EIP, CS, EFLAGS, and from an outer ring ESP and SS. */
fault_common:
  pushal
  movw $KDATA, %ax
  movw %ax, %ds
  movw %ax, %es
  movl %esp, %ebp
  SAY "fault "
  HEX 32(%ebp)
  HEX 36(%ebp)
  SAY "at "
  HEX 44(%ebp)
  HEX 40(%ebp)
  movl 48(%ebp), %eax
  andl $FLAG_MASK, %eax
  call print_hex
  SAY "depth "
  movl $inner_top, %eax
  subl %ebp, %eax
  call print_hex
  movl 44(%ebp), %eax
  andl $3, %eax
  jz 1f
  SAY "from "
  HEX 56(%ebp)
  HEX 52(%ebp)
1:
  cmpl $14, 32(%ebp)
  jne 1f
  SAY "cr2 "
  HEX %cr2
1:
  SAY "in "
  movl %cs, %eax
  call print_hex
  pushfl
  popl %eax
  andl $FLAG_MASK, %eax
  call print_hex
  LINE
  movl on_fault, %eax
  testl %eax, %eax
  jz finish
  movl $0, on_fault
  movw $KDATA, %dx
  movw %dx, %ss
  movl fault_stack, %esp
  pushl $2
  popfl
  jmp *%eax

/* Goes to ring 3 at `label` with the given EFLAGS and its own stack. */
  .macro TO_USER label, flags
  movw $UDATA, %ax
  movw %ax, %ds
  movw %ax, %es
  pushl $UDATA
  pushl $user_top
  pushl $\flags
  pushl $UCODE
  pushl $\label
  iretl
  .endm

/* Runs one instruction in ring 3, with the given EFLAGS; INT 81h comes back. */
leave_user:
  movl $KDATA, %eax
  movl %eax, %ds
  movl %eax, %es
  movl user_stack, %esp
  jmp *user_return

  .macro FROM_USER flags, body
  movl %esp, user_stack
  movl $7f, user_return
  TO_USER 6f, \flags
6:
  \body
  int $0x81
7:
  .endm

  .macro REPORT_ENTRY
  pushal
  pushl %ds
  pushl %es
  movw $KDATA, %ax
  movw %ax, %ds
  movw %ax, %es
  leal 40(%esp), %ebp
  SAY "entry "
  HEX (%ebp)
  HEX 4(%ebp)
  movl 8(%ebp), %eax
  andl $FLAG_MASK, %eax
  call print_hex
  pushfl
  popl %eax
  andl $FLAG_MASK, %eax
  call print_hex
  movl %cs, %eax
  call print_hex
  movl %ss, %eax
  call print_hex
  movl %ebp, %eax
  call print_hex
  testl $3, 4(%ebp)
  jz 8f
  HEX 12(%ebp)
  HEX 16(%ebp)
8:
  LINE
  popl %es
  popl %ds
  popal
  .endm

/* Prints what a gate pushed and what it made of CS, SS, ESP and EFLAGS; then returns. */
report_handler:
  REPORT_ENTRY
  iretl

  .data
user_stack:
  .long 0
user_return:
  .long 0
done_text:
  .asciz "done\n"
  .align 8
gdt:
  .quad 0
  .quad 0x00CF9A000000FFFF   /* 08 ring 0 code */
  .quad 0x00CF92000000FFFF   /* 10 ring 0 data */
  .quad 0x00CFFA000000FFFF   /* 18 ring 3 code */
  .quad 0x00CFF2000000FFFF   /* 20 ring 3 data */
  .quad 0x0000890000000067   /* 28 TSS */
  .quad 0x0000E90000000067   /* 30 second TSS, DPL 3 */
  .quad 0x00CF12000000FFFF   /* 38 data, not present */
  .quad 0x00CF1A000000FFFF   /* 40 code, not present */
  .quad 0x00CF9E000000FFFF   /* 48 conforming code */
  .quad 0x00CF90000000FFFF   /* 50 read-only data */
  .quad 0x0000EC0200080000   /* 58 call gate to 08, two parameters, DPL 3 */
  .quad 0x0000E50000300000   /* 60 task gate to 30, DPL 3 */
  .quad 0x000082000000000F   /* 68 LDT with two entries */
  .quad 0x00CFBA000000FFFF   /* 70 ring 1 code */
  .quad 0x00CFB2000000FFFF   /* 78 ring 1 data */
  .quad 0x0040920000000FFF   /* 80 data, limit FFFh */
  .quad 0x00CF960000000000   /* 88 expand-down data, limit FFFh */
  .quad 0x00CF98000000FFFF   /* 90 code that cannot be read */
  .quad 0x00006C0000080000   /* 98 call gate, not present */
  .quad 0x00409A0000000FFF   /* A0 code, limit FFFh */
  .quad 0x00008C0000080000   /* A8 call gate to 08, DPL 0 */
  .quad 0x0000090000000067   /* B0 TSS, not present */
  .quad 0x0000890000000040   /* B8 TSS that is too short */
  .quad 0x00CF32000000FFFF   /* C0 ring 1 data, not present */
gdt_end:
  .align 4
gdt_pointer:
  .word gdt_end - gdt - 1
  .long gdt
idt_pointer:
  .word 256 * 8 - 1
  .long idt
  .align 8
ldt:
  .quad 0x00CFF2000000FFFF   /* 07 ring 3 data */
  .quad 0x00CF9A000000FFFF   /* 0C ring 0 code */
  .align 4
tss1:
  .long 0
  .long inner_top, KDATA
  .long ring1_top, DATA1
  .fill 21, 4, 0
  .word 0, 104
tss2:
  .long 0
  .long inner_top, KDATA
  .fill 23, 4, 0
  .word 0, 104
on_fault:
  .long 0
fault_stack:
  .long 0
handlers:
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
  .long fault_\n
  .endr

  .bss
  .align 4096
  .globl idt
idt:
  .skip 256 * 8
  .skip 8192
stack_top:
  .skip 8192
inner_top:
  .skip 4096
ring1_top:
  .skip 4096
user_top:
  .skip 4096
task_top:
  .skip 64
  .text
