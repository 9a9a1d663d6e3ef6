// The first sector of the disk that Bochs boots: loads a multiboot image by BIOS, copies it to
// where it belongs, and enters it as the Multiboot Specification (0.6.96, §3.2) wants.
//
// Sectors from 1 on go to LOADED: one sector with the multiboot information and, at its end, the list of the
// image's pieces (where each goes, and its words; the last one has none), then the pieces. The two
// words at this sector's end are filled in when the disk is made (DiskImage.swift).
//
// Just before the entry the line "BEGIN" and the time-stamp counter, in hexadecimal, go to port
// 0xE9, so that neither the BIOS nor this loader is in any measurement.

#define LOADED 0x10000
#define PIECES LOADED + 464
#define DEBUG_PORT 0xE9
#define CHUNK 64

        .code16
        .globl  _start
_start:
        ljmp    $0, $1f
1:      cli
        cld
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $_start, %sp
        sti
        movw    sectors, %bp
// INT 13h, AH=42h: reads CHUNK sectors at a time, 32 KiB.
2:      movw    $packet, %si
        movb    $0x42, %ah
        int     $0x13
        jc      failed
        addw    $CHUNK * 512 / 16, packet_segment
        addw    $CHUNK, packet_block
        subw    $CHUNK, %bp
        ja      2b

        cli
        inb     $0x92, %al
        orb     $2, %al
        outb    %al, $0x92
        lgdtl   gdt_pointer
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $8, $protected

failed: hlt
        jmp     failed

        .code32
protected:
        movw    $0x10, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %fs
        movw    %ax, %gs
        movw    %ax, %ss
        movl    $LOADED + 512, %esi
        movl    $PIECES, %ebp
6:      movl    (%ebp), %edi
        movl    4(%ebp), %ecx
        addl    $8, %ebp
        rep movsl
        cmpl    $0, 4(%ebp)
        jne     6b

        movl    $begin, %esi
3:      lodsb
        testb   %al, %al
        jz      4f
        outb    %al, $DEBUG_PORT
        jmp     3b
4:      rdtsc
        movl    %eax, %edx
        movl    $8, %ecx
5:      roll    $4, %edx
        movl    %edx, %eax
        andl    $15, %eax
        movb    digits(%eax), %al
        outb    %al, $DEBUG_PORT
        loop    5b
        movb    $'\n', %al
        outb    %al, $DEBUG_PORT

        movl    $0x2BADB002, %eax
        movl    $LOADED, %ebx
        jmpl    *entry

begin:  .asciz  "\nBEGIN "
digits: .ascii  "0123456789abcdef"

        .balign 8
gdt:    .quad   0
        .quad   0x00CF9B000000FFFF
        .quad   0x00CF93000000FFFF
gdt_pointer:
        .word   . - gdt - 1
        .long   gdt

        .balign 4
packet: .byte   16, 0
        .word   CHUNK
        .word   0
packet_segment:
        .word   LOADED / 16
packet_block:
        .quad   1

        .org    0x1F4
sectors:
        .long   0
entry:  .long   0
        .org    0x1FE
        .word   0xAA55
