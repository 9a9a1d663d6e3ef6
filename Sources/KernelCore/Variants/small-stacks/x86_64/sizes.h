// Wrong: room for a system call and one interrupt on top of it, but not for one more that
// interrupts the mouse handler.

#define WORD_BYTES 8
#define POINTER .quad

#define KERNEL_STACK_BYTES 640
#define IDLE_STACK_BYTES 2048
#define USER_STACK_BYTES 64
