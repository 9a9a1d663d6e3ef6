// One stub per vector. It makes all frames alike (the CPU pushes an error code for some
// exceptions only), says which vector it was, and goes on in the common entry; on x86-64 in
// another one if the vector has a stack of its own.

#include "segments.h"
#include "sizes.h"
#include "trap_frame.h"

        .cfi_sections .debug_frame

        .text

        .macro  stub vector, has_error_code
        .type   vector_\vector, @function
vector_\vector:
        .if     \has_error_code == 0
        TRAP_FRAME(0)
        push    $0
        .cfi_adjust_cfa_offset WORD_BYTES
        .else
        TRAP_FRAME(WORD_BYTES)
        .endif
        push    $\vector
        .cfi_adjust_cfa_offset WORD_BYTES
        .if     HAS_OWN_STACK(\vector)
        jmp     own_stack_common
        .else
        jmp     trap_common
        .endif
        .cfi_endproc
        .size   vector_\vector, . - vector_\vector
        .endm

        .altmacro
        .macro  stub_for vector
        .if     (\vector == 8) || (\vector >= 10 && \vector <= 14) || (\vector == 17) || (\vector == 21)
        stub    \vector, 1
        .else
        stub    \vector, 0
        .endif
        .endm

        .set    i, 0
        .rept   48
        stub_for %i
        .set    i, i + 1
        .endr
        stub    128, 0

        .section .rodata
        .balign WORD_BYTES
        .globl  vector_stubs
        .type   vector_stubs, @object
        .macro  stub_address vector
        POINTER vector_\vector
        .endm
vector_stubs:
        .set    i, 0
        .rept   48
        stub_address %i
        .set    i, i + 1
        .endr
        .size   vector_stubs, . - vector_stubs
        .globl  system_call_stub
system_call_stub:
        POINTER vector_128
        .size   system_call_stub, . - system_call_stub

        .section .note.GNU-stack, "", @progbits
