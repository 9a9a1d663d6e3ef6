// The storage and the functions that the assembly files of the core for one CPU define.

#ifndef CORE_H
#define CORE_H

extern struct SpinLock scheduler_lock, console_lock, file_lock, keyboard_lock, mutex_lock;

extern long current_task;
extern unsigned long task_table[];
INSTRUCTION void *_Nonnull task_table_address(void) { return task_table; }

extern char task0_kernel_stack_top[], task1_kernel_stack_top[], idle_stack_top[];
extern char task0_user_stack_top[], task1_user_stack_top[];

INSTRUCTION unsigned long kernel_stack_top(long task) {
  return (unsigned long)(task == 0   ? task0_kernel_stack_top
                         : task == 1 ? task1_kernel_stack_top
                                     : idle_stack_top);
}

INSTRUCTION unsigned long user_stack_top(long task) {
  return (unsigned long)(task == 0 ? task0_user_stack_top : task1_user_stack_top);
}

// What a user task may have the kernel read: the programs and the user stacks.
extern char user_begin[], user_end[];
INSTRUCTION unsigned long user_memory_begin(void) { return (unsigned long)user_begin; }
INSTRUCTION unsigned long user_memory_end(void) { return (unsigned long)user_end; }

// vectors.S, entry.S
extern const unsigned long vector_stubs[48];
extern const unsigned long system_call_stub;
INSTRUCTION unsigned long vector_stub(uint32_t vector) { return vector_stubs[vector]; }
void trap_return(void);
INSTRUCTION unsigned long trap_return_address(void) { return (unsigned long)&trap_return; }

// segments.S, switch.S, boot.S
void segments_load(void);
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
