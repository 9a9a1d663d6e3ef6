// The user programs. They run in ring 3, keep what they know in registers, and come
// back to the same few states for ever (or exit), so that everything two of them can
// do together can be explored to the end.
//
// How a program calls the kernel is the machine's affair (call_kernel.h).

#include "call_kernel.h"
#include "sizes.h"

        .macro  program name
        .pushsection .user, "ax", @progbits
        .type   user_\name, @function
user_\name:
        .endm

        .macro  end name
        .size   user_\name, . - user_\name
        .popsection
        .pushsection .rodata.names, "a", @progbits
name_of_\name:
        .asciz  "\name"
        .popsection
        .pushsection .rodata.program_table, "a", @progbits
        POINTER name_of_\name, user_\name
        .popsection
        .endm

        .section .rodata.program_table, "a", @progbits
        .balign WORD_BYTES
        .globl  program_table
program_table:

// Prints three lines and exits. Two of them print the same six lines in any order of
// events.
        program hello
        movl    $3, %ebp
1:      call_kernel SYS_WRITE, text_hello, 6
        call_kernel SYS_SLEEP, 1
        call_kernel SYS_YIELD
        decl    %ebp
        jnz     1b
        call_kernel SYS_EXIT
        end     hello

// Nothing but user code.
        program compute
1:      incl    %edx
        andl    $1, %edx
        jmp     1b
        end     compute

        program writer
1:      call_kernel SYS_WRITE, text_w, 1
        jmp     1b
        end     writer

        program reader
1:      call_kernel SYS_READ
        jmp     1b
        end     reader

// Reads a key and writes it; the key lies on the user stack for a moment.
        program echo
1:      call_kernel SYS_READ
        write_result
        jmp     1b
        end     echo

        program yielder
1:      call_kernel SYS_YIELD
        jmp     1b
        end     yielder

        program sleeper
1:      call_kernel SYS_SLEEP, 1
        jmp     1b
        end     sleeper

// Works under a mutex.
        program locker
1:      call_kernel SYS_LOCK, 0
        call_kernel SYS_UNLOCK, 0
        jmp     1b
        end     locker

// Gives the CPU away while it holds the mutex.
        program holder
1:      call_kernel SYS_LOCK, 0
        call_kernel SYS_YIELD
        call_kernel SYS_UNLOCK, 0
        jmp     1b
        end     holder

// Move something from account 0 to account 1, and back: the kernel locks both.
        program payer
1:      call_kernel SYS_TRANSFER, 0, 1
        jmp     1b
        end     payer

        program payee
1:      call_kernel SYS_TRANSFER, 1, 0
        jmp     1b
        end     payee

        program exiter
        call_kernel SYS_EXIT
        end     exiter

// One write and out: the shortest whole life.
        program once
        call_kernel SYS_WRITE, text_w, 1
        call_kernel SYS_EXIT
        end     once

// One key and out: the work that a lost wakeup leaves undone.
        program key
        call_kernel SYS_READ
        call_kernel SYS_EXIT
        end     key

        program nap
        call_kernel SYS_SLEEP, 1
        call_kernel SYS_EXIT
        end     nap

// Two mutexes, the work of one transfer, and out.
        program pay
        call_kernel SYS_TRANSFER, 0, 1
        call_kernel SYS_EXIT
        end     pay

        program repay
        call_kernel SYS_TRANSFER, 1, 0
        call_kernel SYS_EXIT
        end     repay

// A buffer that is not the user's, a count that is too large, a call that does not
// exist: the kernel refuses each of them.
        program wild
1:      call_kernel SYS_WRITE, 0x1000, 1
        call_kernel SYS_WRITE, text_w, 9
        call_kernel 99
        jmp     1b
        end     wild

        .section .rodata.program_table, "a", @progbits
        .globl  program_table_end
program_table_end:

        .section .user, "ax", @progbits
text_hello:
        .ascii  "hello\n"
text_w:
        .ascii  "w"

        .section .note.GNU-stack, "", @progbits
