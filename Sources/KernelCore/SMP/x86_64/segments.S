// load_segments(gdt, cpu): makes the CPU use its own descriptor table, task state segment and block,
// and tells it what it must know before it can be entered by SYSCALL.

#include "segments.h"
#include "sizes.h"

        .text
        .macro  write_msr number, low, high=0
        movl    $\number, %ecx
        movl    $\low, %eax
        movl    $\high, %edx
        wrmsr
        .endm

        .globl  load_segments
        .type   load_segments, @function
load_segments:
        lgdt    (%rdi)
        pushq   $KERNEL_CODE
        pushq   $1f
        lretq                           // CS from the new table
1:      xorl    %eax, %eax
        movl    %eax, %ds               // not used in 64-bit mode
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %gs               // before the base is set: a load clears it
        movl    $KERNEL_DATA, %eax
        movl    %eax, %ss
        movl    $TSS_SELECTOR, %eax
        ltr     %ax
        movl    $MSR_GS_BASE, %ecx
        movl    %esi, %eax
        xorl    %edx, %edx              // the kernel lies below 4 GiB
        wrmsr
        write_msr MSR_KERNEL_GS_BASE, 0 // the user's, after the first SWAPGS
        write_msr MSR_STAR, 0, (USER_BASE << 16 | KERNEL_CODE)
        write_msr MSR_LSTAR, system_call_entry
        write_msr MSR_FMASK, SYSTEM_CALL_FLAGS
        ret
        .size   load_segments, . - load_segments

        .macro  stack name, size
        .balign 16
        .globl  \name
        .type   \name, @object
\name:
        .space  \size
        .size   \name, \size
        .endm

// Of the interrupt stack table: four for each CPU (Segments.swift).
        .bss
        .irp    n, 0, 1, 2, 3
        stack   nmi_stack\n, OWN_STACK_BYTES
        stack   double_fault_stack\n, OWN_STACK_BYTES
        stack   machine_check_stack\n, OWN_STACK_BYTES
        stack   page_fault_stack\n, OWN_STACK_BYTES
        .endr

        .section .note.GNU-stack, "", @progbits
