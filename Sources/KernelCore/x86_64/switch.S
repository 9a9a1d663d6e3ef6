// context_switch(&save, load): leaves the stack that we are on, noting where it was
// left in `save`, and goes on with the stack that was left at `load`.
//
// It is an ordinary call: the caller-saved registers are dead here by the calling
// convention, so the six others and the return address are all there is to keep.
// The call returns in another task, into whatever called context_switch when that
// task was suspended: a timer interrupt, a system call, or nothing at all for a task
// that is new (layOutStack made its stack so that it returns into trap_return).
//
// RFLAGS is not switched. IF is 0 for all who come here, and each caller restores
// its own. Nor is GS: it is the CPU's, and user programs leave theirs at 0.

        .text
        .globl  context_switch
        .type   context_switch, @function
context_switch:
        pushq   %rbp
        pushq   %rbx
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, (%rdi)
        movq    %rsi, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbx
        popq    %rbp
        ret
        .size   context_switch, . - context_switch

// cpu_idle(): waits for an interrupt. IF is 0 before and after.
//
// STI takes effect only after the next instruction, so that no interrupt fits between
// it and HLT: one that made a task ready there would be followed by a sleep.
        .globl  cpu_idle
        .type   cpu_idle, @function
cpu_idle:
        sti
        hlt
        cli
        ret
        .size   cpu_idle, . - cpu_idle

        .section .note.GNU-stack, "", @progbits
