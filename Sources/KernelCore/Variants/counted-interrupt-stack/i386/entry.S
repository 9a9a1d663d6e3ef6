// Every way into the kernel, and the one way out.
//
// All gates are interrupt gates: the CPU clears IF as it enters, so nothing can
// interrupt an entry before its registers are saved and its segments are the
// kernel's. From ring 3 the CPU has switched to the stack that the TSS names and
// pushed SS, ESP, EFLAGS, CS, EIP; from ring 0 it stays on the stack it is on and
// pushes only the last three. Nothing below depends on which of the two it was: a
// nested entry simply puts its frame on top of the frame it interrupted, and comes
// off first.

#include "segments.h"

#define VECTOR 48                       // in a struct TrapFrame

        .bss
        .balign 16
        .globl  interrupt_stack
        .type   interrupt_stack, @object
interrupt_stack:
        .space  1024
        .size   interrupt_stack, . - interrupt_stack
        .globl  interrupt_stack_top
interrupt_stack_top:

// How many interrupts are in flight. Only the first one goes to the interrupt stack's top; those that nest
// are on it already.
        .globl  interrupt_depth
        .type   interrupt_depth, @object
interrupt_depth:
        .space  4
        .size   interrupt_depth, 4

        .text

        .globl  trap_common
        .type   trap_common, @function
trap_common:
        pushal
        pushl   %ds
        pushl   %es
        pushl   %fs
        pushl   %gs
        cld                             // the compiler relies on it
        movl    $KERNEL_DATA, %eax      // until here DS may be anything a user loaded
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %gs
        .globl  entry_complete
entry_complete:
        movl    %esp, %ebx              // the frame, on whatever stack was interrupted
        cmpl    $0x80, VECTOR(%ebx)
        je      system_call_on_task_stack       // it may sleep and be preempted
        cmpl    $32, VECTOR(%ebx)
        jb      system_call_on_task_stack       // nor do exceptions change stacks (M9)
        incl    interrupt_depth
        cmpl    $1, interrupt_depth
        jne     1f
        movl    $interrupt_stack_top, %esp
1:      pushl   %ebx
        call    trap_dispatch
        movl    %ebx, %esp              // back, with all that was pushed since
        decl    interrupt_depth
        jnz     trap_return
        call    preempt                 // none of this task's registers is left on the interrupt stack
        jmp     trap_return

system_call_on_task_stack:
        pushl   %ebx
        call    trap_dispatch
        addl    $4, %esp

// The way out. A new task starts here too: its stack was made to look as if it had
// been interrupted at the first instruction of its program.
        .globl  trap_return
trap_return:
        cli                             // a system call comes here with IF = 1
        .globl  exit_begins
exit_begins:
        popl    %gs
        popl    %fs
        popl    %es
        popl    %ds
        popal
        addl    $8, %esp                // vector and error code
        iretl                           // EFLAGS, IF included, as they were (M5)
        .size   trap_common, . - trap_common

        .section .note.GNU-stack, "", @progbits
