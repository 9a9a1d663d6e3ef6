// What differs between the machines: the frame of an entry, and whose data the CPU's own is.

#ifndef MACHINE_H
#define MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "segments.h"

// What an entry leaves on the stack, lowest address first (entry.S).
struct TrapFrame {
  uint64_t r15, r14, r13, r12, rbp, rbx;
  uint64_t r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
  uint64_t vector, error_code;
  uint64_t rip, cs, rflags, user_rsp, user_ss;
};

extern char this_cpu[];

// Whether GS leads to data of the CPU's own, as it must wherever the kernel runs.
static inline __attribute__((always_inline)) bool has_cpu_data(void) {
  char *self;
  __asm__ volatile("movq %%gs:%c1, %0" : "=r"(self) : "i"(CPU_SELF) : "memory");
  return self == this_cpu;
}

// Where a page fault's access went.
static inline __attribute__((always_inline)) unsigned long page_fault_address(void) {
  unsigned long address;
  __asm__ volatile("movq %%cr2, %0" : "=r"(address) : : "memory");
  return address;
}

// stacks.S: the pages below the kernel stacks.
extern char task0_guard[], task1_guard[];
static inline __attribute__((always_inline)) unsigned long task0_guard_address(void) {
  return (unsigned long)task0_guard;
}
static inline __attribute__((always_inline)) unsigned long task1_guard_address(void) {
  return (unsigned long)task1_guard;
}

// descend.S: turns interrupts off and calls itself without end.
void descend(void);

#endif
