#include "kernel.h"

struct cpu cpus[2];
static struct task tasks[2];
u8 task0_stack[1024] __attribute__((aligned(16)));
u8 task1_stack[1024] __attribute__((aligned(16)));
u8 user0_stack[256] __attribute__((aligned(16)));
u8 user1_stack[256] __attribute__((aligned(16)));

/* Protects the states of all tasks, and that a task that is not running has left its stack. A task takes it,
   the scheduler releases it, and the other way round. */
struct lock task_lock;

/* Each CPU has a TSS of its own, so that the task register says which CPU this is. */
struct cpu *this_cpu(void) {
  u32 selector;
  __asm__ volatile("strl %0" : "=r"(selector));
  return &cpus[(selector - FIRST_TSS) / 8];
}

/* A task begins here, as if it came out of `sched`, and goes on to user code. */
static void task_begins(void) {
  release(&task_lock);
  cli();
}

void make_task(int number, void (*program)(void)) {
  struct task *task = &tasks[number];
  task->stack = (number ? task1_stack : task0_stack) + 1024;
  struct frame *frame = (struct frame *)task->stack - 1;
  frame->es = frame->ds = frame->ss = USER_DATA;
  frame->cs = USER_CODE;
  frame->eip = (u32)program;
  frame->eflags = 1 << 9;
  frame->esp = (u32)((number ? user1_stack : user0_stack) + 256);
  u32 *top = (u32 *)frame;
  *--top = (u32)trap_return;
  *--top = (u32)task_begins;
  task->context = (struct context *)(top - 4); /* ebp, ebx, esi, edi */
}

/* Each CPU's own thread, on the stack that it was started on: looks for a task that is ready, lets it run
   until it comes back, and sleeps if there is none. */
void scheduler(void) {
  struct cpu *cpu = this_cpu();
  for (;;) {
    int found = 0;
    sti();
    acquire(&task_lock);
    for (int i = 0; i < 2; i++) {
      struct task *task = &tasks[i];
      if (task->state != READY) continue;
      found = 1;
      task->state = RUNNING;
      cpu->task = task;
      cpu->tss.esp0 = (u32)task->stack;
      int was_on = cpu->was_on;
      switch_context(&cpu->scheduler, task->context);
      cpu->was_on = was_on;
      cpu->task = 0;
    }
    release(&task_lock);
    if (!found) __asm__ volatile("hlt");
  }
}

/* Back to this CPU's scheduler. Whether interrupts were on belongs to the task, not to the CPU on which it
   goes on. */
static void sched(void) {
  struct cpu *cpu = this_cpu();
  if (!task_lock.taken || cpu->count != 1 || interrupts_are_on()) panic("sched");
  int was_on = cpu->was_on;
  switch_context(&cpu->task->context, cpu->scheduler);
  this_cpu()->was_on = was_on;
}

void yield(void) {
  acquire(&task_lock);
  this_cpu()->task->state = READY;
  sched();
  release(&task_lock);
}

/* Releases the lock, sleeps until somebody calls `wakeup`, and takes the lock again. */
void sleep(void *channel, struct lock *lock) {
  acquire(&task_lock); /* from here on, no wakeup can be missed */
  release(lock);
  struct task *task = this_cpu()->task;
  task->channel = channel;
  task->state = SLEEPING;
  sched();
  task->channel = 0;
  release(&task_lock);
  acquire(lock);
}

void wakeup(void *channel) {
  acquire(&task_lock);
  for (int i = 0; i < 2; i++)
    if (tasks[i].state == SLEEPING && tasks[i].channel == channel) tasks[i].state = READY;
  release(&task_lock);
}
