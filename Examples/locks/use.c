/* What is called: each function does with one lock what a driver would. A sum that two of them made at once
   would be wrong at the end. */
#include "locks.h"

static struct tas tas_lock;
u32 tas_sum;
void tas_use(void) {
  flags f = tas_acquire(&tas_lock);
  tas_sum++;
  tas_release(&tas_lock, f);
}

/* For handlers that nothing interrupts. */
void tas_use_plain(void) {
  tas_acquire_plain(&tas_lock);
  tas_sum++;
  tas_release_plain(&tas_lock);
}

/* For handlers that may come while the lock is held: gives up, and leaves a note. */
u32 missed;
void tas_try_use(void) {
  if (tas_try(&tas_lock)) {
    tas_sum++;
    tas_release_plain(&tas_lock);
  } else {
    __atomic_fetch_add(&missed, 1, __ATOMIC_RELAXED);
  }
}

static struct ticket ticket_lock;
u32 ticket_sum;
void ticket_use(void) {
  flags f = ticket_acquire(&ticket_lock);
  ticket_sum++;
  ticket_release(&ticket_lock, f);
}

static struct mcs mcs_lock;
u32 mcs_sum;
void mcs_use(void) {
  struct mcs_place place;
  flags f = mcs_acquire(&mcs_lock, &place);
  mcs_sum++;
  mcs_release(&mcs_lock, &place, f);
}

static struct rw rw_lock;
u32 rw_left, rw_right;
u32 rw_differed;
void rw_writer(void) {
  flags f = rw_write(&rw_lock);
  rw_left++;
  rw_right++;
  rw_write_done(&rw_lock, f);
}
void rw_reader(void) {
  flags f = rw_read(&rw_lock);
  if (rw_left != rw_right) rw_differed = 1;
  rw_read_done(&rw_lock, f);
}

static struct seq seq_lock;
volatile u32 seq_left, seq_right;
u32 seq_differed;
void seq_writer(void) {
  flags f = seq_write(&seq_lock);
  seq_left++;
  seq_right++;
  seq_write_done(&seq_lock, f);
}
void seq_reader(void) {
  u32 began, left, right;
  do {
    began = seq_begin(&seq_lock);
    left = seq_left;
    right = seq_right;
  } while (seq_moved(&seq_lock, began));
  if (left != right) seq_differed = 1;
}
