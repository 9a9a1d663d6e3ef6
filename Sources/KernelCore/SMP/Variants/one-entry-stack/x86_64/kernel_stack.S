// Wrong: the stack of the next entry is changed in the task state segment of the first CPU, whichever CPU
// executes this, and the other ones keep that of their first task.

#include "segments.h"

        .text
        .globl  kernel_stack_select
        .type   kernel_stack_select, @function
kernel_stack_select:
        movq    %gs:CPU_TSS, %rax
        cmpq    $0, TSS_RSP0(%rax)
        jne     1f
        movq    %rdi, TSS_RSP0(%rax)
1:      movq    %rdi, task_state_segments + TSS_RSP0
        movq    %rdi, %gs:CPU_KERNEL_STACK
        ret
        .size   kernel_stack_select, . - kernel_stack_select

        .section .note.GNU-stack, "", @progbits
