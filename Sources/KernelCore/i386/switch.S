// context_switch(&save, load): leaves the stack that we are on, noting where it was
// left in `save`, and goes on with the stack that was left at `load`.
//
// It is an ordinary call: the caller-saved registers are dead here by the calling
// convention, so the four others and the return address are all there is to keep.
// The call returns in another task, into whatever called context_switch when that
// task was suspended: a timer interrupt, a system call, or nothing at all for a task
// that is new (task_create laid its stack out so that it returns into trap_return).
//
// EFLAGS is not switched. IF is 0 for all who come here, and each caller restores
// its own.

        .text
        .globl  context_switch
        .type   context_switch, @function
context_switch:
        movl    4(%esp), %eax
        movl    8(%esp), %edx
        pushl   %ebp
        pushl   %ebx
        pushl   %esi
        pushl   %edi
        movl    %esp, (%eax)
        movl    %edx, %esp
        popl    %edi
        popl    %esi
        popl    %ebx
        popl    %ebp
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
