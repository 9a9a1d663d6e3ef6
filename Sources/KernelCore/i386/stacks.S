// The stacks. Their sizes are in the symbol table, so that a debugger, or a checker, knows
// where each one ends.

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

// Room for a system call at its deepest, a mouse interrupt on top of it, and any one
// interrupt on top of that.
        .bss
        stack   task0_kernel_stack, 1024
        stack   task1_kernel_stack, 1024
        stack   idle_stack, 1024        // also the boot's

// Beside the programs (kernel.ld), so that all that is a task's own is one range.
        .section .user_stacks, "aw", @progbits
        stack   task0_user_stack, 64
        stack   task1_user_stack, 64

        .section .note.GNU-stack, "", @progbits
