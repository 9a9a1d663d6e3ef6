// Sizes of words and stacks, for the assembly files that both machines share.

#define WORD_BYTES 8
#define POINTER .quad

// Room for a system call at its deepest, a mouse interrupt on top of it, and any one
// interrupt on top of that.
#define KERNEL_STACK_BYTES 2048
#define IDLE_STACK_BYTES 2048
#define USER_STACK_BYTES 64
