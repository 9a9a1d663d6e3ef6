/* External interrupts: the shadow of STI, priorities, nesting, masks, every kind of EOI, spurious
   interrupts, HLT, and delivery to ring 3. Intel SDM Vol. 3A §6.8; 8259A data sheet.

   Lines that a guest can raise by itself: 1 and 12 by commands D2h and D3h of the keyboard
   controller, 4 by the serial port's empty transmitter, 0 by the timer's one shot. */
#include "support.h"

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

/* ICW1–4, then masks. */
  .macro CONTROLLERS word4=1, master=0xE8, slave=0xEF
  OUT 0x20, 0x11
  OUT 0xA0, 0x11
  OUT 0x21, 0x20
  OUT 0xA1, 0x28
  OUT 0x21, 4
  OUT 0xA1, 2
  OUT 0x21, \word4
  OUT 0xA1, 1
  OUT 0x21, \master
  OUT 0xA1, \slave
  .endm

/* IRR and ISR of both controllers. */
show:
  pushal
  .irp command, 0x0A, 0x0B
  xorl %eax, %eax
  OUT 0xA0, \command
  inb $0xA0, %al
  movb %al, %ah
  movb $\command, %al
  outb %al, $0x20
  inb $0x20, %al
  movzwl %ax, %eax
  call print_hex
  .endr
  popal
  ret

/* One edge on a line. */
raise1:
  pushl %eax
  OUT 0x64, 0xD2
  OUT 0x60, 0x1E
  inb $0x60, %al
  popl %eax
  ret
raise12:
  pushl %eax
  OUT 0x64, 0xD3
  OUT 0x60, 0x08
  inb $0x60, %al
  popl %eax
  ret
raise4:
  pushal
  OUT 0x3F9, 2
  OUT 0x3F9, 0
  popal
  ret
raise0:
  pushal
  OUT 0x43, 0x30
  OUT 0x40, 0x40
  OUT 0x40, 0
1:
  OUT 0x20, 0x0A
  inb $0x20, %al
  testb $1, %al
  jz 1b
  popal
  ret

  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
irq_\n:
  pushl $\n
  jmp irq_common
  .endr

/* Prints the line, where it came, and the controllers; then does what `action` says, and EOI
   unless `keep` is set. */
irq_common:
  pushal
  movl $KDATA, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %esp, %ebp
  SAY "irq "
  HEX 32(%ebp)
  HEX 36(%ebp)
  HEX 40(%ebp)
  HEX %ecx
  call show
  LINE
  movl action, %eax
  movl $0, action
  testl %eax, %eax
  jz 1f
  call *%eax
1:
  cmpl $0, keep
  jnz 3f
  movl 32(%ebp), %ebx
  movb $0x20, %al
  cmpl $8, %ebx
  jb 2f
  outb %al, $0xA0
2:
  outb %al, $0x20
3:
  SAY "end "
  HEX 32(%ebp)
  LINE
  popal
  addl $4, %esp
  iretl

  .globl main
main:
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7
  GATE 0x20 + \n, KCODE, irq_\n, INTERRUPT_GATE
  .endr
  .irp n, 8, 9, 10, 11, 12, 13, 14, 15
  GATE 0x20 + \n, KCODE, irq_\n, INTERRUPT_GATE
  .endr
  OUT 0x3FC, 0x08
  OUT 0x64, 0x60
  OUT 0x60, 0x47
  CONTROLLERS
  call raise0
  CONTROLLERS

  TEST "STI: the next instruction still runs"
  call raise1
  xorl %ecx, %ecx
  sti
  incl %ecx
  incl %ecx
  incl %ecx
  cli
  TEST "STI, CLI: nothing comes in between"
  call raise1
  xorl %ecx, %ecx
  sti
  cli
  incl %ecx
  call show
  LINE
  TEST "STI, NOP, CLI: it comes"
  sti
  nop
  cli
  TEST "POPF: comes at once"
  call raise1
  xorl %ecx, %ecx
  pushl $0x202
  popfl
  incl %ecx
  incl %ecx
  cli
  TEST "STI, MOV SS: the second of two shadows is none"
  call raise1
  xorl %ecx, %ecx
  movl $KDATA, %eax
  sti
  movl %eax, %ss
  incl %ecx
  incl %ecx
  cli
  TEST "MOV SS after POPF with IF: the request comes before it"
  call raise1
  xorl %ecx, %ecx
  pushl $0x202
  movl $KDATA, %eax
  popfl
  movl %eax, %ss
  incl %ecx
  cli
  TEST "MOV SS, then IRET that sets IF: comes at the target"
  call raise1
  xorl %ecx, %ecx
  pushl $0x202
  pushl $KCODE
  pushl $1f
  iretl
  incl %ecx
1:
  incl %ecx
  cli
  TEST "MOV SS, STI: the shadow of STI is not sure either"
  call raise1
  xorl %ecx, %ecx
  movl %eax, %ss
  sti
  incl %ecx
  incl %ecx
  cli
  TEST "STI, HLT: wakes behind the HLT"
  call raise4
  xorl %ecx, %ecx
  sti
  hlt
  incl %ecx
  cli
  TEST "HLT that waits for the timer"
  OUT 0x43, 0x30
  OUT 0x40, 0
  OUT 0x40, 0x10
  sti
  hlt
  cli

  TEST "priorities: three latched, one after the other"
  call raise12
  call raise4
  call raise1
  call raise0
  call show
  LINE
  sti
  nop
  nop
  nop
  cli
  TEST "a masked line is latched and comes when unmasked"
  OUT 0x21, 0xEA
  call raise1
  sti
  nop
  nop
  cli
  call show
  LINE
  OUT 0x21, 0xE8
  sti
  nop
  cli

  TEST "nesting: the handler of 4 opens to 1, not to another 4"
  movl $1f, action
  call raise4
  sti
  nop
  cli
  jmp 2f
1:
  call raise4
  call raise1
  call raise12
  sti
  nop
  nop
  cli
  ret
2:
  sti
  nop
  nop
  cli
  TEST "without EOI: nothing of lower priority comes"
  movl $1, keep
  call raise1
  sti
  nop
  cli
  call raise1
  call raise4
  call raise12
  sti
  nop
  cli
  call show
  LINE
  call raise0
  sti
  nop
  cli
  call show
  TEST "non-specific EOI ends the highest"
  OUT 0x20, 0x20
  call show
  TEST "specific EOI"
  OUT 0x20, 0x61
  call show
  LINE
  movl $0, keep
  sti
  nop
  nop
  nop
  cli
  TEST "poll: acknowledges without an interrupt"
  call raise4
  OUT 0x20, 0x0C
  inb $0x20, %al
  movzbl %al, %eax
  HEX %eax
  call show
  OUT 0x20, 0x0C
  inb $0x20, %al
  movzbl %al, %eax
  HEX %eax
  OUT 0x20, 0x20
  LINE
  TEST "special mask mode: lower levels come while 1 is in service and masked"
  call raise1
  OUT 0x20, 0x0C
  inb $0x20, %al
  call raise4
  OUT 0x21, 0xEA
  sti
  nop
  cli
  OUT 0x20, 0x68
  OUT 0x21, 0xEA                 /* QEMU looks at its requests only after this */
  movl $1, keep
  sti
  nop
  cli
  movl $0, keep
  OUT 0x20, 0x64
  OUT 0x20, 0x48
  OUT 0x20, 0x61
  OUT 0x21, 0xE8
  call show
  LINE
  TEST "rotation: the ended level becomes the lowest"
  call raise1
  OUT 0x20, 0x0C
  inb $0x20, %al
  OUT 0x20, 0xA0
  call raise1
  call raise4
  OUT 0x20, 0x0C
  inb $0x20, %al
  movzbl %al, %eax
  HEX %eax
  OUT 0x20, 0x20
  OUT 0x20, 0x0C
  inb $0x20, %al
  movzbl %al, %eax
  HEX %eax
  OUT 0x20, 0x20
  OUT 0x20, 0xC7
  LINE
  TEST "automatic EOI"
  CONTROLLERS 3
  movl $1, keep
  call raise1
  call raise4
  sti
  nop
  nop
  cli
  call show
  LINE
  movl $0, keep
  CONTROLLERS
  TEST "the slave masks its request after the master has it: spurious IRQ 15"
  call raise12
  OUT 0xA1, 0xFF
  movl $1, keep
  sti
  nop
  cli
  movl $0, keep
  OUT 0x20, 0x20
  OUT 0xA1, 0xEF
  call show
  LINE
  sti
  nop
  cli
  CONTROLLERS
  TEST "ICW1 forgets requests, service and masks"
  call raise1
  call raise4
  OUT 0x20, 0x0C
  inb $0x20, %al
  OUT 0x20, 0x11
  call show
  OUT 0x21, 0x20
  OUT 0x21, 4
  OUT 0x21, 1
  inb $0x21, %al
  movzbl %al, %eax
  HEX %eax
  OUT 0x21, 0xE8
  LINE
  CONTROLLERS
  TEST "a pending request comes before the first instruction of ring 3"
  call raise4
  FROM_USER 0x202, "nop"
  cli
  TEST "IF clear in ring 3: it waits for ring 0"
  call raise4
  xorl %ecx, %ecx
  FROM_USER 0x002, "incl %ecx"
  call show
  LINE
  sti
  nop
  cli
  TEST "from ring 3 the handler may open for another one"
  movl $1f, action
  call raise4
  FROM_USER 0x202, "nop"
  cli
  jmp 2f
1:
  call raise1
  sti
  nop
  cli
  ret
2:
  TEST "software interrupt with a hardware vector needs no EOI"
  movl $1, keep
  int $0x21
  call show
  LINE
  ret

  .data
  .align 4
action:
  .long 0
keep:
  .long 0
