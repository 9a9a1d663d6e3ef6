// Every way into the kernel, and the ways out.
//
// The mouse's handler is long and lets itself be interrupted. Its vector has two register save areas and two
// stacks: one of each for the entry that redraws, and one for an entry that comes meanwhile, which only
// leaves its packet. That one does not turn interrupts on, so there is no third level. Whatever else comes
// goes on the stack that it interrupts.

#include "segments.h"

#define MOUSE 44
#define PUSHED_BY_CPU 20                // the last words of a struct TrapFrame

        .bss
        .macro  storage name, bytes
        .balign 16
        .globl  \name
        .type   \name, @object
\name:
        .space  \bytes
        .size   \name, \bytes
        .globl  \name\()_top
\name\()_top:
        .endm

        storage outer_mouse_stack, 512
        storage nested_mouse_stack, 512
        storage outer_mouse_esp, 4      // where the CPU's frame of each level lies
        storage nested_mouse_esp, 4
        storage mouse_level, 4          // how many of its entries are in flight

        .text

        .globl  trap_common
        .type   trap_common, @function
trap_common:
        cmpl    $MOUSE, (%esp)
        je      mouse_common
        pushal
        pushl   %ds
        pushl   %es
        pushl   %fs
        pushl   %gs
        cld                             // the compiler relies on it
        movl    $KERNEL_DATA, %eax      // until here DS may be anything a user loaded
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %gs
        .globl  entry_complete
entry_complete:
        pushl   %esp                    // the frame, as trap_dispatch's argument
        call    trap_dispatch
        addl    $4, %esp

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
        popal
        addl    $8, %esp                // vector and error code
        iretl                           // EFLAGS, IF included, as they were (M5)
        .size   trap_common, . - trap_common

// One level of the mouse. The CPU's frame stays on the stack that was interrupted; the registers go to the
// level's own save area, at the top of its stack, laid out as the rest of a struct TrapFrame.
        .macro  mouse_entry level
        movl    %esp, %ss:\level\()_mouse_esp
        movl    $\level\()_mouse_stack_top - PUSHED_BY_CPU, %esp
        pushl   $0
        pushl   $MOUSE
        pushal
        pushl   %ds
        pushl   %es
        pushl   %fs
        pushl   %gs
        cld
        movl    $KERNEL_DATA, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %gs
        incl    mouse_level
        .globl  \level\()_mouse_complete
\level\()_mouse_complete:
        pushl   %esp
        call    trap_dispatch           // comes back with IF = 0
        addl    $4, %esp
        .globl  \level\()_mouse_exit
\level\()_mouse_exit:
        decl    mouse_level
        popl    %gs
        popl    %fs
        popl    %es
        popl    %ds
        popal
        movl    %ss:\level\()_mouse_esp, %esp
        addl    $8, %esp                // vector and error code
        iretl
        .endm

        .type   mouse_common, @function
mouse_common:
        cmpl    $0, %ss:mouse_level
        jne     nested_mouse
        mouse_entry outer
        .size   mouse_common, . - mouse_common
        .type   nested_mouse, @function
nested_mouse:
        mouse_entry nested
        .size   nested_mouse, . - nested_mouse

        .section .note.GNU-stack, "", @progbits
