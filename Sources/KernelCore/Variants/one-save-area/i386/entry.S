// Wrong: an entry saves the registers in one place, as a slot in a structure, rather than
// on the stack. The next entry, be it nested or another task's, overwrites them.

#include "segments.h"

        .text

// Where each register is in a struct TrapFrame.
#define GS 0
#define FS 4
#define ES 8
#define DS 12
#define EDI 16
#define ESI 20
#define EBP 24
#define EBX 32
#define EDX 36
#define ECX 40
#define EAX 44
#define VECTOR 48
#define ERROR_CODE 52

        .bss
        .balign 4
        .globl  save_area
        .type   save_area, @object
save_area:
        .space  76
        .size   save_area, . - save_area

        .text
        .globl  trap_common
        .type   trap_common, @function
trap_common:
        popl    save_area + VECTOR
        popl    save_area + ERROR_CODE
        movl    %eax, save_area + EAX
        movl    %ecx, save_area + ECX
        movl    %edx, save_area + EDX
        movl    %ebx, save_area + EBX
        movl    %ebp, save_area + EBP
        movl    %esi, save_area + ESI
        movl    %edi, save_area + EDI
        movw    %ds, save_area + DS
        movw    %es, save_area + ES
        movw    %fs, save_area + FS
        movw    %gs, save_area + GS
        cld
        movl    $KERNEL_DATA, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %gs
        .globl  entry_complete
entry_complete:
        pushl   $save_area
        call    trap_dispatch
        addl    $4, %esp
        cli
        .globl  exit_begins
exit_begins:
        movw    save_area + GS, %gs
        movw    save_area + FS, %fs
        movw    save_area + ES, %es
        movl    save_area + EDI, %edi
        movl    save_area + ESI, %esi
        movl    save_area + EBP, %ebp
        movl    save_area + EBX, %ebx
        movl    save_area + EDX, %edx
        movl    save_area + ECX, %ecx
        movl    save_area + EAX, %eax
        movw    save_area + DS, %ds
        iretl
        .size   trap_common, . - trap_common

// Where a new task starts: its first frame does lie on its stack.
        .globl  trap_return
        .type   trap_return, @function
trap_return:
        popl    %gs
        popl    %fs
        popl    %es
        popl    %ds
        popal
        addl    $8, %esp
        iretl
        .size   trap_return, . - trap_return

        .section .note.GNU-stack, "", @progbits
