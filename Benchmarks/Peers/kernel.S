// The kernel of the models a, b and c: on each of CPUS processors, TASKS user tasks that do nothing but
// system calls, a timer, and DEVICES devices. Every number can be given on the command line (-DCPUS=2).
//
//   PAD      register-only instructions in every region: before, between and in the critical sections
//   WRONG    a seeded bug: 1  the last task of the last CPU releases lock B with STI instead of what
//                             was saved
//                          2  the last task of the last CPU takes lock B without turning interrupts off
//                          3  the last CPU's tasks take lock B first, then A
//
// A system call takes lock A, then lock B within it. The timer takes A and, where there is more than
// one task, goes on with the next one; where there are devices, it lets them interrupt it for a while.
// A device takes B.

#ifndef TASKS
#define TASKS 1
#endif
#ifndef DEVICES
#define DEVICES 0
#endif
#ifndef PAD
#define PAD 0
#endif
#ifndef WRONG
#define WRONG 0
#endif

#include "boot.S"

#define TIMER_VECTOR 0x40
#define FIRST_DEVICE_VECTOR 0x90        // classes of priority above the timer's
#define FIRST_LINE 3
#define SYSTEM_CALL 0x80
#define OTHER_SYSTEM_CALL 0x81

// A kernel stack begins with what is known of its task.
#define STACK 1024
#define SAVED_ESP 0                     // where the task goes on
#define NEXT_TASK 4                     // on the same processor, in a ring
#define TASK_TSS  8                     // of the processor
#define TASK_SIZE 16

// As much of the code as it says, in registers only.
.macro pad
        .rept   PAD
        movl    $1, %esi                // reads nothing, and is the same however often it runs
        .endr
.endm

// Leaves the saved flags on the stack, for `release`.
.macro acquire lock
        pushl   $\lock
        call    spin_lock_irqsave
        movl    %eax, (%esp)
.endm
.macro release lock
        pushl   $\lock
        call    spin_unlock_irqrestore
        addl    $8, %esp
.endm

        .text
        .globl  spin_lock_irqsave
        .type   spin_lock_irqsave, @function
spin_lock_irqsave:
        movl    4(%esp), %ecx
        pushfl
        popl    %eax
        cli
1:      movl    $1, %edx
        xchgl   %edx, (%ecx)
        testl   %edx, %edx
        jz      2f
        pause
        jmp     1b
2:      ret
        .size   spin_lock_irqsave, . - spin_lock_irqsave

        .globl  spin_unlock_irqrestore
        .type   spin_unlock_irqrestore, @function
spin_unlock_irqrestore:
        movl    4(%esp), %ecx
        movl    $0, (%ecx)
        pushl   8(%esp)
        popfl
        ret
        .size   spin_unlock_irqrestore, . - spin_unlock_irqrestore

#if WRONG == 1
        .globl  spin_unlock_enable
        .type   spin_unlock_enable, @function
spin_unlock_enable:
        movl    4(%esp), %ecx
        movl    $0, (%ecx)
        sti
        ret
        .size   spin_unlock_enable, . - spin_unlock_enable
#endif
#if WRONG == 2
        .globl  spin_lock
        .type   spin_lock, @function
spin_lock:
        movl    4(%esp), %ecx
1:      movl    $1, %edx
        xchgl   %edx, (%ecx)
        testl   %edx, %edx
        jz      2f
        pause
        jmp     1b
2:      ret
        .size   spin_lock, . - spin_lock

        .globl  spin_unlock
        .type   spin_unlock, @function
spin_unlock:
        movl    4(%esp), %ecx
        movl    $0, (%ecx)
        ret
        .size   spin_unlock, . - spin_unlock
#endif

        .globl  system_call
        .type   system_call, @function
system_call:
        pushal
        pad
        acquire lock_a
        pad
        acquire lock_b
        pad
        release lock_b
        pad
        release lock_a
        popal
        iretl
        .size   system_call, . - system_call

#if WRONG
        .globl  wrong_system_call
        .type   wrong_system_call, @function
wrong_system_call:
        pushal
        pad
#if WRONG == 1
        acquire lock_a
        pad
        acquire lock_b
        pad
        pushl   $lock_b
        call    spin_unlock_enable
        addl    $8, %esp
        pad
        release lock_a
#elif WRONG == 2
        pushl   $lock_b
        call    spin_lock
        pad
        call    spin_unlock
        addl    $4, %esp
#else
        acquire lock_b
        pad
        acquire lock_a
        pad
        release lock_a
        pad
        release lock_b
#endif
        popal
        iretl
        .size   wrong_system_call, . - wrong_system_call
#endif

        .globl  timer_interrupt
        .type   timer_interrupt, @function
timer_interrupt:
        pushal
        acquire lock_a
        pad
        release lock_a
#if DEVICES
        sti                             // devices may interrupt
        nop
        pad
        cli
#endif
        movl    $0, APIC_EOI
#if TASKS > 1
        call    switch_task
#endif
leave:
        popal
        iretl
        .size   timer_interrupt, . - timer_interrupt

        .globl  device_interrupt
        .type   device_interrupt, @function
device_interrupt:
        pushal
        acquire lock_b
        pad
        release lock_b
        movl    $0, APIC_EOI
        popal
        iretl
        .size   device_interrupt, . - device_interrupt

// Goes on with the next task of this processor: returns where that one was left.
        .globl  switch_task
        .type   switch_task, @function
switch_task:
        movl    %esp, %eax
        andl    $-STACK, %eax           // this task
        movl    %esp, SAVED_ESP(%eax)
        movl    NEXT_TASK(%eax), %eax
        movl    TASK_TSS(%eax), %edx
        leal    STACK(%eax), %ecx
        movl    %ecx, 4(%edx)           // the stack of its next entry
        movl    SAVED_ESP(%eax), %esp
        ret
        .size   switch_task, . - switch_task

// User code. ESI is the only register that it has.
        .globl  user
user:
        pad
        int     $SYSTEM_CALL
        jmp     user
#if WRONG
        .globl  wrong_user
wrong_user:
        pad
        int     $OTHER_SYSTEM_CALL
        jmp     wrong_user
#endif

unexpected:
        cli
1:      hlt
        jmp     1b

begin:
#if DEVICES
        // Device d of processor c has line FIRST_LINE + c * DEVICES + d. 82093AA data sheet §3.2.4.
        xorl    %ecx, %ecx
        xorl    %ebx, %ebx              // processor
1:      xorl    %edx, %edx              // device
2:      leal    0x10 + 2 * FIRST_LINE + 1(, %ecx, 2), %eax
        movl    %eax, IOAPIC_INDEX
        movl    %ebx, %esi
        shll    $24, %esi
        movl    %esi, IOAPIC_DATA
        decl    %eax
        movl    %eax, IOAPIC_INDEX
        movl    %edx, %esi
        shll    $4, %esi
        addl    $FIRST_DEVICE_VECTOR, %esi
        movl    %esi, IOAPIC_DATA
        incl    %ecx
        incl    %edx
        cmpl    $DEVICES, %edx
        jne     2b
        incl    %ebx
        cmpl    $CPUS, %ebx
        jne     1b
#endif
        movl    $stacks, %edi
        xorl    %ebx, %ebx
3:      movl    $TASKS, %ebp
        imull   $104, %ebx, %edx
        addl    $tss, %edx
4:      call    make_task
        addl    $STACK, %edi
        decl    %ebp
        jnz     4b
        leal    -STACK * TASKS(%edi), %eax      // the ring closes
        movl    %eax, -STACK + NEXT_TASK(%edi)
        addl    $STACK, %eax
        movl    %eax, 4(%edx)
        incl    %ebx
        cmpl    $CPUS, %ebx
        jne     3b
        xorl    %ebx, %ebx
        call    run_first_task
        movl    $1, go
        .globl  start
start:
        popal
        iretl

processor_begins:
        call    run_first_task
1:      pause
        cmpl    $0, go
        je      1b
        popal
        iretl

// Starts the timer of the processor in EBX, and turns to the stack of its first task.
run_first_task:
        popl    %ecx
        movl    $0, APIC_TIMER_DIVIDE
        movl    $0x20000 | TIMER_VECTOR, APIC_TIMER
        movl    $1000000, APIC_TIMER_COUNT
        imull   $STACK * TASKS, %ebx, %esp
        addl    $stacks + STACK - 4 * 13, %esp
        jmp     *%ecx

// On the stack at EDI, on the processor with the TSS at EDX, with EBP tasks still to be made there: a
// frame as if the task had been interrupted before its first instruction.
make_task:
        leal    STACK(%edi), %eax
        movl    %eax, NEXT_TASK(%edi)
        movl    %edx, TASK_TSS(%edi)
        movl    $USER_STACK, STACK - 4(%edi)
        movl    $0, STACK - 8(%edi)
        movl    $0x202, STACK - 12(%edi)
        movl    $USER_CODE, STACK - 16(%edi)
        movl    $user, STACK - 20(%edi)
#if WRONG
        cmpl    $CPUS - 1, %ebx
        jne     1f
#if WRONG != 3
        cmpl    $1, %ebp
        jne     1f
#endif
        movl    $wrong_user, STACK - 20(%edi)
1:
#endif
        movl    $leave, STACK - 4 * 14(%edi)
        leal    STACK - 4 * 14(%edi), %eax
        movl    %eax, SAVED_ESP(%edi)
        ret

        .data
        .balign 4
gates:
        .set    vector, 0
        .rept   32
        .word   vector, 0x8E
        .long   unexpected
        .set    vector, vector + 1
        .endr
        .word   TIMER_VECTOR, 0x8E
        .long   timer_interrupt
#if DEVICES
        .set    vector, FIRST_DEVICE_VECTOR
        .rept   DEVICES
        .word   vector, 0x8E
        .long   device_interrupt
        .set    vector, vector + 0x10
        .endr
#endif
        .word   SYSTEM_CALL, 0xEF       // a trap gate: interrupts stay on
        .long   system_call
#if WRONG
        .word   OTHER_SYSTEM_CALL, 0xEF
        .long   wrong_system_call
#endif
        .long   0

        .bss
        .balign 64
        .globl  lock_a, lock_b
        .type   lock_a, @object
        .size   lock_a, 4
lock_a: .skip   4
        .balign 64
        .type   lock_b, @object
        .size   lock_b, 4
lock_b: .skip   4
        .balign 64
go:     .skip   4
        .balign STACK
        .globl  stacks
        .type   stacks, @object
        .size   stacks, STACK * TASKS * CPUS
stacks: .skip   STACK * TASKS * CPUS
