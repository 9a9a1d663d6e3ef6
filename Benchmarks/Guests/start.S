// Multiboot header and entry of the compute loop.

        .section .multiboot, "a"
        .balign 4
        .long   0x1BADB002
        .long   0
        .long   -0x1BADB002

        .text
        .globl  _start
_start:
        movl    $stack_end, %esp
        xorl    %ebp, %ebp
        cld
        call    work
1:      hlt
        jmp     1b

        .bss
        .balign 16
        .space  4096
stack_end:
