// A system call takes its number in EAX and its arguments in EBX and ECX; the result
// comes back in EAX.

#include "system_calls.h"

        .macro  call_kernel number, first=0, second=0
        movl    $\first, %ebx
        movl    $\second, %ecx
        movl    $\number, %eax
        int     $0x80
        .endm

// Writes the byte that the last call returned, from the user stack.
        .macro  write_result
        pushl   %eax
        movl    %esp, %ebx
        movl    $1, %ecx
        movl    $SYS_WRITE, %eax
        int     $0x80
        popl    %eax
        .endm
