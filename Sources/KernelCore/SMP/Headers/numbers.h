// Numbers that assembly and Swift share.

#ifndef NUMBERS_H
#define NUMBERS_H

#define MOST_CPUS 4
#define MOST_TASKS 3

// Where a CPU that is started begins, in real mode: any free page below 1 MiB.
#define TRAMPOLINE 0x8000

#define IDLE_STACK_BYTES (WORD_BYTES * 256)
#define KERNEL_STACK_BYTES (WORD_BYTES * 256)
#define USER_STACK_BYTES 64
#define OWN_STACK_BYTES 1024

#define GDT_SPACE 64
#define TSS_SPACE 128

#endif
