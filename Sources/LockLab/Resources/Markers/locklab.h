/* Markers for LockLab: what a kernel's code tells the checker. C and C++; no library.
 *
 * A marker is a NOP of seven bytes (0F 1F 80 nn 00 4C 4B) with up to two arguments in EDX/RDX and
 * ECX/RCX. It does nothing on a processor (from the Pentium Pro on), in any ring, and may stay in
 * the kernel. With LOCKLAB_OFF defined there is none.
 */
#ifndef LOCKLAB_H
#define LOCKLAB_H

/* How a lock keeps the interrupt flag; see `kind` in docs/job-file.md. */
#define LOCKLAB_PLAIN 0
#define LOCKLAB_VALUE 1
#define LOCKLAB_COUNT 2
#define LOCKLAB_FIELD 3
#define LOCKLAB_SLEEPING 4

#ifndef LOCKLAB_OFF
#define LOCKLAB_MARK_(number, first, second)                                   \
  ({                                                                           \
    unsigned long locklab_value_ = 0;                                          \
    unsigned long locklab_first_ = (unsigned long)(first);                     \
    unsigned long locklab_second_ = (unsigned long)(second);                   \
    __asm__ volatile(".byte 0x0f, 0x1f, 0x80, " #number ", 0x00, 0x4c, 0x4b"   \
                     : "+a"(locklab_value_)                                    \
                     : "d"(locklab_first_), "c"(locklab_second_)               \
                     : "memory");                                              \
    locklab_value_;                                                            \
  })
#else
#define LOCKLAB_MARK_(number, first, second) ((void)(first), (void)(second), 0ul)
#endif

/* Rule `assertion` when the condition is false; costs LockLab nothing while it is true. */
#define LOCKLAB_ASSERT(condition)                                              \
  do {                                                                         \
    if (!(condition)) (void)LOCKLAB_MARK_(1, #condition, 0);                   \
  } while (0)

/* An invariant that is checked after every instruction of every CPU, in the words of a job's
 * `invariants`, as a string: LOCKLAB_INVARIANT("holders <= 1"). At file scope; it is kept in a section
 * that is not loaded. */
#ifndef LOCKLAB_OFF
#define LOCKLAB_INVARIANT(expression)                                          \
  __asm__(".pushsection .locklab.invariants,\"\",@progbits\n"                  \
          ".asciz " LOCKLAB_QUOTED_(expression) "\n.popsection")
#define LOCKLAB_QUOTED_(expression) #expression
#else
#define LOCKLAB_INVARIANT(expression) _Static_assert(1, "")
#endif

/* Locks whose acquire and release are inlined. In this order: ACQUIRING before the first try,
 * ACQUIRED when the lock is owned (or GAVE_UP), RELEASING before it is given up, RELEASED when the
 * interrupt flag is as the caller will find it. `flags` are the EFLAGS that the caller keeps and gives
 * back; with other kinds than LOCKLAB_VALUE they do not count: 0. */
#define LOCKLAB_ACQUIRING(lock, kind) ((void)LOCKLAB_MARK_(2, lock, kind))
#define LOCKLAB_ACQUIRED(lock, kind, flags)                                    \
  ((void)LOCKLAB_MARK_(3, lock, (kind) | ((unsigned long)(flags)&0x200)))
#define LOCKLAB_GAVE_UP(lock, kind) ((void)LOCKLAB_MARK_(4, lock, kind))
#define LOCKLAB_RELEASING(lock, kind, flags)                                   \
  ((void)LOCKLAB_MARK_(5, lock, (kind) | ((unsigned long)(flags)&0x200)))
#define LOCKLAB_RELEASED(lock, kind) ((void)LOCKLAB_MARK_(6, lock, kind))

/* One of 0 to n - 1: LockLab explores all of them. 0 on hardware. */
#define LOCKLAB_CHOOSE(n) LOCKLAB_MARK_(7, n, 0)

/* With these in a kernel, interrupts are explored only between them, on whichever CPU; a CPU that waits
 * or is halted gets them everywhere. */
#define LOCKLAB_INTEREST_BEGINS() ((void)LOCKLAB_MARK_(8, 0, 0))
#define LOCKLAB_INTEREST_ENDS() ((void)LOCKLAB_MARK_(9, 0, 0))

/* Executions in which the condition is false are left out. */
#define LOCKLAB_ASSUME(condition)                                              \
  do {                                                                         \
    if (!(condition)) (void)LOCKLAB_MARK_(10, 0, 0);                           \
  } while (0)

#endif
