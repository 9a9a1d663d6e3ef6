#include "locks.h"

flags seq_write(struct seq *lock) {
  flags f = tas_acquire(&lock->writers);
  __atomic_fetch_add(&lock->count, 1, __ATOMIC_ACQ_REL); /* odd: in the middle of it */
  return f;
}

void seq_write_done(struct seq *lock, flags f) {
  __atomic_fetch_add(&lock->count, 1, __ATOMIC_RELEASE);
  tas_release(&lock->writers, f);
}

u32 seq_begin(struct seq *lock) {
  u32 count;
  while ((count = __atomic_load_n(&lock->count, __ATOMIC_ACQUIRE)) & 1) pause();
  return count;
}

int seq_moved(struct seq *lock, u32 began) {
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  return __atomic_load_n(&lock->count, __ATOMIC_RELAXED) != began;
}
