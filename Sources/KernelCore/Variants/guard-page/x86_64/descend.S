// A function that calls itself without end, as a defect of the kernel's would, with interrupts off.

        .text
        .globl  descend
        .type   descend, @function
descend:
        cli
again:  call    again
        ret
        .size   descend, . - descend

        .section .note.GNU-stack, "", @progbits
