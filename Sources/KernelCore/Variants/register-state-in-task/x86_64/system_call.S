// SYSCALL: the CPU has put RIP into RCX and RFLAGS into R11, has cleared IF (FMASK), and has
// switched no stack. So nothing may push before the kernel's stack is loaded, by hand, from
// the CPU's own block; then the frame is made as a gate would have made it.

#include "registers.h"
#include "segments.h"

#define VECTOR_AND_ERROR 16

        .text
        .globl  system_call_entry
        .type   system_call_entry, @function
system_call_entry:
        swapgs
        movq    %rsp, %gs:CPU_USER_STACK
        movq    %gs:CPU_KERNEL_STACK, %rsp
        pushq   $USER_DATA
        pushq   %gs:CPU_USER_STACK
        movq    $0, %gs:CPU_USER_STACK  // whoever is switched to has a copy of its own
        pushq   %r11
        pushq   $USER_CODE
        pushq   %rcx
        pushq   $0
        pushq   $128
        push_registers
        .globl  system_call_complete
system_call_complete:
        movq    %rsp, %rbx              // the frame, in the task's structure
        movq    task_kernel_stack, %rsp
        movq    %rbx, %rdi
        call    trap_dispatch
        cli
        movq    %rbx, %rsp
        .globl  system_call_exit
system_call_exit:
        pop_registers
        addq    $VECTOR_AND_ERROR, %rsp
        movq    (%rsp), %rcx            // RIP
        movq    16(%rsp), %r11          // RFLAGS
        movq    24(%rsp), %rsp          // from here on the user's stack, in ring 0: IF must be 0
        swapgs
        sysretq                         // IF comes back from R11
        .size   system_call_entry, . - system_call_entry

        .section .note.GNU-stack, "", @progbits
