// Wrong: room for a system call and one interrupt on top of it, but not for one more that
// interrupts the mouse handler.

#define WORD_BYTES 4
#define POINTER .long

#define KERNEL_STACK_BYTES 384
#define IDLE_STACK_BYTES 1024
#define USER_STACK_BYTES 64
