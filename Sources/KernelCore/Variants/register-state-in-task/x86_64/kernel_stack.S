// Where the registers of user code go: not on the task's kernel stack, but into a structure of the task,
// whose end the CPU takes for a stack. The kernel stack then begins empty. An entry from ring 0 has
// nothing to do with this structure: its registers go on the stack that it interrupted, so that levels
// nest.

#include "segments.h"

#define REGISTERS_BYTES 176             // a frame

        .bss
        .balign 16
        .globl  task_registers
        .type   task_registers, @object
task_registers:
        .space  3 * REGISTERS_BYTES
        .size   task_registers, 3 * REGISTERS_BYTES

        .data
        .balign 8
        .globl  task_kernel_stack
        .type   task_kernel_stack, @object
task_kernel_stack:
        .quad   task0_kernel_stack_top
        .size   task_kernel_stack, 8

        .text
        .globl  kernel_stack_select
        .type   kernel_stack_select, @function
kernel_stack_select:
        movq    %rdi, task_kernel_stack
        imulq   $REGISTERS_BYTES, current_task, %rax
        addq    $task_registers + REGISTERS_BYTES, %rax
        movq    %rax, tss + TSS_RSP0
        movq    %rax, %gs:CPU_KERNEL_STACK      // SYSCALL's entry makes its frame there too
        ret
        .size   kernel_stack_select, . - kernel_stack_select

        .section .note.GNU-stack, "", @progbits
