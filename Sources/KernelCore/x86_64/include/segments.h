// Selectors, offsets and numbers that assembly and Swift share.

#ifndef SEGMENTS_H
#define SEGMENTS_H

#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
// SYSRET takes both from one field of STAR: SS 8 above it, CS 16 above it.
#define USER_BASE 0x1B
#define USER_DATA 0x23  // index 4, ring 3
#define USER_CODE 0x2B  // index 5, ring 3
#define TSS_SELECTOR 0x30

#define CR4_MCE 0x40  // machine checks are exceptions

#define TSS_SIZE 104
#define TSS_RSP0 4
#define TSS_IST1 36

// Vectors that start on a stack of their own (the interrupt stack table): they come with IF = 0, NMI
// and machine check, or because a stack is at its end, double fault and page fault.
#define HAS_OWN_STACK(vector) \
  ((vector) == 2 || (vector) == 8 || (vector) == 14 || (vector) == 18)
#define NMI_STACK 1
#define DOUBLE_FAULT_STACK 2
#define MACHINE_CHECK_STACK 3
#define PAGE_FAULT_STACK 4

// The CPU's own block, at the base of GS while the kernel runs.
#define CPU_SELF 0
#define CPU_KERNEL_STACK 8
#define CPU_USER_STACK 16
#define CPU_BLOCK_BYTES 24

#define MSR_EFER 0xC0000080
#define EFER_SYSCALL 0x001
#define EFER_LONG_MODE 0x100
#define MSR_STAR 0xC0000081
#define MSR_LSTAR 0xC0000082
#define MSR_FMASK 0xC0000084
#define MSR_GS_BASE 0xC0000101
#define MSR_KERNEL_GS_BASE 0xC0000102

// What SYSCALL clears: IF, and the flags that the compiler relies on (DF) or that a user may have set
// to make trouble (TF, NT, AC).
#define SYSTEM_CALL_FLAGS 0x44700

#endif
