// The user programs. They run in ring 3, keep what they know in registers, and come
// back to the same few states for ever, or exit.

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

// Prints three lines and exits. Any number of them print the same lines in any order of
// events.
        program hello
        movl    $3, %ebp
1:      call_kernel SYS_WRITE, text_hello, 6
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

        program yielder
1:      call_kernel SYS_YIELD
        jmp     1b
        end     yielder

        program exiter
        call_kernel SYS_EXIT
        end     exiter

// One yield and out.
        program once
        call_kernel SYS_YIELD
        call_kernel SYS_EXIT
        end     once

        program reader
1:      call_kernel SYS_READ
        jmp     1b
        end     reader

// One key and out: the work that a lost wakeup leaves undone.
        program key
        call_kernel SYS_READ
        call_kernel SYS_EXIT
        end     key

// Works under the mutex, once.
        program lock
        call_kernel SYS_LOCK
        call_kernel SYS_UNLOCK
        call_kernel SYS_EXIT
        end     lock

// The same for ever.
        program locker
1:      call_kernel SYS_LOCK
        call_kernel SYS_UNLOCK
        jmp     1b
        end     locker

// Owns the mutex until it is killed.
        program keeper
        call_kernel SYS_LOCK
1:      incl    %edx
        andl    $1, %edx
        jmp     1b
        end     keeper

// Works under a lock that leaves interrupts on.
        program plain
        call_kernel SYS_WORK, 9
        call_kernel SYS_EXIT
        end     plain

        program down
        call_kernel SYS_DOWN
        call_kernel SYS_EXIT
        end     down

        program up
        call_kernel SYS_UP
        call_kernel SYS_EXIT
        end     up

        program put
        call_kernel SYS_PUT
        call_kernel SYS_EXIT
        end     put

        program take
        call_kernel SYS_TAKE
        call_kernel SYS_EXIT
        end     take

        .section .rodata.program_table, "a", @progbits
        .globl  program_table_end
program_table_end:

        .section .user, "ax", @progbits
text_hello:
        .ascii  "hello\n"

        .section .note.GNU-stack, "", @progbits
