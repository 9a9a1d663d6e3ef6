#include "locks.h"

#define WRITER 0x80000000u

flags rw_read(struct rw *lock) {
  flags f = interrupts_off();
  for (;;) {
    u32 readers = __atomic_load_n(&lock->state, __ATOMIC_RELAXED);
    if (readers != WRITER
        && __atomic_compare_exchange_n(&lock->state, &readers, readers + 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
      return f;
    pause();
  }
}

void rw_read_done(struct rw *lock, flags f) {
  __atomic_fetch_sub(&lock->state, 1, __ATOMIC_RELEASE);
  interrupts_as(f);
}

flags rw_write(struct rw *lock) {
  flags f = interrupts_off();
  for (;;) {
    u32 none = 0;
    if (__atomic_compare_exchange_n(&lock->state, &none, WRITER, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return f;
    pause();
  }
}

void rw_write_done(struct rw *lock, flags f) {
  __atomic_store_n(&lock->state, 0, __ATOMIC_RELEASE);
  interrupts_as(f);
}
