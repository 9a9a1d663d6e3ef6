#include "locks.h"

flags mcs_acquire(struct mcs *lock, struct mcs_place *place) {
  flags f = interrupts_off();
  place->next = 0;
  place->waits = 1;
  struct mcs_place *before = __atomic_exchange_n(&lock->last, place, __ATOMIC_ACQ_REL);
  if (before) {
    __atomic_store_n(&before->next, place, __ATOMIC_RELEASE);
    while (__atomic_load_n(&place->waits, __ATOMIC_ACQUIRE)) pause();
  }
  return f;
}

void mcs_release(struct mcs *lock, struct mcs_place *place, flags f) {
  struct mcs_place *next = __atomic_load_n(&place->next, __ATOMIC_ACQUIRE);
  if (!next) {
    struct mcs_place *expected = place;
    if (__atomic_compare_exchange_n(&lock->last, &expected, 0, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
      interrupts_as(f);
      return;
    }
    /* Somebody has come who has not said so yet. */
    while (!(next = __atomic_load_n(&place->next, __ATOMIC_ACQUIRE))) pause();
  }
  __atomic_store_n(&next->waits, 0, __ATOMIC_RELEASE);
  interrupts_as(f);
}
