// Sizes of words and stacks, for the assembly files that both machines share.

#define WORD_BYTES 4
#define POINTER .long

// Room for a system call at its deepest, a mouse interrupt on top of it, and any one
// interrupt on top of that.
#define KERNEL_STACK_BYTES 1024
#define IDLE_STACK_BYTES 1024
#define USER_STACK_BYTES 64
