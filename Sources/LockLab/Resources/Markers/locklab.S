/* Markers for LockLab, for the GNU assembler and clang: what a kernel's code tells the checker.
 *
 * A marker is a NOP of seven bytes. It does nothing on a processor (from the Pentium Pro on), in any
 * ring. Arguments are in EDX and ECX (RDX and RCX), the answer comes in EAX (RAX); nothing else changes.
 */

        .set LOCKLAB_PLAIN, 0
        .set LOCKLAB_VALUE, 1
        .set LOCKLAB_COUNT, 2
        .set LOCKLAB_FIELD, 3
        .set LOCKLAB_SLEEPING, 4

        .macro locklab_mark number
        .byte 0x0f, 0x1f, 0x80, \number, 0x00, 0x4c, 0x4b
        .endm

/* EDX: a text that ends with 0, or 0. An assertion failed: branch to it. */
        .macro locklab_failed
        locklab_mark 1
        .endm
/* EDX: the lock, ECX: its kind. */
        .macro locklab_acquiring
        locklab_mark 2
        .endm
/* The same, ECX with bit 9 of the EFLAGS that the caller keeps. */
        .macro locklab_acquired
        locklab_mark 3
        .endm
        .macro locklab_gave_up
        locklab_mark 4
        .endm
        .macro locklab_releasing
        locklab_mark 5
        .endm
        .macro locklab_released
        locklab_mark 6
        .endm
/* EDX: n; EAX becomes one of 0 to n - 1. Set it to 0 before, for hardware. */
        .macro locklab_choose
        locklab_mark 7
        .endm
/* Interrupts are explored only between these two. */
        .macro locklab_interest_begins
        locklab_mark 8
        .endm
        .macro locklab_interest_ends
        locklab_mark 9
        .endm
/* Executions that come here are left out. */
        .macro locklab_ignore
        locklab_mark 10
        .endm
