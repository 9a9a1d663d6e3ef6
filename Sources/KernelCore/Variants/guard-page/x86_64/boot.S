// Where the boot loader enters, by the multiboot specification (version 1), and the way from there
// into 64-bit mode.

#include "segments.h"

#define MULTIBOOT_MAGIC 0x1BADB002
#define MULTIBOOT_FLAGS 0

#define CR4_PAE 0x20
#define CR0_PG 0x80000000
#define CR0_WP 0x00010000

        .section .multiboot, "a"
        .balign 4
        .long   MULTIBOOT_MAGIC
        .long   MULTIBOOT_FLAGS
        .long   -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

// Everything is mapped where it is: the kernel's first 2 MiB in pages of 4 KiB, so that the page below
// each kernel stack can be left out, and in pages of 2 MiB the rest and what is a user's own (kernel.ld).
// All entries are marked as accessed and dirty, so that the CPU never writes to them.
#define TABLE 0x27                      // present, writable, user, accessed
#define KERNEL_PAGE 0xE3                // present, writable, accessed, dirty, 2 MiB
#define USER_PAGE 0xE7
#define SMALL_PAGE 0x63                 // present, writable, accessed, dirty

        .data
        .balign 4096
        .type   page_map, @object
page_map:
        .quad   page_pointers + TABLE
        .fill   511, 8, 0
        .size   page_map, . - page_map
        .type   page_pointers, @object
page_pointers:
        .quad   page_directory + TABLE
        .fill   511, 8, 0
        .size   page_pointers, . - page_pointers
        .type   page_directory, @object
page_directory:
        .quad   page_table + TABLE
        .quad   0x200000 + KERNEL_PAGE
        .quad   0x400000 + USER_PAGE
        .fill   509, 8, 0
        .size   page_directory, . - page_directory
        .type   page_table, @object
page_table:
        .set    page, SMALL_PAGE
        .rept   512
        .quad   page
        .set    page, page + 4096
        .endr
        .size   page_table, . - page_table

// Touched by nobody: who runs over a kernel stack's end meets it.
        .macro  leave_out page
        movl    $\page, %eax
        shrl    $12, %eax
        movl    $0, page_table(, %eax, 8)
        .endm

        .text
        .globl  _start
        .type   _start, @function
// Protected mode, flat segments, IF = 0, EAX = the loader's magic, EBX = its
// information. ESP is undefined: the boot runs on the stack that it will later
// idle on. EAX moves to EDI, where it will be the first argument.
        .code32
_start:
        movl    $idle_stack_top, %esp
        movl    %eax, %edi
        xorl    %ebp, %ebp
        cld
        movl    %cr4, %eax
        orl     $CR4_PAE, %eax
        movl    %eax, %cr4
        leave_out task0_guard
        leave_out task1_guard
        movl    $page_map, %eax
        movl    %eax, %cr3
        movl    $MSR_EFER, %ecx
        rdmsr
        orl     $EFER_LONG_MODE | EFER_SYSCALL, %eax
        wrmsr
        movl    %cr0, %eax
        orl     $CR0_PG | CR0_WP, %eax
        movl    %eax, %cr0              // from here on in compatibility mode
        lgdt    gdt_pointer
        ljmp    $KERNEL_CODE, $1f

        .code64
1:      movl    %ebx, %esi
        call    kernel_main
        ud2
        .size   _start, . - _start

// Called once when all is set up and no task has run yet. It does nothing: it is
// the place where a debugger, or a checker, takes over.
        .globl  exploration_start
        .type   exploration_start, @function
exploration_start:
        ret
        .size   exploration_start, . - exploration_start

        .section .note.GNU-stack, "", @progbits
