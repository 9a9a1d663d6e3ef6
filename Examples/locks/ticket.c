#include "locks.h"

flags ticket_acquire(struct ticket *lock) {
  flags f = interrupts_off(); /* a handler that draws the next ticket would wait for this one */
  u32 mine = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);
  while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != mine) pause();
  return f;
}

void ticket_release(struct ticket *lock, flags f) {
  __atomic_store_n(&lock->serving, lock->serving + 1, __ATOMIC_RELEASE);
  interrupts_as(f);
}
