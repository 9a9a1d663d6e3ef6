#include "kernel.h"

void acquire(struct lock *lock) {
  push_off();
  if (holding(lock)) panic("acquire");
  while (__atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE)) {}
  lock->holder = this_cpu();
}

void release(struct lock *lock) {
  if (!holding(lock)) panic("release");
  lock->holder = 0;
  __atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE);
  pop_off();
}

/* Whether this CPU holds it. Interrupts must be off. */
int holding(struct lock *lock) { return lock->taken && lock->holder == this_cpu(); }

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
