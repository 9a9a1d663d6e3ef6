// The instructions that Swift has no words for, one function each. A word is an `unsigned long`: 4 bytes
// on i386, 8 on x86-64.

#ifndef HARDWARE_H
#define HARDWARE_H

#include <stdint.h>

#include "machine.h"
#include "segments.h"
#include <system_calls.h>

// Always inline: it is the instruction itself that is wanted, not a call.
#define INSTRUCTION static inline __attribute__((always_inline))

// Every one of them is a barrier for the compiler ("memory"): what is protected by
// interrupts being off must not be moved across the instruction that turns them off.

INSTRUCTION unsigned long read_flags(void) {
  unsigned long flags;
  __asm__ volatile("pushf; pop %0" : "=r"(flags) : : "memory");
  return flags;
}

INSTRUCTION void write_flags(unsigned long flags) {
  __asm__ volatile("push %0; popf" : : "r"(flags) : "memory", "cc");
}

INSTRUCTION void disable_interrupts(void) { __asm__ volatile("cli" : : : "memory"); }

INSTRUCTION void enable_interrupts(void) { __asm__ volatile("sti" : : : "memory"); }

INSTRUCTION void halt(void) { __asm__ volatile("hlt" : : : "memory"); }

INSTRUCTION void spin_hint(void) { __asm__ volatile("pause" : : : "memory"); }

INSTRUCTION void out8(uint16_t port, uint8_t value) {
  __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

INSTRUCTION uint8_t in8(uint16_t port) {
  uint8_t value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
  return value;
}

struct __attribute__((packed)) TablePointer {
  uint16_t limit;
  unsigned long base;
};

INSTRUCTION void load_idt(struct TablePointer pointer) {
  __asm__ volatile("lidt %0" : : "m"(pointer) : "memory");
}

// A lock is one word: 1 while it is held.
struct SpinLock {
  uint32_t held;
};

// Swaps `value` with the lock's word, atomically: XCHG with memory locks the bus.
INSTRUCTION uint32_t exchange(struct SpinLock *_Nonnull lock, uint32_t value) {
  __asm__ volatile("xchgl %0, %1" : "+r"(value), "+m"(lock->held) : : "memory");
  return value;
}

// A plain store is enough to release on x86, which never moves a store upwards past
// an earlier load or store; the barrier is for the compiler.
INSTRUCTION void store_release(struct SpinLock *_Nonnull lock) {
  __asm__ volatile("movl $0, %0" : "=m"(lock->held) : : "memory");
}

// What the assembly files of one core define: of the core for one CPU, or of that for several.
#include <core.h>

#endif
