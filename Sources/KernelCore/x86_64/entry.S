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
