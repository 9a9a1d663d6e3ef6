/* Several CPUs: firmware's tables, start-up through real mode, local APICs (priorities, EOI, timer,
   messages), the I/O APIC, NMI between CPUs. Intel SDM Vol. 3A chapters 8 and 10; 82093AA data sheet.

   Runs on four CPUs. Only the first one prints; the others count what they are given. */
#include "support.h"

  .set APIC, 0xFEE00000
  .set IOAPIC, 0xFEC00000
  .set TRAMPOLINE, 0x8000
  .set SEEN, 0x8F00
  .set CPUS, 4

gate_entry:
  ret

  .macro OUT port, value
  movb $\value, %al
  .if \port < 256
  outb %al, $\port
  .else
  movw $\port, %dx
  outb %al, %dx
  .endif
  .endm

  .macro REGISTER offset
  HEX (APIC + \offset)
  .endm

  .macro APICWRITE offset, value
  movl $\value, APIC + \offset
  .endm

/* Redirection entry. */
  .macro ROUTE pin, high, low
  movl $(0x11 + 2 * \pin), IOAPIC
  movl $\high, IOAPIC + 0x10
  movl $(0x10 + 2 * \pin), IOAPIC
  movl $\low, IOAPIC + 0x10
  .endm

  .macro SHOWROUTE pin
  movl $(0x11 + 2 * \pin), IOAPIC
  HEX (IOAPIC + 0x10)
  movl $(0x10 + 2 * \pin), IOAPIC
  HEX (IOAPIC + 0x10)
  .endm

/* Number of interrupts of a vector that a CPU took. */
  .macro COUNT cpu, vector
  HEX (counts + 4 * (256 * \cpu + \vector))
  .endm

  .macro AWAIT cpu, vector, number
7:
  pause
  cmpl $\number, counts + 4 * (256 * \cpu + \vector)
  jne 7b
  .endm

/* Of ICR: high half, low half. */
  .macro SEND destination, command
  movl $(\destination << 24), APIC + 0x310
  movl $\command, APIC + 0x300
  .endm

  .macro VECTOR n
vector_\n:
  pushl $\n
  jmp vector_common
  .endm

  .irp n, 0x41, 0x42, 0x48, 0x52, 0x58, 0x63, 0x6F, 0x71, 0x72, 0x74, 0x80, 0x90, 0xA0
  VECTOR \n
  .endr

/* Counts; the first CPU prints what is in service when `verbose` is set, and does `action`. */
vector_common:
  pushal
  cld
  movl APIC + 0x20, %ebx
  shrl $24, %ebx
  movl %ebx, %edi
  shll $8, %edi
  addl 32(%esp), %edi
  lock incl counts(, %edi, 4)
  testl %ebx, %ebx
  jnz 2f
  cmpl $0, verbose
  je 1f
  movl 32(%esp), %ebp
  SAY "vector "
  HEX %ebp
  call show
  LINE
1:
  movl action, %eax
  movl $0, action
  testl %eax, %eax
  jz 2f
  call *%eax
2:
  cmpl $0, keep
  jne 3f
  movl $0, APIC + 0xB0
3:
  popal
  addl $4, %esp
  iretl

/* TPR, PPR, and of IRR, ISR and TMR the words of vectors 40h–9Fh. */
show:
  .irp offset, 0x80, 0xA0, 0x220, 0x230, 0x240, 0x120, 0x130, 0x140, 0x1A0, 0x1B0, 0x1C0
  REGISTER \offset
  .endr
  ret

nmi_handler:
  pushal
  movl APIC + 0x20, %ebx
  shrl $24, %ebx
  shll $8, %ebx
  lock incl counts + 8(, %ebx, 4)
  movl nmi_action, %eax
  movl $0, nmi_action
  testl %eax, %eax
  jz 1f
  call *%eax
1:
  popal
  iretl

/* While one is being handled another one comes, and one more that is lost in it. */
nmi_again:
  movl APIC + 0x20, %eax
  andl $0xFF000000, %eax
  movl %eax, APIC + 0x310
  movl $0x4400, APIC + 0x300
  movl $0x4400, APIC + 0x300
  movl counts + 8 + 1024, %eax
  movl %eax, nmi_seen
  ret

/* An IRET within the handler ends the blocking, though the handler goes on: the NMI that is latched
   comes right behind it, on top of the first one. Intel SDM Vol. 3A 6.7.1. */
nmi_inner_return:
  movl APIC + 0x20, %eax
  andl $0xFF000000, %eax
  movl %eax, APIC + 0x310
  movl $0x4400, APIC + 0x300
  movl counts + 8 + 1024, %eax
  movl %eax, nmi_seen
  pushfl
  pushl %cs
  pushl $1f
  iretl
1:
  nop
  movl counts + 8 + 1024, %eax
  movl %eax, nmi_seen_behind
  ret

sti_now:
  sti
  nop
  nop
  cli
  ret

raise1:
  pushal
  OUT 0x64, 0xD2
  OUT 0x60, 0x1E
  inb $0x60, %al
  popal
  ret

  .globl main
main:
  .irp n, 0x41, 0x42, 0x48, 0x52, 0x58, 0x63, 0x6F, 0x71, 0x72, 0x74, 0x80, 0x90, 0xA0
  GATE \n, KCODE, vector_\n, INTERRUPT_GATE
  .endr
  GATE 2, KCODE, nmi_handler, INTERRUPT_GATE
  /* 8259: vectors 20h and 28h, all masked. */
  OUT 0x20, 0x11
  OUT 0xA0, 0x11
  OUT 0x21, 0x20
  OUT 0xA1, 0x28
  OUT 0x21, 4
  OUT 0xA1, 2
  OUT 0x21, 1
  OUT 0xA1, 1
  OUT 0x21, 0xFF
  OUT 0xA1, 0xFF

  TEST "identification"
  movl $1, %eax
  cpuid
  shrl $24, %ebx
  HEX %ebx
  andl $0x200, %edx
  HEX %edx
  andl $0x200000, %ecx
  LINE
  movl $0x1B, %ecx
  rdmsr
  HEX %eax
  LINE

  TEST "the first CPU's local APIC as firmware leaves it"
  .irp offset, 0x20, 0x30, 0x80, 0xA0, 0xD0, 0xE0, 0xF0, 0x320, 0x350, 0x360, 0x370
  REGISTER \offset
  .endr
  LINE

  TEST "tables"
  call mp_table
  call acpi_tables

  TEST "start-up"
  movl $trampoline, %esi
  movl $TRAMPOLINE, %edi
  movl $(trampoline_end - trampoline), %ecx
  rep movsb
  APICWRITE 0xF0, 0x1FF
  .irp cpu, 1, 2, 3
  movl $0, alive
  SEND \cpu, 0x4500
  call delay
  SEND \cpu, (0x4600 + TRAMPOLINE / 4096)
1:
  pause
  cmpl $1, alive
  jne 1b
  HEX SEEN
  HEX (SEEN + 4)
  HEX (SEEN + 8)
  HEX (SEEN + 12)
  .irp n, 0, 1, 2, 3, 4, 5, 6
  HEX (first_state + 4 * \n)
  .endr
  LINE
  .endr

  TEST "a second start-up message is not looked at"
  SEND 1, (0x4600 + TRAMPOLINE / 4096)
  SEND 1, 0x4041
  AWAIT 1, 0x41, 1
  COUNT 1, 0x41
  LINE

  TEST "destinations: one, all but this, all, this"
  SEND 2, 0x4042
  AWAIT 2, 0x42, 1
  SEND 0, 0xC4042
  AWAIT 1, 0x42, 1
  AWAIT 2, 0x42, 2
  AWAIT 3, 0x42, 1
  sti
  SEND 0, 0x84042
  AWAIT 0, 0x42, 1
  AWAIT 1, 0x42, 2
  AWAIT 2, 0x42, 3
  AWAIT 3, 0x42, 2
  SEND 0, 0x44042
  AWAIT 0, 0x42, 2
  cli
  .irp cpu, 0, 1, 2, 3
  COUNT \cpu, 0x42
  .endr
  LINE
  TEST "destinations: logical, flat"
  SEND 0x0C, 0x4848
  AWAIT 2, 0x48, 1
  AWAIT 3, 0x48, 1
  .irp cpu, 0, 1, 2, 3
  COUNT \cpu, 0x48
  .endr
  LINE
  TEST "destinations: physical, all"
  SEND 0xFF, 0x4048
  AWAIT 1, 0x48, 1
  AWAIT 2, 0x48, 2
  AWAIT 3, 0x48, 2
  call show
  LINE
  sti
  AWAIT 0, 0x48, 1
  cli
  .irp cpu, 0, 1, 2, 3
  COUNT \cpu, 0x48
  .endr
  HEX (APIC + 0x300)
  HEX (APIC + 0x310)
  LINE

  TEST "priorities: requests with IF=0"
  movl $1, verbose
  .irp vector, 0x41, 0x63, 0x52, 0x6F, 0x41
  SEND 0, (0x44000 + \vector)
  .endr
  call show
  LINE
  TEST "task priority 58h lets class 6 through"
  APICWRITE 0x80, 0x58
  call show
  LINE
  call sti_now
  call show
  LINE
  TEST "task priority 4Fh"
  APICWRITE 0x80, 0x4F
  call sti_now
  TEST "task priority 0"
  APICWRITE 0x80, 0
  call sti_now
  call show
  LINE

  TEST "a handler with IF=1 is interrupted by a higher class only"
  movl $nested, action
  SEND 0, 0x44052
  call sti_now
  TEST "no end of interrupt: the class is held back"
  movl $1, keep
  SEND 0, 0x44052
  call sti_now
  movl $0, keep
  SEND 0, 0x44058
  call sti_now
  SEND 0, 0x44063
  call sti_now
  movl $0, APIC + 0xB0
  call sti_now
  call show
  LINE
  TEST "an end of interrupt with nothing in service"
  movl $0, APIC + 0xB0
  call show
  LINE

  TEST "HLT ends"
  SEND 0, 0x44041
  sti
  hlt
  cli

  TEST "timer: one shot"
  movl $0, verbose
  APICWRITE 0x3E0, 0xB
  APICWRITE 0x320, 0x80
  APICWRITE 0x380, 0x2000
  sti
  AWAIT 0, 0x80, 1
  call delay
  cli
  COUNT 0, 0x80
  REGISTER 0x320
  REGISTER 0x380
  REGISTER 0x390
  REGISTER 0x3E0
  LINE
  TEST "timer: periodic"
  APICWRITE 0x320, 0x20090
  APICWRITE 0x380, 0x40000
  sti
1:
  pause
  cmpl $3, counts + 4 * 0x90
  jb 1b
  APICWRITE 0x320, 0x30090
  cli
  REGISTER 0x320
  APICWRITE 0x380, 0
  REGISTER 0x390
  LINE
  TEST "timer: masked"
  APICWRITE 0x320, 0x100A0
  APICWRITE 0x380, 0x100
  call delay
  call sti_now
  COUNT 0, 0xA0
  LINE

  TEST "I/O APIC"
  movl $1, IOAPIC
  HEX (IOAPIC + 0x10)
  movl $0x10, IOAPIC
  HEX (IOAPIC + 0x10)
  movl $0x3E, IOAPIC
  HEX (IOAPIC + 0x10)
  HEX IOAPIC
  LINE
  movl $1, verbose
  TEST "I/O APIC: an edge at a masked pin is lost"
  ROUTE 1, 0, 0x10071
  call raise1
  ROUTE 1, 0, 0x71
  call sti_now
  COUNT 0, 0x71
  SHOWROUTE 1
  LINE
  TEST "I/O APIC: keyboard"
  call raise1
  call show
  LINE
  call sti_now
  TEST "I/O APIC: keyboard to another CPU"
  ROUTE 1, 0x03000000, 0x71
  call raise1
  AWAIT 3, 0x71, 1
  COUNT 0, 0x71
  COUNT 3, 0x71
  LINE
  TEST "I/O APIC: logical destination"
  ROUTE 1, 0x06000000, 0x871
  call raise1
  AWAIT 1, 0x71, 1
  AWAIT 2, 0x71, 1
  SHOWROUTE 1
  LINE
  ROUTE 1, 0, 0x10000
  TEST "I/O APIC: timer"
  ROUTE 2, 0, 0x72
  movl $0, verbose
  OUT 0x43, 0x30
  OUT 0x40, 0x40
  OUT 0x40, 0
  sti
  AWAIT 0, 0x72, 1
  cli
  COUNT 0, 0x72
  LINE
  ROUTE 2, 0, 0x10000
  TEST "I/O APIC: level, serial port"
  movl $1, verbose
  ROUTE 4, 0, 0x8074
  movl $serial_level, action
  OUT 0x3FC, 8
  OUT 0x3F9, 2
  sti
  AWAIT 0, 0x74, 2
  cli
  OUT 0x3FC, 0
  SHOWROUTE 4
  call show
  LINE
  ROUTE 4, 0, 0x10000

  TEST "the 8259 pair beside the APIC"
  movl $0, verbose
  call old_controller

  TEST "NMI to another CPU, and one within it"
  movl $nmi_again, nmi_action
  SEND 1, 0x4400
  AWAIT 1, 2, 2
  call delay
  COUNT 1, 2
  HEX nmi_seen
  COUNT 0, 2
  LINE

  TEST "IRET within the NMI's handler"
  movl $nmi_inner_return, nmi_action
  SEND 1, 0x4400
  AWAIT 1, 2, 4
  call delay
  COUNT 1, 2
  HEX nmi_seen
  HEX nmi_seen_behind
  LINE

  TEST "software-disabled"
  APICWRITE 0xF0, 0xFF
  REGISTER 0xF0
  APICWRITE 0xF0, 0x1FF
  REGISTER 0xF0
  LINE
  ret

/* In the handler of 52h. */
nested:
  SEND 0, 0x44058
  SEND 0, 0x44041
  SEND 0, 0x44063
  call sti_now
  SAY "after the nested one: "
  call show
  LINE
  ret

/* In the handler of the serial port: remote IRR is set; the line is still high at the first EOI. */
serial_level:
  SHOWROUTE 4
  movl $0, APIC + 0xB0
  SHOWROUTE 4
  LINE
  movl $serial_quiet, action
  movl $1, keep
  ret
serial_quiet:
  OUT 0x3F9, 0
  SHOWROUTE 4
  movl $0, APIC + 0xB0
  SHOWROUTE 4
  LINE
  ret

old_controller:
  GATE 0x21, KCODE, old_handler, INTERRUPT_GATE
  movl $0, keep
  APICWRITE 0x350, 0x10700
  OUT 0x21, 0xFD
  call raise1
  call sti_now
  HEX old_count
  APICWRITE 0x350, 0x700
  call sti_now
  HEX old_count
  OUT 0x21, 0xFF
  LINE
  ret
old_handler:
  pushal
  incl old_count
  OUT 0x20, 0x20
  popal
  iretl

delay:
  pushl %ecx
  movl $20000, %ecx
1:
  pause
  loop 1b
  popl %ecx
  ret

/* The MP floating pointer structure, and the entries of its table: how many processors, and the I/O
   APIC's address. */
mp_table:
  movl $0xF0000, %esi
1:
  cmpl $0x5F504D5F, (%esi)
  jne 2f
  movl $16, %ecx
  call check_sum
  jz 3f
2:
  addl $16, %esi
  cmpl $0x100000, %esi
  jb 1b
  SAY "no MP table\n"
  ret
3:
  movzbl 11(%esi), %eax
  call print_hex
  movl 4(%esi), %esi
  movzwl 4(%esi), %ecx
  call check_sum
  setz %al
  movzbl %al, %eax
  call print_hex
  HEX (%esi)
  HEX 36(%esi)
  movzwl 34(%esi), %ecx
  leal 44(%esi), %esi
  xorl %ebx, %ebx
1:
  movzbl (%esi), %eax
  cmpl $0, %eax
  jne 2f
  movzbl 3(%esi), %edx
  andl $1, %edx
  addl %edx, %ebx
  addl $12, %esi
2:
  cmpl $2, %eax
  jne 3f
  HEX 4(%esi)
3:
  addl $8, %esi
  loop 1b
  HEX %ebx
  LINE
  ret

/* RSDP, RSDT, MADT: processors, I/O APIC, interrupt source overrides of line 0. */
acpi_tables:
  movl $0xE0000, %esi
1:
  cmpl $0x20445352, (%esi)
  jne 2f
  cmpl $0x20525450, 4(%esi)
  jne 2f
  movl $20, %ecx
  call check_sum
  jz 3f
2:
  addl $16, %esi
  cmpl $0x100000, %esi
  jb 1b
  SAY "no RSDP\n"
  ret
3:
  movl 16(%esi), %esi
  movl 4(%esi), %ecx
  call check_sum
  jnz 9f
  movl 4(%esi), %ecx
  leal (%esi, %ecx), %edx
  addl $36, %esi
4:
  cmpl %edx, %esi
  jae 9f
  movl (%esi), %edi
  addl $4, %esi
  cmpl $0x43495041, (%edi)
  jne 4b
  movl %edi, %esi
  movl 4(%esi), %ecx
  call check_sum
  jnz 9f
  HEX 36(%esi)
  HEX 40(%esi)
  leal (%esi, %ecx), %edx
  addl $44, %esi
  xorl %ebx, %ebx
5:
  cmpl %edx, %esi
  jae 8f
  cmpb $0, (%esi)
  jne 6f
  movl 4(%esi), %eax
  andl $1, %eax
  addl %eax, %ebx
6:
  cmpb $1, (%esi)
  jne 6f
  HEX 4(%esi)
  HEX 8(%esi)
6:
  cmpb $2, (%esi)
  jne 7f
  cmpb $0, 3(%esi)
  jne 7f
  HEX 4(%esi)
7:
  movzbl 1(%esi), %eax
  addl %eax, %esi
  jmp 5b
8:
  HEX %ebx
  LINE
  ret
9:
  SAY "ACPI tables broken\n"
  ret

/* ZF when ECX bytes at ESI add up to zero. */
check_sum:
  pushl %esi
  pushl %ecx
  xorl %eax, %eax
1:
  addb (%esi), %al
  incl %esi
  loop 1b
  testb %al, %al
  popl %ecx
  popl %esi
  ret

/* What a CPU runs first: real mode at TRAMPOLINE. */
  .code16
trampoline:
  cli
  cld
  movw %cs, %ax
  movw %ax, %ds
  movw %ax, %ss
  movw $0x0E00, %sp
  xorl %ebx, %ebx
  movw %cs, %bx
  pushl %ebx
  popl %ecx
  movl %ecx, (SEEN - TRAMPOLINE)
  movl %cr0, %eax
  movl %eax, (SEEN - TRAMPOLINE + 4)
  pushfl
  popl (SEEN - TRAMPOLINE + 8)
  /* Another name of this page, then back by a far return. */
  ljmpw $(TRAMPOLINE / 16 - 16), $(1f - trampoline + 256)
1:
  movw %cs, %bx
  pushw $(TRAMPOLINE / 16)
  pushw $(2f - trampoline)
  lretw
2:
  movw %cs, %cx
  shll $16, %ebx
  movw %cx, %bx
  call 3f
  movl %ebx, (SEEN - TRAMPOLINE + 12)
  lgdtl (trampoline_gdt - trampoline)
  movl %cr0, %eax
  orl $1, %eax
  andl $0x9FFFFFFF, %eax
  movl %eax, %cr0
  ljmpl $KCODE, $protected
3:
  incl %ebx
  ret
  .align 4
trampoline_gdt:
  .word gdt_end - gdt - 1
  .long gdt
trampoline_end:

  .code32
protected:
  movw $KDATA, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  movl APIC + 0x20, %ebx
  movl %ebx, first_state
  shrl $24, %ebx
  movl %ebx, %ecx
  shll $10, %ecx
  leal ap_stacks(%ecx), %esp
  .macro KEEP offset, number
  movl APIC + \offset, %eax
  movl %eax, first_state + 4 * \number
  .endm
  KEEP 0x30, 1
  KEEP 0xF0, 2
  KEEP 0x350, 3
  KEEP 0xE0, 4
  movl %cr0, %eax
  movl %eax, first_state + 20
  movl $0x1B, %ecx
  rdmsr
  movl %eax, first_state + 24
  lidt idt_pointer
  movl $0x1FF, APIC + 0xF0
  movl $1, %eax
  movl %ebx, %ecx
  shll %cl, %eax
  shll $24, %eax
  movl %eax, APIC + 0xD0
  lock incl alive
1:
  sti
  hlt
  jmp 1b

  .data
  .align 4
verbose:
  .long 0
action:
  .long 0
keep:
  .long 0
alive:
  .long 0
nmi_action:
  .long 0
nmi_seen:
  .long 0
nmi_seen_behind:
  .long 0
old_count:
  .long 0
first_state:
  .fill 8, 4, 0

  .bss
  .align 16
counts:
  .skip 4 * 256 * CPUS
  .skip 1024
ap_stacks:
  .skip 1024 * CPUS
