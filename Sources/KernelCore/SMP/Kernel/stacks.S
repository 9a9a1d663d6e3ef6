// The stacks. Their sizes are in the symbol table, so that a debugger, or a checker, knows
// where each one ends.

#include "segments.h"
#include "sizes.h"

        .macro  stack name, size
        .balign 16
        .globl  \name
        .type   \name, @object
\name:
        .space  \size
        .size   \name, \size
        .globl  \name\()_top
\name\()_top:
        .endm

        .bss
        .irp    n, 0, 1, 2, 3
        stack   idle_stack\n, IDLE_STACK_BYTES  // also the one that the CPU starts on
        .endr
        .irp    n, 0, 1, 2
        stack   task\n\()_kernel_stack, KERNEL_STACK_BYTES
        .endr

// Beside the programs (kernel.ld), so that all that is a task's own is one range.
        .section .user_stacks, "aw", @progbits
        .irp    n, 0, 1, 2
        stack   task\n\()_user_stack, USER_STACK_BYTES
        .endr

        .section .note.GNU-stack, "", @progbits
