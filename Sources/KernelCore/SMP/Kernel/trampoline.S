// Where a CPU begins that is sent a start-up message: in real mode, at the page that the message
// names. This code is copied there (Processors.swift). It does no more than get into 32 bits.

#include "segments.h"

#define CR0_PE 1
#define CR0_CACHES_OFF 0x60000000       // CD and NW, which INIT leaves set

        .section .rodata
        .code16
        .globl  trampoline_begin, trampoline_end
trampoline_begin:
        cli
        cld
        movw    %cs, %ax
        movw    %ax, %ds
        lgdtl   (trampoline_gdt_pointer - trampoline_begin)
        movl    %cr0, %eax
        andl    $~CR0_CACHES_OFF, %eax
        orl     $CR0_PE, %eax
        movl    %eax, %cr0
        ljmpl   $KERNEL_CODE, $processor_starts
        .balign 8
trampoline_gdt:
        .quad   0
        .quad   0x00CF9B000000FFFF      // KERNEL_CODE, of 32 bits
        .quad   0x00CF93000000FFFF      // KERNEL_DATA
trampoline_gdt_pointer:
        .word   trampoline_gdt_pointer - trampoline_gdt - 1
        .long   TRAMPOLINE + trampoline_gdt - trampoline_begin
trampoline_end:

        .section .note.GNU-stack, "", @progbits
