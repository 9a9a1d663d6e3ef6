// What the assembly files of the core for several CPUs define, and the instructions that only this
// core needs.

#ifndef CORE_H
#define CORE_H

#include "numbers.h"

// What a CPU has for itself. Its address is the base of GS while the CPU runs the kernel; the first
// three have their places in assembly (segments.h).
struct CPU {
  struct CPU *_Nonnull self;   // so that one load through GS finds the block
  unsigned long kernel_stack;  // where the next entry from ring 3 begins
  unsigned long user_stack;    // x86-64: of whoever called, for a moment
  unsigned long tss;           // where its task state segment is
  long number;                 // 0 is the one that booted
  long current;                // the task that it runs; under its run lock
  uint32_t waits;              // it has nothing to do, and will halt; under its run lock
};
extern struct CPU cpus[MOST_CPUS];
INSTRUCTION struct CPU *_Nonnull cpu_at(long number) { return &cpus[number]; }

// The block of the CPU that executes this. Only with interrupts off is it the same one afterwards: a
// task that is preempted may go on elsewhere.
INSTRUCTION struct CPU *_Nonnull this_cpu_block(void) {
  struct CPU *_Nonnull cpu;
  __asm__ volatile("mov %%gs:0, %0" : "=r"(cpu) : : "memory");
  return cpu;
}

// Loads and stores that are made when they are written, of what other CPUs read and write too.
INSTRUCTION uint32_t load32(const uint32_t *_Nonnull at) {
  uint32_t value;
  __asm__ volatile("movl %1, %0" : "=r"(value) : "m"(*at) : "memory");
  return value;
}

INSTRUCTION void store32(uint32_t *_Nonnull at, uint32_t value) {
  __asm__ volatile("movl %1, %0" : "=m"(*at) : "r"(value) : "memory");
}

// Adds, and returns what was there before.
INSTRUCTION uint32_t fetch_add(uint32_t *_Nonnull at, uint32_t value) {
  __asm__ volatile("lock xaddl %0, %1" : "+r"(value), "+m"(*at) : : "memory", "cc");
  return value;
}

INSTRUCTION void atomic_and(uint32_t *_Nonnull at, uint32_t mask) {
  __asm__ volatile("lock andl %1, %0" : "+m"(*at) : "r"(mask) : "memory", "cc");
}

INSTRUCTION void atomic_or(uint32_t *_Nonnull at, uint32_t mask) {
  __asm__ volatile("lock orl %1, %0" : "+m"(*at) : "r"(mask) : "memory", "cc");
}

// Stores `value` if `expected` is there. Returns what was there.
INSTRUCTION uint32_t compare_exchange(uint32_t *_Nonnull at, uint32_t expected, uint32_t value) {
  __asm__ volatile("lock cmpxchgl %2, %1"
                   : "+a"(expected), "+m"(*at)
                   : "r"(value)
                   : "memory", "cc");
  return expected;
}

INSTRUCTION void invalidate_page(unsigned long address) {
  __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

// One register of an interrupt controller in memory.
INSTRUCTION uint32_t read_register(unsigned long address) {
  return load32((const uint32_t *)address);
}
INSTRUCTION void write_register(unsigned long address, uint32_t value) {
  store32((uint32_t *)address, value);
}

// storage.S
extern struct SpinLock run_lock0[], console_lock, keyboard_lock, first_lock, second_lock;
INSTRUCTION struct SpinLock *_Nonnull run_lock_of(long cpu) { return &run_lock0[cpu]; }
extern struct SpinLock mutex_lock, semaphore_lock, condition_lock, shootdown_lock, plain_lock;
extern uint32_t ticket_lock[2], queue_lock, queue_nodes[], reader_writer_lock;
extern uint32_t unanswered, processors_online, processors_go, works_done;
extern uint32_t guarded;
INSTRUCTION uint32_t *_Nonnull ticket_lock_address(void) { return ticket_lock; }
INSTRUCTION uint32_t *_Nonnull queue_nodes_address(void) { return queue_nodes; }

extern unsigned long task_table[];
INSTRUCTION void *_Nonnull task_table_address(void) { return task_table; }

// stacks.S: as many of each, of one size, side by side.
extern char task0_kernel_stack[], task0_user_stack[], idle_stack0[];
INSTRUCTION unsigned long idle_stack_top(long cpu) {
  return (unsigned long)idle_stack0 + (unsigned long)(cpu + 1) * IDLE_STACK_BYTES;
}
INSTRUCTION unsigned long kernel_stack_top(long task) {
  return (unsigned long)task0_kernel_stack + (unsigned long)(task + 1) * KERNEL_STACK_BYTES;
}
INSTRUCTION unsigned long user_stack_top(long task) {
  return (unsigned long)task0_user_stack + (unsigned long)(task + 1) * USER_STACK_BYTES;
}

extern char user_begin[], user_end[];
INSTRUCTION unsigned long user_memory_begin(void) { return (unsigned long)user_begin; }
INSTRUCTION unsigned long user_memory_end(void) { return (unsigned long)user_end; }

// vectors.S, entry.S
extern const unsigned long vector_stubs[48];
extern const unsigned long system_call_stub;
INSTRUCTION unsigned long vector_stub(uint32_t vector) { return vector_stubs[vector]; }

// Where a new task starts: it has a lock to give back that it never took (task_begins.S).
void task_begins(void);
INSTRUCTION unsigned long trap_return_address(void) { return (unsigned long)&task_begins; }

// trampoline.S, boot.S
extern char trampoline_begin[], trampoline_end[];
INSTRUCTION const uint8_t *_Nonnull trampoline_code(void) { return (const uint8_t *)trampoline_begin; }
INSTRUCTION unsigned long trampoline_size(void) {
  return (unsigned long)(trampoline_end - trampoline_begin);
}
extern unsigned long starting_stack;
extern long starting_number;

// The page at WINDOW, and the two frames that it can show.
extern unsigned long window_entry;
extern char window_frame0[], window_frame1[];
INSTRUCTION unsigned long window_frame(uint32_t which) {
  return (unsigned long)(which == 0 ? window_frame0 : window_frame1);
}

// segments.S, switch.S, boot.S
extern char gdts[], task_state_segments[];
INSTRUCTION unsigned long gdt_of(long cpu) { return (unsigned long)gdts + (unsigned long)cpu * GDT_SPACE; }
INSTRUCTION unsigned long tss_of(long cpu) {
  return (unsigned long)task_state_segments + (unsigned long)cpu * TSS_SPACE;
}
// x86-64: the stacks of the interrupt stack table, four of each CPU's side by side (segments.S).
extern char nmi_stack0[];
INSTRUCTION unsigned long own_stack_top(long cpu, long stack) {
  return (unsigned long)nmi_stack0 + (unsigned long)(4 * cpu + stack + 1) * OWN_STACK_BYTES;
}
void load_segments(struct TablePointer *_Nonnull gdt, struct CPU *_Nonnull cpu);
void kernel_stack_select(unsigned long top);
void context_switch(unsigned long *_Nonnull save, unsigned long load);
void cpu_idle(void);
void exploration_start(void);

// programs.S: the user programs, by name.
struct Program {
  const char *_Nonnull name;
  unsigned long entry;
};
extern const struct Program program_table[];
extern const struct Program program_table_end[];
INSTRUCTION uint32_t program_count(void) {
  return (uint32_t)(program_table_end - program_table);
}
INSTRUCTION struct Program program_at(uint32_t index) { return program_table[index]; }

#endif
