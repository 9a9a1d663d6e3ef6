// Memory that people look for by name: stacks, locks, the task table. The sizes are
// in the symbol table, so that a debugger, or a checker, knows where each one ends.

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

        .macro  word name, count=1
        .balign 4
        .globl  \name
        .type   \name, @object
\name:
        .space  4 * \count
        .size   \name, 4 * \count
        .endm

        .bss
        stack   task0_kernel_stack, 1024
        stack   task1_kernel_stack, 1024
        stack   idle_stack, 1024        // also the boot's
        stack   task0_user_stack, 64
        stack   task1_user_stack, 64

        word    scheduler_lock          // run queue, task states
        word    console_lock            // the serial port, the pointer on the screen
        word    file_lock               // the file's position; taken before console_lock
        word    keyboard_lock           // typed keys
        word    mutex_lock              // owners of the sleeping mutexes

        word    current_task            // index into task_table
        word    task_table, 12

        .section .note.GNU-stack, "", @progbits
