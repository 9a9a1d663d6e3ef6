// Selectors and offsets that assembly and Swift share.

#ifndef SEGMENTS_H
#define SEGMENTS_H

#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
#define USER_CODE 0x1B  // index 3, ring 3
#define USER_DATA 0x23  // index 4, ring 3
#define TSS_SELECTOR 0x28

// Vectors with a stack of their own: none, as i386 would need a task gate for that.
#define HAS_OWN_STACK(vector) 0

#define CR4_MCE 0x40  // machine checks are exceptions

#define TSS_SIZE 104
#define TSS_ESP0 4
#define TSS_SS0 8

#endif
