// Wrong: entries that IF does not stop look at the saved CS, as others may. One that comes between another
// entry and its SWAPGS, or behind the SWAPGS of the way out, finds "kernel" there and the user's GS.

#include "registers.h"
#include "segments.h"

#define VECTOR_AND_ERROR 16
#define FRAME_CS 144                    // above the registers, vector and error code

        .text
        .globl  own_stack_common
        .type   own_stack_common, @function
own_stack_common:
        push_registers
        cld
        xorl    %ebx, %ebx              // the calling convention keeps it: was GS swapped?
        testb   $3, FRAME_CS(%rsp)
        jz      1f
        swapgs
        movl    $1, %ebx
1:
        .globl  own_stack_complete
own_stack_complete:
        movq    %rsp, %rdi
        call    trap_dispatch
        .globl  own_stack_exit
own_stack_exit:
        testl   %ebx, %ebx
        jz      1f
        swapgs
1:      pop_registers
        addq    $VECTOR_AND_ERROR, %rsp
        iretq
        .size   own_stack_common, . - own_stack_common

        .section .note.GNU-stack, "", @progbits
