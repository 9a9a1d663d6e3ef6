// A system call takes its number in RAX and its arguments in RDI and RSI; the result comes
// back in RAX. Programs call by `int $0x80`, through a gate, as on i386.

#include "system_calls.h"

        .macro  call_kernel number, first=0, second=0
        movl    $\first, %edi
        movl    $\second, %esi
        movl    $\number, %eax
        int     $0x80
        .endm

// Writes the byte that the last call returned, from the user stack.
        .macro  write_result
        pushq   %rax
        movq    %rsp, %rdi
        movl    $1, %esi
        movl    $SYS_WRITE, %eax
        int     $0x80
        popq    %rax
        .endm
