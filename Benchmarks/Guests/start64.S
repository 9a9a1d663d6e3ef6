// Multiboot header and entry of the compute loop in 64-bit mode: 2 MiB pages map the first GiB to itself.

        .section .multiboot, "a"
        .balign 4
        .long   0x1BADB002
        .long   0
        .long   -0x1BADB002

        .text
        .code32
        .globl  _start
_start:
        cld
        movl    $stack_end, %esp
        movl    $pointers + 3, pml4
        movl    $directory + 3, pointers
        movl    $directory, %edi
        movl    $0x83, %eax
        movl    $512, %ecx
1:      movl    %eax, (%edi)
        addl    $0x200000, %eax
        addl    $8, %edi
        loop    1b
        movl    %cr4, %eax
        orl     $0x20, %eax             // PAE
        movl    %eax, %cr4
        movl    $pml4, %eax
        movl    %eax, %cr3
        movl    $0xC0000080, %ecx       // EFER
        rdmsr
        orl     $0x100, %eax            // LME
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000000, %eax       // PG
        movl    %eax, %cr0
        lgdt    pointer
        ljmp    $8, $1f
        .code64
1:      movl    $16, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        xorl    %ebp, %ebp
        call    work
1:      hlt
        jmp     1b

        .data
        .balign 8
table:  .quad   0
        .quad   0x00AF9A000000FFFF      // 64-bit code
        .quad   0x00CF92000000FFFF      // data
pointer:
        .word   . - table - 1
        .long   table

        .bss
        .balign 4096
pml4:   .space  4096
pointers:
        .space  4096
directory:
        .space  4096
        .space  4096
stack_end:
