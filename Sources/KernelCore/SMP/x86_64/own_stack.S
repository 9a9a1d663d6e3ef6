// Entries that IF does not stop, and those of broken stacks. They come anywhere, also where
// the saved CS says "kernel" and GS is still, or again, the user's. So they look at GS itself: the
// kernel's leads to one of the CPUs' blocks. Each vector of each CPU has a stack of its own.

#include "registers.h"
#include "segments.h"
#include "sizes.h"

#define VECTOR_AND_ERROR 16

        .text
        .globl  own_stack_common
        .type   own_stack_common, @function
own_stack_common:
        push_registers
        cld
        movl    $MSR_GS_BASE, %ecx
        rdmsr
        shlq    $32, %rdx
        orq     %rdx, %rax
        xorl    %ebx, %ebx              // the calling convention keeps it: was GS swapped?
        subq    $cpus, %rax
        cmpq    $(MOST_CPUS * CPU_BYTES), %rax
        jb      1f
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
