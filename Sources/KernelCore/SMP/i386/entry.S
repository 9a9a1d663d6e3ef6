// Every way into the kernel, and the one way out.
//
// As in the core for one CPU, but for GS: in the kernel it leads to the CPU's own block. A user may have
// loaded anything; each entry loads it anew, also where it was the kernel's already. Which block
// that is says the descriptor table of the CPU that executes this.

#include "segments.h"
#include "trap_frame.h"

        .cfi_sections .debug_frame
        .text

        .globl  trap_common
        .type   trap_common, @function
trap_common:
        TRAP_FRAME(8)
        pushal
        SAVED_BY_PUSHAL
        pushl   %ds
        pushl   %es
        pushl   %fs
        pushl   %gs
        .cfi_adjust_cfa_offset 16
        cld                             // the compiler relies on it
        movl    $KERNEL_DATA, %eax      // until here DS may be anything a user loaded
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %fs
        movl    $KERNEL_CPU, %eax
        movl    %eax, %gs
        .globl  entry_complete
entry_complete:
        pushl   %esp                    // the frame, as trap_dispatch's argument
        .cfi_adjust_cfa_offset 4
        call    trap_dispatch
        addl    $4, %esp
        .cfi_adjust_cfa_offset -4

// The way out. A new task starts here too: its stack was made to look as if it had
// been interrupted at the first instruction of its program.
        .globl  trap_return
trap_return:
        cli                             // a system call comes here with IF = 1
        .globl  exit_begins
exit_begins:
        popl    %gs
        popl    %fs
        popl    %es
        popl    %ds
        .cfi_adjust_cfa_offset -16
        popal
        .cfi_endproc
        TRAP_FRAME(8)
        addl    $8, %esp                // vector and error code
        .cfi_adjust_cfa_offset -8
        iretl                           // EFLAGS, IF included, as they were (M5)
        .cfi_endproc
        .size   trap_common, . - trap_common

        .section .note.GNU-stack, "", @progbits
