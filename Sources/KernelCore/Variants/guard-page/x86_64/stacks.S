// The stacks. Their sizes are in the symbol table, so that a debugger, or a checker, knows
// where each one ends.

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
// Below each kernel stack lies a page that is not mapped (boot.S).
        .macro  guard name
        .balign 4096
        .globl  \name
        .type   \name, @object
\name:
        .space  4096
        .size   \name, 4096
        .endm

        guard   task0_guard
        stack   task0_kernel_stack, KERNEL_STACK_BYTES
        guard   task1_guard
        stack   task1_kernel_stack, KERNEL_STACK_BYTES
        stack   idle_stack, IDLE_STACK_BYTES    // also the boot's

// Beside the programs (kernel.ld), so that all that is a task's own is one range.
        .section .user_stacks, "aw", @progbits
        stack   task0_user_stack, USER_STACK_BYTES
        stack   task1_user_stack, USER_STACK_BYTES

        .section .note.GNU-stack, "", @progbits
