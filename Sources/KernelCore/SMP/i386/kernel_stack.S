// kernel_stack_select(top): this CPU's next entry from ring 3 starts at `top`. Every task
// has a kernel stack of its own, so this goes with every switch of tasks.

#include "segments.h"

        .text
        .globl  kernel_stack_select
        .type   kernel_stack_select, @function
kernel_stack_select:
        movl    4(%esp), %eax
        movl    %gs:CPU_TSS, %edx
        movl    %eax, TSS_ESP0(%edx)
        ret
        .size   kernel_stack_select, . - kernel_stack_select

        .section .note.GNU-stack, "", @progbits
