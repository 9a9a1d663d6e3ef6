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

// One stub per vector. It makes all frames alike (the CPU pushes an error code for
// some exceptions only) and says which vector it was.
        .macro  stub vector, has_error_code
        .type   vector_\vector, @function
vector_\vector:
        .if     \has_error_code == 0
        pushl   $0
        .endif
        pushl   $\vector
        jmp     trap_common
        .size   vector_\vector, . - vector_\vector
        .endm

        .altmacro
        .macro  stub_for vector
        .if     (\vector == 8) || (\vector >= 10 && \vector <= 14) || (\vector == 17) || (\vector == 21)
        stub    \vector, 1
        .else
        stub    \vector, 0
        .endif
        .endm

        .set    i, 0
        .rept   48
        stub_for %i
        .set    i, i + 1
        .endr
        stub    128, 0

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

        .section .rodata
        .balign 4
        .globl  vector_stubs
        .type   vector_stubs, @object
        .macro  stub_address vector
        .long   vector_\vector
        .endm
vector_stubs:
        .set    i, 0
        .rept   48
        stub_address %i
        .set    i, i + 1
        .endr
        .size   vector_stubs, . - vector_stubs
        .globl  system_call_stub
system_call_stub:
        .long   vector_128
        .size   system_call_stub, . - system_call_stub

        .section .note.GNU-stack, "", @progbits
