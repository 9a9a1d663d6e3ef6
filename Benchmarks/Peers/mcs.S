// Each of CPUS processors takes an MCS lock once, counts, gives it back and idles.
// J. M. Mellor-Crummey, M. L. Scott: Algorithms for scalable synchronization on shared-memory
// multiprocessors. ACM TOCS 9(1), 1991.

#include "boot.S"

#define NEXT 0
#define WAITS 4

        .text
// With the processor's own node in EDI.
        .globl  mcs_acquire
        .type   mcs_acquire, @function
mcs_acquire:
        movl    $0, NEXT(%edi)
        movl    $1, WAITS(%edi)
        movl    %edi, %eax
        xchgl   %eax, mcs_tail          // who came before
        testl   %eax, %eax
        jz      2f
        movl    %edi, NEXT(%eax)
1:      cmpl    $0, WAITS(%edi)
        je      2f
        pause
        jmp     1b
2:      ret
        .size   mcs_acquire, . - mcs_acquire

        .globl  mcs_release
        .type   mcs_release, @function
mcs_release:
        movl    NEXT(%edi), %edx
        testl   %edx, %edx
        jnz     2f
        movl    %edi, %eax
        xorl    %ecx, %ecx
        lock cmpxchgl %ecx, mcs_tail    // nobody came after
        je      3f
1:      movl    NEXT(%edi), %edx        // somebody is about to
        testl   %edx, %edx
        jnz     2f
        pause
        jmp     1b
2:      movl    $0, WAITS(%edx)
3:      ret
        .size   mcs_release, . - mcs_release

begin:
        movl    $1, go
        .globl  start
start:
        jmp     work
processor_begins:
        pause
        cmpl    $0, go
        je      processor_begins
work:
        leal    nodes(, %ebx, 8), %edi
        call    mcs_acquire
        movl    count, %edx
        incl    %edx
        movl    %edx, count
        call    mcs_release
idle:   sti
        hlt
        jmp     idle

unexpected:
        cli
1:      hlt
        jmp     1b

        .data
        .balign 4
gates:
        .set    vector, 0
        .rept   32
        .word   vector, 0x8E
        .long   unexpected
        .set    vector, vector + 1
        .endr
        .long   0

        .bss
        .balign 64
        .globl  mcs_tail
        .type   mcs_tail, @object
        .size   mcs_tail, 4
mcs_tail:       .skip 4
        .balign 64
        .globl  nodes
        .type   nodes, @object
        .size   nodes, 8 * CPUS
nodes:  .skip   8 * CPUS
        .balign 64
        .globl  count
        .type   count, @object
        .size   count, 4
count:  .skip   4
go:     .skip   4
