// Each of CPUS processors takes a ticket lock once, counts, gives it back and idles.

#include "boot.S"

        .text
        .globl  ticket_acquire
        .type   ticket_acquire, @function
ticket_acquire:
        movl    $1, %eax
        lock xaddl %eax, next_ticket    // mine
1:      cmpl    %eax, now_serving
        je      2f
        pause
        jmp     1b
2:      ret
        .size   ticket_acquire, . - ticket_acquire

// With the ticket in EAX.
        .globl  ticket_release
        .type   ticket_release, @function
ticket_release:
        incl    %eax
        movl    %eax, now_serving
        ret
        .size   ticket_release, . - ticket_release

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
        call    ticket_acquire
        movl    count, %edx
        incl    %edx
        movl    %edx, count
        call    ticket_release
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
        .globl  next_ticket, now_serving
        .type   next_ticket, @object
        .size   next_ticket, 4
next_ticket:    .skip 4
        .type   now_serving, @object
        .size   now_serving, 4
now_serving:    .skip 4
        .balign 64
        .globl  count
        .type   count, @object
        .size   count, 4
count:  .skip   4
go:     .skip   4
