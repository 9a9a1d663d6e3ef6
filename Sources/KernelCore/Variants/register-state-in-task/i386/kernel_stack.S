// Where the registers of user code go: not on the task's kernel stack, but into a structure of the task,
// whose end the CPU takes for a stack. The kernel stack then begins empty. An entry from ring 0 has
// nothing to do with this structure: its registers go on the stack that it interrupted, so that levels
// nest.

#include "segments.h"

#define REGISTERS_BYTES 80              // a frame and the rest of 16 bytes

        .bss
        .balign 16
        .globl  task_registers
        .type   task_registers, @object
task_registers:
        .space  3 * REGISTERS_BYTES
        .size   task_registers, 3 * REGISTERS_BYTES

        .data
        .balign 4
        .globl  task_kernel_stack
        .type   task_kernel_stack, @object
task_kernel_stack:
        .long   task0_kernel_stack_top
        .size   task_kernel_stack, 4

        .text
        .globl  kernel_stack_select
        .type   kernel_stack_select, @function
kernel_stack_select:
        movl    4(%esp), %eax
        movl    %eax, task_kernel_stack
        imull   $REGISTERS_BYTES, current_task, %eax
        addl    $task_registers + REGISTERS_BYTES, %eax
        movl    %eax, tss + TSS_ESP0
        ret
        .size   kernel_stack_select, . - kernel_stack_select

        .section .note.GNU-stack, "", @progbits
