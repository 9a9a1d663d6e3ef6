/* What the 64-bit test images share: the way from the multiboot entry into 64-bit mode, tables,
   printing over COM1, and fault handlers that print what was pushed and go on at a place that the
   test has set.

   An image defines `main`, which runs in ring 0 with interrupts off and returns. The first 64 MiB are
   mapped to themselves for ring 0; what lies at x, ring 3 finds at USER + x. From PAGES on there are
   pages whose entries the tests write themselves. */

  .set KCODE, 0x08
  .set KDATA, 0x10
  .set UCODE32, 0x1B
  .set UDATA, 0x23
  .set UCODE, 0x2B
  .set KCODE32, 0x30
  .set ABSENT_CODE, 0x38
  .set BAD_CODE, 0x40
  .set CONFORMING, 0x48
  .set READ_ONLY, 0x50
  .set TSS, 0x60
  .set LDT, 0x70
  .set CALL_GATE, 0x80
  .set INNER_GATE, 0x90
  .set OUTSIDE, 0x400

  .set USER, 0x8000000000
  .set PAGES, 0x8000400000
  .set GIGABYTE, 0x8040000000
  .set HIGH_HALF, 0xFFFF800000000000

  .set INTERRUPT_GATE, 0x8E
  .set TRAP_GATE, 0x8F
  .set USER_GATE, 0xEF
  .set COM1, 0x3F8

/* IF, TF, DF, IOPL, NT, VM, AC: the flags that no instruction leaves undefined. RF is left out. */
  .set FLAG_MASK, 0x00067700

  .macro GATE vector, selector, offset, access, table=0
  movl $\vector, %ecx
  movl $\selector, %edx
  movabsq $\offset, %rax
  movl $\access, %ebx
  movl $\table, %r8d
  call set_gate
  .endm

  .macro SAY text
  pushq %rsi
  movl $.Ltext\@, %esi
  call print
  popq %rsi
  .data
.Ltext\@:
  .asciz "\text"
  .text
  .endm

  .section .multiboot, "a"
  .align 4
  .long 0x1BADB002, 0, -0x1BADB002

  .text
  .code32
  .globl start
start:
  cld
  movl $stack_top, %esp
  movl $pml4, %edi
  movl $pdpt + 7, (%edi)
  movl $user_pdpt + 7, 8(%edi)
  movl $pdpt + 7, 256 * 8(%edi)
  movl $directory + 7, pdpt
  movl $user_directory + 7, user_pdpt
  movl $0x87, user_pdpt + 8
  movl $directory, %edi
  movl $0x83, %eax
  movl $32, %ecx
1:
  movl %eax, (%edi)
  addl $0x200000, %eax
  addl $8, %edi
  loop 1b
  movl $0x87, user_directory
  movl $pages + 7, user_directory + 16
  movl %cr4, %eax
  orl $0x20, %eax
  movl %eax, %cr4
  movl $pml4, %eax
  movl %eax, %cr3
  movl $0xC0000080, %ecx
  rdmsr
  orl $0x900, %eax
  wrmsr
  movl %cr0, %eax
  orl $0x80010000, %eax
  movl %eax, %cr0
  lgdt gdt_pointer
  ljmp $KCODE, $long_mode

  .code64
long_mode:
  movl $KDATA, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  xorl %eax, %eax
  movl %eax, %fs
  movl %eax, %gs
  movl $stack_top, %esp
  call fill_tables
  lidt idt_pointer
  movl $TSS, %eax
  ltr %ax
  movb $0xFF, %al
  outb %al, $0x21
  outb %al, $0xA1
  movw $0x3FB, %dx
  movb $3, %al
  outb %al, %dx
  call main
  SAY "done\n"
finish:
  movw $0xF4, %dx
  movl $0x10, %eax
  outl %eax, %dx
1:
  cli
  hlt
  jmp 1b

fill_tables:
  movl $tss, %eax
  movl $gdt + TSS, %edi
  call set_base
  movl $ldt, %eax
  movl $gdt + LDT, %edi
  call set_base
  movl $gate_entry, %eax
  movl $gdt + CALL_GATE, %edi
  call set_offset
  movl $gdt + INNER_GATE, %edi
  call set_offset
  xorl %ecx, %ecx
1:
  movq handlers(, %rcx, 8), %rax
  movl $KCODE, %edx
  movl $INTERRUPT_GATE, %ebx
  xorl %r8d, %r8d
  call set_gate
  incl %ecx
  cmpl $32, %ecx
  jb 1b
  GATE 0x81, KCODE, leave_user, USER_GATE, 0
  ret

set_base:
  movw %ax, 2(%rdi)
  shrl $16, %eax
  movb %al, 4(%rdi)
  movb %ah, 7(%rdi)
  ret

set_offset:
  movw %ax, (%rdi)
  shrl $16, %eax
  movw %ax, 6(%rdi)
  ret

/* Gate for vector ECX: offset RAX, selector DX, access byte BL, stack of the table R8B. */
set_gate:
  pushq %rcx
  shll $4, %ecx
  movw %ax, idt(%rcx)
  movw %dx, idt + 2(%rcx)
  movb %r8b, idt + 4(%rcx)
  movb %bl, idt + 5(%rcx)
  shrq $16, %rax
  movw %ax, idt + 6(%rcx)
  shrq $16, %rax
  movl %eax, idt + 8(%rcx)
  movl $0, idt + 12(%rcx)
  popq %rcx
  ret

/* Prints the string at RSI. */
print:
  pushq %rax
  pushq %rsi
1:
  lodsb
  testb %al, %al
  jz 2f
  call put
  jmp 1b
2:
  popq %rsi
  popq %rax
  ret

put:
  pushq %rdx
  pushq %rax
  movw $0x3FD, %dx
1:
  inb %dx, %al
  testb $0x20, %al
  jz 1b
  popq %rax
  movw $COM1, %dx
  outb %al, %dx
  popq %rdx
  ret

/* Prints RAX in hexadecimal, without leading zeros, and a blank. */
print_hex:
  pushq %rax
  pushq %rbx
  pushq %rcx
  movq %rax, %rbx
  movl $16, %ecx
1:
  cmpl $1, %ecx
  je 2f
  movq %rbx, %rax
  shrq $60, %rax
  jnz 2f
  shlq $4, %rbx
  decl %ecx
  jmp 1b
2:
  rolq $4, %rbx
  movb %bl, %al
  andb $15, %al
  addb $48, %al
  cmpb $58, %al
  jb 3f
  addb $39, %al
3:
  call put
  decl %ecx
  jnz 2b
  movb $32, %al
  call put
  popq %rcx
  popq %rbx
  popq %rax
  ret

  .macro TEST text
  SAY "# \text\n"
  .endm

  .macro HEX value
  pushq %rax
  movq \value, %rax
  call print_hex
  popq %rax
  .endm

  .macro LINE
  SAY "\n"
  .endm

/* After a fault, print and go on at `label` in ring 0 on the usual stack. */
  .macro ON_FAULT label
  movq $\label, on_fault
  movq %rsp, fault_stack
  .endm

/* The body is expected to fault; goes on behind it in any case. */
  .macro EXPECT_FAULT body:vararg
  EXPECT_BEGIN
  \body
  EXPECT_END
  .endm

  .macro EXPECT_BEGIN
  ON_FAULT 9f
  .endm

  .macro EXPECT_END
  SAY "no fault\n"
9:
  movq $0, on_fault
  .endm

  .macro FAULTS number, has_error
fault_\number:
  .if \has_error == 0
  pushq $0
  .endif
  pushq $\number
  jmp fault_common
  .endm

  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 9, 15, 16, 18, 19, 20, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
  FAULTS \n, 0
  .endr
  .irp n, 8, 10, 11, 12, 13, 14, 17, 21
  FAULTS \n, 1
  .endr

/* Frame: vector, error code, RIP, CS, RFLAGS, RSP, SS. */
fault_common:
  pushq %rax
  pushq %rbp
  cld
  leaq 16(%rsp), %rbp
  SAY "fault "
  HEX (%rbp)
  HEX 8(%rbp)
  SAY "at "
  HEX 24(%rbp)
  HEX 16(%rbp)
  movq 32(%rbp), %rax
  andl $FLAG_MASK, %eax
  call print_hex
  SAY "stack "
  HEX 48(%rbp)
  HEX 40(%rbp)
  HEX %rbp
  cmpq $14, (%rbp)
  jne 1f
  SAY "cr2 "
  movq %cr2, %rax
  call print_hex
1:
  SAY "in "
  movl %ss, %eax
  call print_hex
  movl %cs, %eax
  call print_hex
  pushfq
  popq %rax
  andl $FLAG_MASK, %eax
  call print_hex
  LINE
  movq on_fault, %rax
  testq %rax, %rax
  jz finish
  movq $0, on_fault
  movl $KDATA, %edx
  movl %edx, %ss
  movq fault_stack, %rsp
  pushq $2
  popfq
  jmp *%rax

/* Runs instructions in ring 3, with the given flags; INT 81h comes back. */
leave_user:
  movl $KDATA, %eax
  movl %eax, %ss
  movq user_stack, %rsp
  jmp *user_return

  .macro TO_USER label, flags, selector=UCODE
  pushq $UDATA
  movabsq $USER + user_top, %rax
  pushq %rax
  pushq $\flags
  pushq $\selector
  movabsq $\label, %rax
  pushq %rax
  iretq
  .endm

  .macro FROM_USER flags, body:vararg
  USER_BEGIN \flags
  \body
  USER_END
  .endm

  .macro USER_BEGIN flags
  movq %rsp, user_stack
  movq $7f, user_return
  TO_USER USER + 6f, \flags
6:
  .endm

  .macro USER_END
  int $0x81
7:
  .endm

/* Prints the frame at RSP, and what the entry made of CS, SS, RSP and RFLAGS. */
  .macro REPORT_ENTRY
  cld
  pushq %rax
  pushq %rbp
  leaq 16(%rsp), %rbp
  SAY "entry "
  HEX (%rbp)
  HEX 8(%rbp)
  movq 16(%rbp), %rax
  andl $FLAG_MASK, %eax
  call print_hex
  HEX 24(%rbp)
  HEX 32(%rbp)
  SAY "in "
  movl %cs, %eax
  call print_hex
  movl %ss, %eax
  call print_hex
  HEX %rbp
  pushfq
  popq %rax
  andl $FLAG_MASK, %eax
  call print_hex
  LINE
  popq %rbp
  popq %rax
  .endm

report_handler:
  REPORT_ENTRY
  iretq

/* The same, and ends the stay in ring 3. */
report_and_leave:
  REPORT_ENTRY
  jmp leave_user

/* The register in which MSR `number` is read: RAX, whole. */
  .macro READ_MSR number
  movl $\number, %ecx
  rdmsr
  shlq $32, %rdx
  orq %rdx, %rax
  .endm

  .macro WRITE_MSR number, value
  movl $\number, %ecx
  movabsq $\value, %rax
  movq %rax, %rdx
  shrq $32, %rdx
  wrmsr
  .endm

  .macro SET_CR4 bits
  movq %cr4, %rax
  orq $\bits, %rax
  movq %rax, %cr4
  .endm

  .macro CLEAR_CR4 bits
  movq %cr4, %rax
  andq $~(\bits), %rax
  movq %rax, %cr4
  .endm

  .data
user_stack:
  .quad 0
user_return:
  .quad 0
on_fault:
  .quad 0
fault_stack:
  .quad 0
  .align 16
gdt:
  .quad 0
  .quad 0x00AF9A000000FFFF   /* 08 ring 0 code, 64 bits */
  .quad 0x00CF92000000FFFF   /* 10 ring 0 data */
  .quad 0x00CFFA000000FFFF   /* 18 ring 3 code, 32 bits */
  .quad 0x00CFF2000000FFFF   /* 20 ring 3 data */
  .quad 0x00AFFA000000FFFF   /* 28 ring 3 code, 64 bits */
  .quad 0x00CF9A000000FFFF   /* 30 ring 0 code, 32 bits */
  .quad 0x00AF1A000000FFFF   /* 38 code, not present */
  .quad 0x00EF9A000000FFFF   /* 40 code, both L and D */
  .quad 0x00AF9E000000FFFF   /* 48 conforming code, 64 bits */
  .quad 0x00CF90000000FFFF   /* 50 read-only data */
  .quad 0
  .quad 0x0000890000000067, 0   /* 60 TSS */
  .quad 0x000082000000000F, 0   /* 70 LDT with two entries */
  .quad 0x0000EC0000080000, 0   /* 80 call gate to 08, DPL 3 */
  .quad 0x00008C0000080000, 0   /* 90 call gate to 08, DPL 0 */
gdt_end:
gdt_pointer:
  .word gdt_end - gdt - 1
  .quad gdt
  .align 4
idt_pointer:
  .word 256 * 16 - 1
  .quad idt
  .align 16
ldt:
  .quad 0x00CFF2000000FFFF   /* 07 ring 3 data */
  .quad 0x00AF9A000000FFFF   /* 0C ring 0 code */
  .align 16
tss:
  .long 0
  .quad inner_top, 0, 0
  .quad 0
  .quad ist1_top, ist2_top, 0x8000000000000000, 0, 0, 0, 0
  .quad 0
  .word 0, 104
  .align 8
handlers:
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
  .quad fault_\n
  .endr

  .bss
  .align 4096
  .globl idt
idt:
  .skip 4096
pml4:
  .skip 4096
pdpt:
  .skip 4096
directory:
  .skip 4096
user_pdpt:
  .skip 4096
user_directory:
  .skip 4096
pages:
  .skip 4096
scratch:
  .skip 8192
  .skip 8192
stack_top:
  .skip 8192
inner_top:
  .skip 4096
ist1_top:
  .skip 4096
ist2_top:
  .skip 4096
user_top:
  .skip 64
  .text
