// Memory that people look for by name: the locks, the CPUs' blocks, the task table.

#include "segments.h"
#include "sizes.h"

        .macro  storage name, bytes, alignment=WORD_BYTES
        .balign \alignment
        .globl  \name
        .type   \name, @object
\name:
        .space  \bytes
        .size   \name, \bytes
        .endm

        .bss
        storage cpus, MOST_CPUS * CPU_BYTES, 16
        storage gdts, MOST_CPUS * GDT_SPACE, 16
        // The stack pointers in a 64-bit segment lie 4 bytes beyond whole words.
        .balign 16
        .space  4
        storage task_state_segments, MOST_CPUS * TSS_SPACE, 4

        storage run_lock0, 4                    // what one CPU runs, its queue, its tasks' states
        storage run_lock1, 4, 4
        storage run_lock2, 4, 4
        storage run_lock3, 4, 4
        storage console_lock, 4                 // the serial port
        storage keyboard_lock, 4                // typed keys
        storage mutex_lock, 4                   // owner of the sleeping mutex, and who waits for it
        storage semaphore_lock, 4
        storage condition_lock, 4
        storage shootdown_lock, 4               // the window's page; taken with interrupts on
        storage plain_lock, 4                   // taken with interrupts on (PlainWork.swift)
        storage first_lock, 4                   // taken before second_lock
        storage second_lock, 4

        storage ticket_lock, 8                  // TicketLock.swift
        storage queue_lock, 4                   // QueueLock.swift
        storage queue_nodes, MOST_CPUS * 16, 16
        storage reader_writer_lock, 4           // ReaderWriterLock.swift
        storage unanswered, 4                   // Shootdown.swift
        storage guarded, 4                      // what the locks' exercises protect

        storage processors_online, 4            // Processors.swift
        storage processors_go, 4
        storage works_done, 4
        storage starting_stack, WORD_BYTES
        storage starting_number, WORD_BYTES

        storage task_table, 8 * 4 * WORD_BYTES

        .balign 4096
        .globl  window_frame0, window_frame1
window_frame0:
        .space  4096
window_frame1:
        .space  4096

        .section .note.GNU-stack, "", @progbits
