// Where the boot loader enters, by the multiboot specification (version 1).

#define MULTIBOOT_MAGIC 0x1BADB002
#define MULTIBOOT_FLAGS 0

        .section .multiboot, "a"
        .balign 4
        .long   MULTIBOOT_MAGIC
        .long   MULTIBOOT_FLAGS
        .long   -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

        .text
        .globl  _start
        .type   _start, @function
// Protected mode, flat segments, IF = 0, EAX = the loader's magic, EBX = its
// information. ESP is undefined: the boot runs on the stack that it will later
// idle on.
_start:
        movl    $idle_stack_top, %esp
        xorl    %ebp, %ebp
        cld
        pushl   %ebx
        pushl   %eax
        call    kernel_main
        ud2
        .size   _start, . - _start

// Called once when all is set up and no task has run yet. It does nothing: it is
// the place where a debugger, or a checker, takes over.
        .globl  exploration_start
        .type   exploration_start, @function
exploration_start:
        ret
        .size   exploration_start, . - exploration_start

        .section .note.GNU-stack, "", @progbits
