// Wrong: interrupts run on a stack of their own, and each one starts at its top. One that
// nests overwrites the frames of the one it interrupted; so does the first one that comes
// after a task was preempted there.

#include "segments.h"

#define VECTOR 48                       // in a struct TrapFrame

        .bss
        .balign 16
        .globl  interrupt_stack
        .type   interrupt_stack, @object
interrupt_stack:
        .space  1024
        .size   interrupt_stack, . - interrupt_stack
interrupt_stack_top:

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
        movl    %esp, %ebx              // the frame, on the task's kernel stack
        cmpl    $0x80, VECTOR(%ebx)
        je      1f
        movl    $interrupt_stack_top, %esp
1:      pushl   %ebx
        call    trap_dispatch
        movl    %ebx, %esp

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
