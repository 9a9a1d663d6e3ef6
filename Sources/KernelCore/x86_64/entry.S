// Every way into the kernel, and the ways out.
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

// SYSCALL: the CPU has put RIP into RCX and RFLAGS into R11, has cleared IF (FMASK), and has
// switched no stack. So nothing may push before the kernel's stack is loaded, by hand, from
// the CPU's own block; then the frame is made as a gate would have made it.
        .globl  system_call_entry
        .type   system_call_entry, @function
system_call_entry:
        swapgs
        movq    %rsp, %gs:CPU_USER_STACK
        movq    %gs:CPU_KERNEL_STACK, %rsp
        pushq   $USER_DATA
        pushq   %gs:CPU_USER_STACK
        movq    $0, %gs:CPU_USER_STACK  // whoever is switched to has a copy of its own
        pushq   %r11
        pushq   $USER_CODE
        pushq   %rcx
        pushq   $0
        pushq   $128
        push_registers
        .globl  system_call_complete
system_call_complete:
        movq    %rsp, %rdi
        call    trap_dispatch
        cli
        .globl  system_call_exit
system_call_exit:
        pop_registers
        addq    $VECTOR_AND_ERROR, %rsp
        movq    (%rsp), %rcx            // RIP
        movq    16(%rsp), %r11          // RFLAGS
        movq    24(%rsp), %rsp          // from here on the user's stack, in ring 0: IF must be 0
        swapgs
        sysretq                         // IF comes back from R11
        .size   system_call_entry, . - system_call_entry

// Entries that IF does not stop, and those of broken stacks. They come anywhere, also where
// the saved CS says "kernel" and GS is still, or again, the user's. So they look at GS itself.
// Each vector has a stack of its own: that of the interrupted code may be the user's.
        .globl  own_stack_common
        .type   own_stack_common, @function
own_stack_common:
        push_registers
        cld
        movl    $MSR_GS_BASE, %ecx
        rdmsr
        shlq    $32, %rdx
        orq     %rdx, %rax
        xorl    %ebx, %ebx              // the calling convention keeps it: was GS swapped?
        cmpq    $this_cpu, %rax
        je      1f
        swapgs
        movl    $1, %ebx
1:
        .globl  own_stack_complete
own_stack_complete:
        movq    %rsp, %rdi
        call    trap_dispatch
        .globl  own_stack_exit
own_stack_exit:
        testl   %ebx, %ebx
        jz      1f
        swapgs
1:      pop_registers
        addq    $VECTOR_AND_ERROR, %rsp
        iretq
        .size   own_stack_common, . - own_stack_common

        .section .note.GNU-stack, "", @progbits
