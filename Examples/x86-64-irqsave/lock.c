#include "kernel.h"

u64 spin_lock_irqsave(struct spinlock *lock) {
  u64 flags;
  __asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
  while (__atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE)) __asm__ volatile("pause");
  return flags;
}

void spin_unlock_irqrestore(struct spinlock *lock, u64 flags) {
  __atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE);
  __asm__ volatile("pushq %0; popfq" : : "r"(flags) : "memory", "cc");
}
