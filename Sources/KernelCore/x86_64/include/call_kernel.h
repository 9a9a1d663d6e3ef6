// A system call takes its number in RAX and its arguments in RDI and RSI; the result comes
// back in RAX. SYSCALL itself changes RCX and R11.

#include "system_calls.h"

        .macro  call_kernel number, first=0, second=0
        movl    $\first, %edi
        movl    $\second, %esi
        movl    $\number, %eax
        syscall
        .endm

// Writes the byte that the last call returned, from the user stack.
        .macro  write_result
        pushq   %rax
        movq    %rsp, %rdi
        movl    $1, %esi
        movl    $SYS_WRITE, %eax
        syscall
        popq    %rax
        .endm
