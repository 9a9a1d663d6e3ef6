// A function that calls itself without end, as a defect of the kernel's would.

        .text
        .globl  descend
        .type   descend, @function
descend:
        call    descend
        ret
        .size   descend, . - descend

        .section .note.GNU-stack, "", @progbits
