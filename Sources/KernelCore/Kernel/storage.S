// Memory that people look for by name: the locks and the task table.

#include "sizes.h"

        .macro  storage name, bytes
        .balign WORD_BYTES
        .globl  \name
        .type   \name, @object
\name:
        .space  \bytes
        .size   \name, \bytes
        .endm

        .bss
        storage scheduler_lock, 4               // run queue, task states
        storage console_lock, 4                 // the serial port, the pointer on the screen
        storage file_lock, 4                    // the file's position; taken before console_lock
        storage keyboard_lock, 4                // typed keys
        storage mutex_lock, 4                   // owners of the sleeping mutexes

        storage current_task, WORD_BYTES        // index into task_table
        storage task_table, 12 * WORD_BYTES

        .section .note.GNU-stack, "", @progbits
