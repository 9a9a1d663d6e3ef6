// The GDT, the task state segment with its interrupt stack table, the CPU's own block, and what the
// CPU must know before it can be entered by SYSCALL.

#include "segments.h"

// All are marked as accessed, so that the CPU never writes to the table.
        .data
        .balign 8
        .globl  gdt
        .type   gdt, @object
gdt:
        .quad   0
        .quad   0x00AF9B000000FFFF      // KERNEL_CODE: 64-bit, DPL 0
        .quad   0x00CF93000000FFFF      // KERNEL_DATA
        .quad   0                       // 32-bit user code, which SYSRET would want here
        .quad   0x00CFF3000000FFFF      // USER_DATA: DPL 3
        .quad   0x00AFFB000000FFFF      // USER_CODE
gdt_tss:
        .word   TSS_SIZE - 1
        .word   0                       // base, filled in by segments_load
        .byte   0
        .byte   0x89                    // present, available 64-bit TSS
        .byte   0
        .byte   0
        .quad   0                       // base, upper half: 0
gdt_end:
        .size   gdt, . - gdt

        .globl  gdt_pointer
gdt_pointer:
        .word   gdt_end - gdt - 1
        .quad   gdt

// RSP0 is the stack on which an entry from ring 3 begins; the interrupt stack table has those that a
// vector can name for itself.
        .balign 8
        .globl  tss
        .type   tss, @object
        .space  4                       // so that the stack pointers lie in whole words
tss:
        .long   0
        .quad   task0_kernel_stack_top  // until the first switch
        .quad   0, 0, 0
        .quad   nmi_stack_top, double_fault_stack_top, machine_check_stack_top
        .quad   page_fault_stack_top, 0, 0, 0, 0
        .word   0
        .word   TSS_SIZE                // no I/O bitmap
        .size   tss, . - tss

// At the base of GS while the kernel runs. SWAPGS exchanges it for the user's.
        .balign 8
        .globl  this_cpu
        .type   this_cpu, @object
this_cpu:
        .quad   this_cpu                // CPU_SELF
        .quad   task0_kernel_stack_top  // CPU_KERNEL_STACK
        .quad   0                       // CPU_USER_STACK
        .size   this_cpu, . - this_cpu

        .text
        .macro  write_msr number, low, high=0
        movl    $\number, %ecx
        movl    $\low, %eax
        movl    $\high, %edx
        wrmsr
        .endm

        .globl  segments_load
        .type   segments_load, @function
segments_load:
        movl    $tss, %eax
        movw    %ax, gdt_tss + 2
        shrl    $16, %eax
        movb    %al, gdt_tss + 4
        movb    %ah, gdt_tss + 7
        xorl    %eax, %eax
        movl    %eax, %ds               // not used in 64-bit mode
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %gs               // before the base is set: a load clears it
        movl    $KERNEL_DATA, %eax
        movl    %eax, %ss
        movl    $TSS_SELECTOR, %eax
        ltr     %ax
        write_msr MSR_GS_BASE, this_cpu
        write_msr MSR_KERNEL_GS_BASE, 0 // the user's, after the first SWAPGS
        write_msr MSR_STAR, 0, (USER_BASE << 16 | KERNEL_CODE)
        write_msr MSR_LSTAR, system_call_entry
        write_msr MSR_FMASK, SYSTEM_CALL_FLAGS
        movq    %cr4, %rax
        orq     $CR4_MCE, %rax          // without it a machine check shuts the CPU down
        movq    %rax, %cr4
        ret
        .size   segments_load, . - segments_load

        .macro  stack name, size
        .balign 16
        .globl  \name
        .type   \name, @object
\name:
        .space  \size
        .size   \name, \size
        .globl  \name\()_top
\name\()_top:
        .endm

        .bss
        stack   nmi_stack, 512
        stack   double_fault_stack, 1024
        stack   machine_check_stack, 1024
        stack   page_fault_stack, 1024

        .section .note.GNU-stack, "", @progbits
