#include "kernel.h"

u8 task0_stack[1024] __attribute__((aligned(16)));
u8 task1_stack[1024] __attribute__((aligned(16)));
u8 user0_stack[256] __attribute__((aligned(16)));
u8 user1_stack[256] __attribute__((aligned(16)));

static struct task tasks[2];
static struct task idle; /* on the stack that the kernel booted on */
struct cpu cpu = {.current = &idle};

/* Protects who is READY, and the switch itself: a task takes it, the next one releases it. */
static struct spinlock run_lock;

/* A task begins here, as if it came out of `schedule`, and goes on to user code. */
static void task_begins(void) { spin_unlock_irqrestore(&run_lock, 0); }

void make_task(int number, void (*program)(void)) {
  struct task *task = &tasks[number];
  task->stack = (number ? task1_stack : task0_stack) + sizeof task0_stack;
  struct frame *frame = (struct frame *)task->stack - 1;
  frame->ss = USER_DATA;
  frame->rsp = (u64)((number ? user1_stack : user0_stack) + sizeof user0_stack);
  frame->flags = 1 << 9;
  frame->cs = USER_CODE;
  frame->rip = (u64)program;
  u64 *top = (u64 *)frame;
  *--top = (u64)interrupt_return;
  *--top = (u64)task_begins;
  task->sp = top - 6; /* rbp, rbx, r12 to r15 */
}

/* The next one that is ready after the present one, or idle. */
static struct task *next(void) {
  int first = cpu.current == &tasks[0];
  for (int i = 0; i < 2; i++) {
    struct task *task = &tasks[(first + i) & 1];
    if (task->state == READY) return task;
  }
  return &idle;
}

/* Lets somebody else run; returns when it is this task's turn again. */
void schedule(void) {
  u64 flags = spin_lock_irqsave(&run_lock);
  struct task *old = cpu.current, *new = next();
  cpu.must_switch = 0;
  if (new != old) {
    cpu.current = new;
    if (new->stack) use_stack(new->stack);
    switch_stacks(&old->sp, new->sp);
  }
  spin_unlock_irqrestore(&run_lock, flags);
}

/* From the next `schedule` on this task does not run until somebody calls `wake`. */
void will_sleep(void *channel) {
  u64 flags = spin_lock_irqsave(&run_lock);
  cpu.current->channel = channel;
  cpu.current->state = SLEEPING;
  spin_unlock_irqrestore(&run_lock, flags);
}

void wake(void *channel) {
  u64 flags = spin_lock_irqsave(&run_lock);
  for (int i = 0; i < 2; i++)
    if (tasks[i].state == SLEEPING && tasks[i].channel == channel) {
      tasks[i].state = READY;
      cpu.must_switch = 1;
    }
  spin_unlock_irqrestore(&run_lock, flags);
}

void begin_tasks(void) {
  schedule();
  /* Nobody is ready. Whatever changes that is an interrupt. */
  for (;;) __asm__ volatile("sti; hlt");
}
