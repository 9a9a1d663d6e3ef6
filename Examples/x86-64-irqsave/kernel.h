/* A preemptible kernel for one x86-64 processor, small enough to read in one sitting. */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

/* lock.c: spinlocks. Acquire turns interrupts off and returns the flags from before, release takes them
   and puts them back. */
struct spinlock {
  volatile u32 taken;
};
u64 spin_lock_irqsave(struct spinlock *);
void spin_unlock_irqrestore(struct spinlock *, u64 flags);

/* task.c: tasks, and who runs. */
enum state { READY, SLEEPING };

struct task {
  enum state state;
  void *channel;  /* what it sleeps for */
  u64 *sp;        /* where it goes on: its registers, on its kernel stack */
  u8 *stack;      /* top of its kernel stack */
};

/* What GS leads to in the kernel. entry.S knows the offsets. */
struct cpu {
  u64 user_sp;    /* for a moment, on the way in by SYSCALL */
  u64 kernel_sp;  /* top of the running task's kernel stack */
  struct task *current;
  volatile u32 must_switch;
};
extern struct cpu cpu;

void make_task(int number, void (*program)(void));
void begin_tasks(void) __attribute__((noreturn));
void schedule(void);
void will_sleep(void *channel);
void wake(void *channel);

/* console.c */
long console_read(void);
long console_write(u8 byte);
void keyboard_interrupt(void);

/* entry.S, trap.c */
struct frame {
  u64 r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
  u64 vector, error, rip, cs, flags, rsp, ss;
};
void interrupt(struct frame *);
long system_call(long argument, long unused, long number);
void interrupt_return(void);
void switch_stacks(u64 **from, u64 *to);
void panic(const char *) __attribute__((noreturn));

/* main.c */
void use_stack(u8 *top);

enum { TIMER = 0x20, KEYBOARD = 0x21 };
enum { KERNEL_CODE = 0x08, KERNEL_DATA = 0x10, USER_DATA = 0x23, USER_CODE = 0x2B, TSS = 0x30 };

static inline u8 inb(u16 port) {
  u8 value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
static inline void outb(u16 port, u8 value) {
  __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}
static inline void cli(void) { __asm__ volatile("cli" : : : "memory"); }
