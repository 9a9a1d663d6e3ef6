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

// Scheduler.swift: where a new task begins.
void finish_switch(void);
static inline __attribute__((always_inline)) unsigned long finish_switch_address(void) {
  return (unsigned long)&finish_switch;
}

#endif
