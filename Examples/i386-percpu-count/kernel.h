/* A kernel for two i386 processors that is small enough to read in one sitting. */
#pragma once

typedef unsigned char u8;
typedef unsigned int u32;

/* lock.c: spinlocks. While a CPU holds one, or two, or ten, its interrupts are off; they come back with
   the last release, if they were on before the first acquire. */
struct lock {
  volatile u32 taken;
};
void acquire(struct lock *);
void release(struct lock *);
void push_off(void);
void pop_off(void);

/* task.c: tasks, and who runs where. */
struct context;

enum state { READY, RUNNING, SLEEPING };

struct task {
  enum state state;
  void *channel;            /* what it sleeps for */
  struct context *context;  /* where it goes on: its registers, on its kernel stack */
  u8 *stack;                /* top of its kernel stack */
};

struct tss {
  u32 link, esp0, ss0, rest[22], iomap;
};

struct cpu {
  int count;                  /* of the locks that this CPU holds */
  int was_on;                 /* whether interrupts were on before the first of them */
  struct context *scheduler;  /* where its scheduler goes on */
  struct task *task;          /* who runs here, or 0 */
  struct tss tss;
};

extern struct cpu cpus[2];
struct cpu *this_cpu(void); /* ask with interrupts off: a task can be moved */
void make_task(int number, void (*program)(void));
void scheduler(void) __attribute__((noreturn));
void yield(void);
void sleep(void *channel, struct lock *);
void wakeup(void *channel);

/* The devices: a keyboard, and something that works for a while after it was told what to do. */
int console_read(void);
void console_interrupt(void);
void device_write(u8 byte);
void device_interrupt(void);

/* entry.S, trap.c */
struct frame {
  u32 es, ds, edi, esi, ebp, esp_ignored, ebx, edx, ecx, eax, vector, error, eip, cs, eflags, esp, ss;
};
void trap(struct frame *);
void trap_return(void);
void switch_context(struct context **from, struct context *to);
void load_tables(int cpu);
void start_devices(void);
void start_timer(void);
void start_other_cpu(void);
void end_of_interrupt(void);
void panic(const char *) __attribute__((noreturn));

enum { TIMER = 0x20, KEYBOARD = 0x21, DEVICE = 0x24, SYSTEM_CALL = 0x40 };
enum { KERNEL_CODE = 0x08, KERNEL_DATA = 0x10, USER_CODE = 0x1B, USER_DATA = 0x23, FIRST_TSS = 0x28 };

static inline u8 inb(unsigned short port) {
  u8 value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
static inline void outb(unsigned short port, u8 value) {
  __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}
static inline void cli(void) { __asm__ volatile("cli" : : : "memory"); }
static inline void sti(void) { __asm__ volatile("sti" : : : "memory"); }
static inline int interrupts_are_on(void) {
  u32 flags;
  __asm__ volatile("pushfl; popl %0" : "=r"(flags));
  return flags >> 9 & 1;
}
