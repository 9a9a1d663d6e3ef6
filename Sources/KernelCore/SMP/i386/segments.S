// load_segments(gdt, cpu): makes the CPU use its own descriptor table, task state segment and block.

#include "segments.h"

        .text
        .globl  load_segments
        .type   load_segments, @function
load_segments:
        movl    4(%esp), %eax
        lgdt    (%eax)
        ljmp    $KERNEL_CODE, $1f
1:      movl    $KERNEL_DATA, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %ss
        movl    $KERNEL_CPU, %eax
        movl    %eax, %gs
        movl    $TSS_SELECTOR, %eax
        ltr     %ax
        ret
        .size   load_segments, . - load_segments

        .section .note.GNU-stack, "", @progbits
