// task_begins: what `context_switch` returns into in a task that is new. It gives back the run lock
// that was taken for it, and goes to the task's program by the way out of the kernel.

        .text
        .globl  task_begins
        .type   task_begins, @function
task_begins:
        call    finish_switch
        jmp     trap_return
        .size   task_begins, . - task_begins

        .section .note.GNU-stack, "", @progbits
