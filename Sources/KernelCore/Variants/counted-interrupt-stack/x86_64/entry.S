// Interrupts, exceptions and `int 0x80`: the way into the kernel, and the way out.
// (SYSCALL: system_call.S; what IF does not stop: own_stack.S.)
//
// All gates are interrupt gates: the CPU clears IF as it enters, so nothing can interrupt
// an entry before its registers are saved and GS is the kernel's. From ring 3 the CPU has
// switched to the stack that the TSS names; from ring 0 it stays on the stack it is on. It
// pushes SS, RSP, RFLAGS, CS, RIP in both cases. A nested entry puts its frame on top of
// what it interrupted, and comes off first.

#include "registers.h"
#include "segments.h"

#define FRAME_CS 24                     // above vector and error code
#define VECTOR_AND_ERROR 16

#define VECTOR 120                      // in a struct TrapFrame

        .bss
        .balign 16
        .globl  interrupt_stack
        .type   interrupt_stack, @object
interrupt_stack:
        .space  2048
        .size   interrupt_stack, . - interrupt_stack
        .globl  interrupt_stack_top
interrupt_stack_top:

// How many interrupts are in flight. Only the first one goes to the interrupt stack's top; those that nest
// are on it already.
        .globl  interrupt_depth
        .type   interrupt_depth, @object
interrupt_depth:
        .space  8
        .size   interrupt_depth, 8

        .text

// GS is the user's if, and only if, the entry came from ring 3. In between, the saved CS
// says "kernel" already and GS is still the user's: no interrupt may come there, as it would
// take this same way and leave GS alone.
        .globl  trap_common
        .type   trap_common, @function
trap_common:
        testb   $3, FRAME_CS(%rsp)
        jz      1f
        swapgs
1:      push_registers
        cld                             // the compiler relies on it
        .globl  entry_complete
entry_complete:
        movq    %rsp, %rdi              // the frame, on whatever stack was interrupted
        cmpl    $0x80, VECTOR(%rdi)
        je      system_call_on_task_stack       // it may sleep and be preempted
        cmpl    $32, VECTOR(%rdi)
        jb      system_call_on_task_stack       // nor do exceptions change stacks (M9)
        movq    %rdi, %rbx
        incl    interrupt_depth
        cmpl    $1, interrupt_depth
        jne     1f
        movq    $interrupt_stack_top, %rsp
1:      call    trap_dispatch
        movq    %rbx, %rsp              // back, with all that was pushed since
        decl    interrupt_depth
        jnz     trap_return
        call    preempt                 // none of this task's registers is left on the interrupt stack
        jmp     trap_return

system_call_on_task_stack:
        call    trap_dispatch

// The way out. A new task starts here too: its stack was made to look as if it had
// been interrupted at the first instruction of its program.
        .globl  trap_return
trap_return:
        cli                             // a system call comes here with IF = 1
        .globl  exit_begins
exit_begins:
        pop_registers
        testb   $3, FRAME_CS(%rsp)
        jz      1f
        swapgs
1:      addq    $VECTOR_AND_ERROR, %rsp
        iretq                           // RFLAGS, IF included, as they were (M5)
        .size   trap_common, . - trap_common

        .section .note.GNU-stack, "", @progbits
