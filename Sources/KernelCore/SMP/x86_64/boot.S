// Where the boot loader enters, by the multiboot specification (version 1), where the other CPUs come
// to from their trampoline, and the way from there into 64-bit mode.

#include "segments.h"
#include "sizes.h"

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

// Everything is mapped where it is, in pages of 2 MiB: two for the kernel, one for what is a user's
// own (kernel.ld), two for the interrupt controllers. And the window, of 4 KiB (Shootdown.swift). All
// entries are marked as accessed and dirty, so that the CPU never writes to them.
#define TABLE 0x27                      // present, writable, user, accessed
#define KERNEL_PAGE 0xE3                // present, writable, accessed, dirty, 2 MiB
#define USER_PAGE 0xE7
#define DEVICE_PAGE 0xFB                // not cached
#define SMALL_PAGE 0x63

        .data
        .balign 4096
        .type   page_map, @object
page_map:
        .quad   page_pointers + TABLE
        .fill   511, 8, 0
        .size   page_map, . - page_map
        .type   page_pointers, @object
page_pointers:
        .quad   page_directory + TABLE, 0, 0, device_directory + TABLE
        .fill   508, 8, 0
        .size   page_pointers, . - page_pointers
        .type   page_directory, @object
page_directory:
        .quad   0x000000 + KERNEL_PAGE
        .quad   0x200000 + KERNEL_PAGE
        .quad   0x400000 + USER_PAGE
        .quad   window_entry + TABLE
        .fill   508, 8, 0
        .size   page_directory, . - page_directory
        .type   device_directory, @object
device_directory:
        .fill   0x1F6, 8, 0
        .quad   0xFEC00000 + DEVICE_PAGE, 0xFEE00000 + DEVICE_PAGE
        .fill   8, 8, 0
        .size   device_directory, . - device_directory
        .globl  window_entry
        .type   window_entry, @object
window_entry:
        .quad   window_frame0 + SMALL_PAGE
        .fill   511, 8, 0
        .size   window_entry, . - window_entry

boot_gdt:
        .quad   0
        .quad   0x00AF9B000000FFFF      // KERNEL_CODE: 64-bit
        .quad   0x00CF93000000FFFF      // KERNEL_DATA
boot_gdt_pointer:
        .word   boot_gdt_pointer - boot_gdt - 1
        .quad   boot_gdt

        .text
        .code32
        .macro  go_to_64_bits
        movl    %cr4, %eax
        orl     $CR4_PAE, %eax
        movl    %eax, %cr4
        movl    $page_map, %eax
        movl    %eax, %cr3
        movl    $MSR_EFER, %ecx
        rdmsr
        orl     $EFER_LONG_MODE | EFER_SYSCALL, %eax
        wrmsr
        movl    %cr0, %eax
        orl     $CR0_PG | CR0_WP, %eax
        movl    %eax, %cr0              // from here on in compatibility mode
        lgdt    boot_gdt_pointer
        ljmp    $KERNEL_CODE, $1f
        .code64
1:
        .endm

        .globl  _start
        .type   _start, @function
// Protected mode, flat segments, IF = 0, EAX = the loader's magic, EBX = its
// information. ESP is undefined: the boot runs on the stack that this CPU will later
// idle on. EAX moves to EDI, where it will be the first argument.
        .code32
_start:
        movl    $idle_stack0_top, %esp
        movl    %eax, %edi
        xorl    %ebp, %ebp
        cld
        go_to_64_bits
        movl    %ebx, %esi
        call    kernel_main
        ud2
        .size   _start, . - _start

// Protected mode, IF = 0, CS is KERNEL_CODE. The CPU that started this one waits until it has been
// heard of, so what it left in memory is for this one alone.
        .globl  processor_starts
        .type   processor_starts, @function
        .code32
processor_starts:
        movl    $KERNEL_DATA, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        xorl    %ebp, %ebp
        go_to_64_bits
        movq    starting_stack, %rsp
        movq    starting_number, %rdi
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
