// Wrong: an entry saves the registers in one place, as a slot in a structure, rather than
// on the stack. The next entry, be it nested or another task's, overwrites them.

#include "registers.h"
#include "segments.h"

#define FRAME_CS 24                     // above vector and error code
#define VECTOR_AND_ERROR 16

// Where vector and error code are in a struct TrapFrame; the registers lie below, in its order.
#define VECTOR 120
#define ERROR_CODE 128

        .bss
        .balign 8
        .globl  save_area
        .type   save_area, @object
save_area:
        .space  176
        .size   save_area, . - save_area

        .text
        .globl  trap_common
        .type   trap_common, @function
trap_common:
        testb   $3, FRAME_CS(%rsp)
        jz      1f
        swapgs
1:      popq    save_area + VECTOR
        popq    save_area + ERROR_CODE
        movq    %rdi, save_area + 112
        movq    %rsi, save_area + 104
        movq    %rdx, save_area + 96
        movq    %rcx, save_area + 88
        movq    %rax, save_area + 80
        movq    %r8, save_area + 72
        movq    %r9, save_area + 64
        movq    %r10, save_area + 56
        movq    %r11, save_area + 48
        movq    %rbx, save_area + 40
        movq    %rbp, save_area + 32
        movq    %r12, save_area + 24
        movq    %r13, save_area + 16
        movq    %r14, save_area + 8
        movq    %r15, save_area + 0
        cld
        .globl  entry_complete
entry_complete:
        movq    $save_area, %rdi
        call    trap_dispatch
        cli
        .globl  exit_begins
exit_begins:
        movq    save_area + 0, %r15
        movq    save_area + 8, %r14
        movq    save_area + 16, %r13
        movq    save_area + 24, %r12
        movq    save_area + 32, %rbp
        movq    save_area + 40, %rbx
        movq    save_area + 48, %r11
        movq    save_area + 56, %r10
        movq    save_area + 64, %r9
        movq    save_area + 72, %r8
        movq    save_area + 80, %rax
        movq    save_area + 88, %rcx
        movq    save_area + 96, %rdx
        movq    save_area + 104, %rsi
        movq    save_area + 112, %rdi
        testb   $3, 8(%rsp)             // the saved CS
        jz      1f
        swapgs
1:      iretq
        .size   trap_common, . - trap_common

// Where a new task starts: its first frame does lie on its stack.
        .globl  trap_return
        .type   trap_return, @function
trap_return:
        pop_registers
        addq    $VECTOR_AND_ERROR, %rsp
        swapgs
        iretq
        .size   trap_return, . - trap_return

        .section .note.GNU-stack, "", @progbits
