// Memory that people look for by name: the locks and the task table.

        .macro  word name, count=1
        .balign 4
        .globl  \name
        .type   \name, @object
\name:
        .space  4 * \count
        .size   \name, 4 * \count
        .endm

        .bss
        word    scheduler_lock          // run queue, task states
        word    console_lock            // the serial port, the pointer on the screen
        word    file_lock               // the file's position; taken before console_lock
        word    keyboard_lock           // typed keys
        word    mutex_lock              // owners of the sleeping mutexes

        word    current_task            // index into task_table
        word    task_table, 12

        .section .note.GNU-stack, "", @progbits
