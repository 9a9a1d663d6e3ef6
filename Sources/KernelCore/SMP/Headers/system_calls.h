// System call numbers, for the kernel and for user programs.

#ifndef SYSTEM_CALLS_H
#define SYSTEM_CALLS_H

#define SYS_READ 0      // () -> one byte from the keyboard; sleeps until there is one
#define SYS_WRITE 1     // (address, count <= 8) -> count
#define SYS_YIELD 2     // ()
#define SYS_EXIT 3      // () does not return
#define SYS_LOCK 4      // () sleeps until the mutex is free
#define SYS_UNLOCK 5    // () -> 0, or -1 if the caller does not own it
#define SYS_DOWN 6      // () sleeps until the semaphore is not 0
#define SYS_UP 7        // ()
#define SYS_PUT 8       // () sleeps until there is room
#define SYS_TAKE 9      // () sleeps until something is there
#define SYS_WORK 10     // (number of a work)

#endif
