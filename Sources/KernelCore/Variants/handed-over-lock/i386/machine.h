// What differs between the machines: the frame of an entry, and whose data the CPU's own is.

#ifndef MACHINE_H
#define MACHINE_H

#include <stdbool.h>
#include <stdint.h>

// What an entry leaves on the stack, lowest address first (entry.S).
struct TrapFrame {
  uint32_t gs, fs, es, ds;
  uint32_t edi, esi, ebp, ignored_esp, ebx, edx, ecx, eax;
  uint32_t vector, error_code;
  uint32_t eip, cs, eflags;
  uint32_t user_esp, user_ss;  // there only if the low bits of cs say ring 3
};

// Whether data of the CPU's own can be reached. There is one CPU, and they have fixed addresses.
static inline __attribute__((always_inline)) bool has_cpu_data(void) { return true; }

// Scheduler.swift: where a new task begins.
void finish_switch(void);
static inline __attribute__((always_inline)) unsigned long finish_switch_address(void) {
  return (unsigned long)&finish_switch;
}

#endif
