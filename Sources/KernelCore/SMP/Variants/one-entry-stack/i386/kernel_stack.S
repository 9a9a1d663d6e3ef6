// Wrong: the stack of the next entry is changed in the task state segment of the first CPU, whichever CPU
// executes this, and the other ones keep that of their first task.

#include "segments.h"

        .text
        .globl  kernel_stack_select
        .type   kernel_stack_select, @function
kernel_stack_select:
        movl    4(%esp), %eax
        movl    %gs:CPU_TSS, %edx
        cmpl    $0, TSS_ESP0(%edx)
        jne     1f
        movl    %eax, TSS_ESP0(%edx)
1:      movl    %eax, task_state_segments + TSS_ESP0
        ret
        .size   kernel_stack_select, . - kernel_stack_select

        .section .note.GNU-stack, "", @progbits
