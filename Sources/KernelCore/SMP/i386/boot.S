// Where the boot loader enters, by the multiboot specification (version 1), and where the other CPUs
// come to from their trampoline.

#include "segments.h"
#include "sizes.h"

#define MULTIBOOT_MAGIC 0x1BADB002
#define MULTIBOOT_FLAGS 0

#define CR4_PSE 0x10
#define CR0_PG 0x80000000
#define CR0_WP 0x00010000

        .section .multiboot, "a"
        .balign 4
        .long   MULTIBOOT_MAGIC
        .long   MULTIBOOT_FLAGS
        .long   -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

// Everything is mapped where it is, in pages of 4 MiB: one for the kernel, one for what is a user's own
// (kernel.ld), one for the interrupt controllers. And the window, of 4 KiB (Shootdown.swift). All
// entries are marked as accessed and dirty, so that the CPU never writes to them.
#define TABLE 0x23                      // present, writable, accessed
#define SMALL_PAGE 0x63                 // and dirty
#define KERNEL_PAGE 0xE3                // 4 MiB
#define USER_PAGE 0xE7
#define DEVICE_PAGE 0xFB                // not cached

        .data
        .balign 4096
        .type   page_directory, @object
page_directory:
        .long   0x000000 + KERNEL_PAGE
        .long   0x400000 + USER_PAGE
        .long   window_entry + TABLE
        .fill   0xFEC / 4 - 3, 4, 0
        .long   0xFEC00000 + DEVICE_PAGE
        .fill   1023 - 0xFEC / 4, 4, 0
        .size   page_directory, . - page_directory
        .globl  window_entry
        .type   window_entry, @object
window_entry:
        .long   window_frame0 + SMALL_PAGE
        .fill   1023, 4, 0
        .size   window_entry, . - window_entry

        .text
        .macro  turn_on_paging
        movl    %cr4, %eax
        orl     $CR4_PSE, %eax
        movl    %eax, %cr4
        movl    $page_directory, %eax
        movl    %eax, %cr3
        movl    %cr0, %eax
        orl     $CR0_PG | CR0_WP, %eax
        movl    %eax, %cr0
        .endm

        .globl  _start
        .type   _start, @function
// Protected mode, flat segments, IF = 0, EAX = the loader's magic, EBX = its
// information. ESP is undefined: the boot runs on the stack that this CPU will later
// idle on.
_start:
        movl    $idle_stack0_top, %esp
        xorl    %ebp, %ebp
        cld
        pushl   %ebx
        pushl   %eax
        turn_on_paging
        call    kernel_main
        ud2
        .size   _start, . - _start

// Protected mode, IF = 0, CS is KERNEL_CODE. The CPU that started this one waits until it has been
// heard of, so what it left in memory is for this one alone.
        .globl  processor_starts
        .type   processor_starts, @function
processor_starts:
        movl    $KERNEL_DATA, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    starting_stack, %esp
        xorl    %ebp, %ebp
        turn_on_paging
        pushl   starting_number
        call    processor_main
        ud2
        .size   processor_starts, . - processor_starts

// Called once when all is set up and no task has run yet. It does nothing: it is
// the place where a debugger, or a checker, takes over.
        .globl  exploration_start
        .type   exploration_start, @function
exploration_start:
        ret
        .size   exploration_start, . - exploration_start

        .section .note.GNU-stack, "", @progbits
