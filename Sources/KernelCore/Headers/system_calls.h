// System call numbers, for the kernel and for user programs.

#ifndef SYSTEM_CALLS_H
#define SYSTEM_CALLS_H

#define SYS_READ 0      // () -> one byte from the keyboard; sleeps until there is one
#define SYS_WRITE 1     // (address, count <= 8) -> count
#define SYS_YIELD 2     // ()
#define SYS_SLEEP 3     // (ticks, 1...3)
#define SYS_EXIT 4      // () does not return
#define SYS_LOCK 5      // (mutex 0 or 1) sleeps until it is free
#define SYS_UNLOCK 6    // (mutex 0 or 1) -> 0, or -1 if the caller does not own it
#define SYS_TRANSFER 7  // (from, to): moves a coin between the accounts 0 and 1

#endif
