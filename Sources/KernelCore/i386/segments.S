// The GDT, the task state segment, and the two instructions' worth of code that a
// compiler cannot write: loading CS, and naming the stack for the next entry.

#include "segments.h"

// All are marked as accessed, so that the CPU never writes to the table.
        .data
        .balign 8
        .globl  gdt
        .type   gdt, @object
gdt:
        .quad   0
        .quad   0x00CF9B000000FFFF      // KERNEL_CODE: base 0, limit 4 GiB, DPL 0
        .quad   0x00CF93000000FFFF      // KERNEL_DATA
        .quad   0x00CFFB000000FFFF      // USER_CODE: the same, DPL 3
        .quad   0x00CFF3000000FFFF      // USER_DATA
gdt_tss:
        .word   TSS_SIZE - 1
        .word   0                       // base, filled in by segments_load
        .byte   0
        .byte   0x89                    // present, available 32-bit TSS
        .byte   0
        .byte   0
gdt_end:
        .size   gdt, . - gdt

gdt_pointer:
        .word   gdt_end - gdt - 1
        .long   gdt

// Only SS0:ESP0 is used: the stack on which an entry from ring 3 begins.
        .balign 4
        .globl  tss
        .type   tss, @object
tss:
        .space  TSS_SIZE - 2
        .word   TSS_SIZE                // no I/O bitmap
        .size   tss, . - tss

        .text
        .globl  segments_load
        .type   segments_load, @function
segments_load:
        movl    $tss, %eax
        movw    %ax, gdt_tss + 2
        shrl    $16, %eax
        movb    %al, gdt_tss + 4
        movb    %ah, gdt_tss + 7
        movl    $KERNEL_DATA, tss + TSS_SS0
        movl    $task0_kernel_stack_top, tss + TSS_ESP0 // until the first switch
        lgdt    gdt_pointer
        ljmp    $KERNEL_CODE, $1f
1:      movl    $KERNEL_DATA, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %gs
        movl    %eax, %ss
        movl    $TSS_SELECTOR, %eax
        ltr     %ax
        movl    %cr4, %eax
        orl     $CR4_MCE, %eax          // without it a machine check shuts the CPU down
        movl    %eax, %cr4
        ret
        .size   segments_load, . - segments_load

        .section .note.GNU-stack, "", @progbits
