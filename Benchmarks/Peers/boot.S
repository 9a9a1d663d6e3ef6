// What every peer kernel begins with: CPUS processors in 32-bit protected mode, flat segments, a TSS
// each, one interrupt table, local APICs on, 8259 pair masked. When all have come so far, CPU 0 goes on
// at `begin`, and the others at `processor_begins`, with the processor's number in EBX.
//
// The kernel defines `begin`, `processor_begins`, `gates` (a word of vector and type, and an address,
// for each; ended by a word of zero) and `boot_stacks_end`. Intel SDM Vol. 3A: §3.4.5 segments, §7.2.1
// TSS, §6.11 gates, §8.4 start-up, §10.4 local APIC.

#ifndef CPUS
#define CPUS 1
#endif

#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
#define USER_CODE   0x1B
#define USER_STACK  0x23
#define DATA        0x20        // flat, its descriptor's privilege is 3: it stays when ring 3 is entered
#define FIRST_TSS   0x28

#define APIC              0xFEE00000
#define APIC_ID           (APIC + 0x20)
#define APIC_EOI          (APIC + 0xB0)
#define APIC_SPURIOUS     (APIC + 0xF0)
#define APIC_COMMAND      (APIC + 0x300)
#define APIC_COMMAND_HIGH (APIC + 0x310)
#define APIC_TIMER        (APIC + 0x320)
#define APIC_TIMER_COUNT  (APIC + 0x380)
#define APIC_TIMER_DIVIDE (APIC + 0x3E0)
#define IOAPIC_INDEX      0xFEC00000
#define IOAPIC_DATA       0xFEC00010

#define TRAMPOLINE 0x8000
#define BOOT_STACK 512

        .section .multiboot, "a"
        .balign 4
        .long   0x1BADB002, 0, -0x1BADB002

        .text
        .globl  entry
entry:
        cld
        lgdt    gdt_pointer
        ljmp    $KERNEL_CODE, $1f
1:      movw    $KERNEL_DATA, %ax
        movw    %ax, %ss
        movl    $boot_stacks + BOOT_STACK, %esp
        movb    $0xFF, %al              // the 8259 pair is not used
        outb    %al, $0x21
        outb    %al, $0xA1
        call    make_tables
        xorl    %ebx, %ebx
        call    set_up_processor
#if CPUS > 1
        movl    $trampoline, %esi
        movl    $TRAMPOLINE, %edi
        movl    $trampoline_end - trampoline, %ecx
        rep movsb
        movl    $1, %ebp
2:      movl    %ebp, %eax
        shll    $24, %eax
        movl    %eax, APIC_COMMAND_HIGH
        movl    $0x4500, APIC_COMMAND                           // INIT
        movl    %eax, APIC_COMMAND_HIGH
        movl    $0x4600 | (TRAMPOLINE >> 12), APIC_COMMAND      // start-up
3:      pause
        cmpl    %ebp, alive
        jne     3b
        incl    %ebp
        cmpl    $CPUS, %ebp
        jne     2b
#endif
        jmp     begin

// Fills the interrupt table from `gates`, and the descriptors of the task state segments.
make_tables:
        movl    $gates, %esi
1:      movl    (%esi), %eax            // vector in the low half, type in the high one
        testl   %eax, %eax
        jz      2f
        movzwl  %ax, %edi
        movl    4(%esi), %edx
        movw    %dx, idt(, %edi, 8)
        movw    $KERNEL_CODE, idt + 2(, %edi, 8)
        shrl    $16, %eax
        movb    %al, idt + 5(, %edi, 8)
        shrl    $16, %edx
        movw    %dx, idt + 6(, %edi, 8)
        addl    $8, %esi
        jmp     1b
2:      xorl    %ecx, %ecx
        movl    $tss, %edx
3:      movl    %edx, %eax
        shll    $16, %eax
        movw    $103, %ax
        movl    %eax, gdt_tss(, %ecx, 8)
        movl    %edx, %eax
        shrl    $16, %eax
        orl     $0x8900, %eax           // present, 32-bit TSS, not busy
        movl    %eax, gdt_tss + 4(, %ecx, 8)
        movl    $KERNEL_DATA, 8(%edx)
        movl    $104 << 16, 100(%edx)   // no map of ports
        addl    $104, %edx
        incl    %ecx
        cmpl    $CPUS, %ecx
        jne     3b
        ret

// Of the processor with the number in EBX: data segments, tables, local APIC.
set_up_processor:
        movw    $DATA, %ax              // in both rings
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %fs
        movw    %ax, %gs
        lidt    idt_pointer
        leal    FIRST_TSS(, %ebx, 8), %eax
        ltr     %ax
        movl    $0x1FF, APIC_SPURIOUS
        ret

#if CPUS > 1
        .globl  processor_entry
processor_entry:
        movw    $KERNEL_DATA, %ax
        movw    %ax, %ss
        movw    %ax, %ds
        movl    APIC_ID, %ebx
        shrl    $24, %ebx
        imull   $BOOT_STACK, %ebx, %esp
        addl    $boot_stacks + BOOT_STACK, %esp
        call    set_up_processor
        lock incl alive
        jmp     processor_begins

        .code16
trampoline:
        cli
        cld
        xorw    %ax, %ax
        movw    %ax, %ds
        lgdtl   TRAMPOLINE + trampoline_gdt_pointer - trampoline
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $KERNEL_CODE, $processor_entry
        .balign 4
trampoline_gdt_pointer:
        .word   gdt_end - gdt - 1
        .long   gdt
trampoline_end:
        .code32
#endif

        .data
        .balign 8
gdt:    .quad   0
        .quad   0x00CF9A000000FFFF      // kernel code, kernel data, user code, user data: flat
        .quad   0x00CF92000000FFFF
        .quad   0x00CFFA000000FFFF
        .quad   0x00CFF2000000FFFF
gdt_tss:
        .fill   CPUS, 8, 0
gdt_end:
gdt_pointer:
        .word   gdt_end - gdt - 1
        .long   gdt
idt_pointer:
        .word   256 * 8 - 1
        .long   idt

        .bss
        .balign 16
idt:    .skip   256 * 8
        .balign 16
        .globl  tss
tss:    .skip   104 * CPUS
        .balign 16
boot_stacks:
        .skip   BOOT_STACK * CPUS
alive:  .skip   4
