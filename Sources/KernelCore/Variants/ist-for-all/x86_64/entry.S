// Interrupts, exceptions and `int 0x80`: the way into the kernel, and the way out.
// (SYSCALL: system_call.S; what IF does not stop: own_stack.S.)
//
// Each interrupt arrives on a stack of its own, of the interrupt stack table, so that the CPU writes nothing
// below the stack pointer of what it interrupts: kernel code may have a red zone. As that stack is started at
// its top the next time, the entry does not stay there: it moves the frame to the task's kernel stack, or
// below what it interrupted and its red zone.
//
// All gates are interrupt gates: the CPU clears IF as it enters, so nothing can interrupt
// an entry before its registers are saved, its frame moved, and GS the kernel's.

#include "registers.h"
#include "segments.h"

#define FRAME_CS 24                     // above vector and error code
#define VECTOR_AND_ERROR 16
#define FRAME_RSP 40
#define RED_ZONE_BYTES 128

        .bss
        .macro  stack name
        .balign 16
        .globl  \name
        .type   \name, @object
\name:
        .space  256
        .size   \name, 256
\name\()_top:
        .endm

        stack   timer_stack
        stack   keyboard_stack
        stack   mouse_stack

        .text
        .globl  name_interrupt_stacks
        .type   name_interrupt_stacks, @function
name_interrupt_stacks:
        movq    $timer_stack_top, tss + TSS_IST1 + 4 * 8
        movq    $keyboard_stack_top, tss + TSS_IST1 + 5 * 8
        movq    $mouse_stack_top, tss + TSS_IST1 + 6 * 8
        ret
        .size   name_interrupt_stacks, . - name_interrupt_stacks

// Comes here with vector and error code on top of the CPU's frame.
        .macro  copy_word offset
        movq    16 + \offset(%rsp), %rcx
        movq    %rcx, \offset(%rax)
        .endm

        .globl  interrupt_common
        .type   interrupt_common, @function
interrupt_common:
        testb   $3, FRAME_CS(%rsp)
        jz      1f
        swapgs
        pushq   %rax
        pushq   %rcx
        movq    %gs:CPU_KERNEL_STACK, %rax      // empty
        jmp     2f
1:      pushq   %rax
        pushq   %rcx
        movq    16 + FRAME_RSP(%rsp), %rax
        subq    $RED_ZONE_BYTES, %rax
        andq    $-16, %rax
2:      subq    $56, %rax
        copy_word 0                     // vector
        copy_word 8                     // error code
        copy_word 16                    // RIP
        copy_word 24                    // CS
        copy_word 32                    // RFLAGS
        copy_word 40                    // RSP
        copy_word 48                    // SS
        movq    8(%rsp), %rcx           // RAX as it was
        subq    $8, %rax
        movq    %rcx, (%rax)
        popq    %rcx
        movq    %rax, %rsp              // from here on no other interrupt can do harm
        popq    %rax
        push_registers
        cld
        .globl  interrupt_complete
interrupt_complete:
        movq    %rsp, %rdi
        call    trap_dispatch
        jmp     trap_return
        .size   interrupt_common, . - interrupt_common

// GS is the user's if, and only if, the entry came from ring 3. In between, the saved CS
// says "kernel" already and GS is still the user's: no interrupt may come there, as it would
// take this same way and leave GS alone.
        .globl  trap_common
        .type   trap_common, @function
trap_common:
        cmpl    $32, (%rsp)
        jb      3f
        cmpl    $48, (%rsp)
        jb      interrupt_common
3:      testb   $3, FRAME_CS(%rsp)
        jz      1f
        swapgs
1:      push_registers
        cld                             // the compiler relies on it
        .globl  entry_complete
entry_complete:
        movq    %rsp, %rdi              // the frame, as trap_dispatch's argument
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
