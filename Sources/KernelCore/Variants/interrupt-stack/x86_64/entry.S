// Wrong: interrupts run on a stack of their own, and each one starts at its top. One that
// nests overwrites the frames of the one it interrupted; so does the first one that comes
// after a task was preempted there.

#include "registers.h"
#include "segments.h"

#define FRAME_CS 24                     // above vector and error code
#define VECTOR_AND_ERROR 16
#define VECTOR 120                      // in a struct TrapFrame

        .bss
        .balign 16
        .globl  interrupt_stack
        .type   interrupt_stack, @object
interrupt_stack:
        .space  2048
        .size   interrupt_stack, . - interrupt_stack
interrupt_stack_top:

        .text

        .globl  trap_common
        .type   trap_common, @function
trap_common:
        testb   $3, FRAME_CS(%rsp)
        jz      1f
        swapgs
1:      push_registers
        cld                             // the compiler relies on it
        .globl  entry_complete
entry_complete:
        movq    %rsp, %rbx              // the frame, on the task's kernel stack
        cmpl    $0x80, VECTOR(%rbx)
        je      1f
        movq    $interrupt_stack_top, %rsp
1:      movq    %rbx, %rdi
        call    trap_dispatch
        movq    %rbx, %rsp

// The way out. A new task starts here too: its stack was made to look as if it had
// been interrupted at the first instruction of its program.
        .globl  trap_return
trap_return:
        cli                             // a system call comes here with IF = 1
        .globl  exit_begins
exit_begins:
        pop_registers
        testb   $3, FRAME_CS(%rsp)
        jz      1f
        swapgs
1:      addq    $VECTOR_AND_ERROR, %rsp
        iretq                           // RFLAGS, IF included, as they were (M5)
        .size   trap_common, . - trap_common

        .section .note.GNU-stack, "", @progbits
