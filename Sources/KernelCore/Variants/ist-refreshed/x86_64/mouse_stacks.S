// Two stacks for the mouse's vector: one for the redraw, one for the packet that comes meanwhile. That one
// does not redraw, so a third is never wanted.

#include "segments.h"

#define MOUSE_STACK 5
#define MOUSE_ENTRY tss + TSS_IST1 + (MOUSE_STACK - 1) * 8

        .bss
        .macro  stack name, size
        .balign 16
        .globl  \name
        .type   \name, @object
\name:
        .space  \size
        .size   \name, \size
        .globl  \name\()_top
\name\()_top:
        .endm

        stack   next_mouse_stack, 1024
        stack   first_mouse_stack, 1024

        .text
        .globl  name_first_mouse_stack
        .type   name_first_mouse_stack, @function
name_first_mouse_stack:
        movq    $first_mouse_stack_top, MOUSE_ENTRY
        ret
        .size   name_first_mouse_stack, . - name_first_mouse_stack

        .globl  name_next_mouse_stack
        .type   name_next_mouse_stack, @function
name_next_mouse_stack:
        movq    $next_mouse_stack_top, MOUSE_ENTRY
        ret
        .size   name_next_mouse_stack, . - name_next_mouse_stack

        .section .note.GNU-stack, "", @progbits
