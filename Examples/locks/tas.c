#include "locks.h"

flags tas_acquire(struct tas *lock) {
  flags f = interrupts_off();
  while (__atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE)) pause();
  return f;
}

void tas_release(struct tas *lock, flags f) {
  __atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE);
  interrupts_as(f);
}

void tas_acquire_plain(struct tas *lock) {
  while (__atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE)) pause();
}

int tas_try(struct tas *lock) { return !__atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE); }

void tas_release_plain(struct tas *lock) { __atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE); }
