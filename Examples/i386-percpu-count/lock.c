#include "kernel.h"

void acquire(struct lock *lock) {
  push_off();
  while (__atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE)) {}
}

void release(struct lock *lock) {
  __atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE);
  pop_off();
}

void push_off(void) {
  int on = interrupts_are_on();
  cli();
  struct cpu *cpu = this_cpu();
  if (cpu->count == 0) cpu->was_on = on;
  cpu->count++;
}

void pop_off(void) {
  struct cpu *cpu = this_cpu();
  if (interrupts_are_on() || cpu->count < 1) panic("pop_off");
  cpu->count--;
  if (cpu->count == 0 && cpu->was_on) sti();
}
