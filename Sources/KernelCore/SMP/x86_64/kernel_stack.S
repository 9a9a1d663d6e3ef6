// kernel_stack_select(top): this CPU's next entry from ring 3 starts at `top`, whether the CPU takes it
// from the TSS or SYSCALL's entry from the CPU's own block. Every task has a kernel stack of its
// own, so this goes with every switch of tasks.

#include "segments.h"

        .text
        .globl  kernel_stack_select
        .type   kernel_stack_select, @function
kernel_stack_select:
        movq    %gs:CPU_TSS, %rax
        movq    %rdi, TSS_RSP0(%rax)
        movq    %rdi, %gs:CPU_KERNEL_STACK
        ret
        .size   kernel_stack_select, . - kernel_stack_select

        .section .note.GNU-stack, "", @progbits
