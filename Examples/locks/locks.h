/* Spinlocks of six kinds for x86-64. Those with `flags` turn interrupts off while the lock is held, or waited
   for: acquire returns the flags from before, release takes them and puts them back. */
#pragma once

typedef unsigned int u32;
typedef unsigned long u64;
typedef u64 flags;

static inline flags interrupts_off(void) {
  flags f;
  __asm__ volatile("pushfq; popq %0; cli" : "=r"(f) : : "memory");
  return f;
}
static inline void interrupts_as(flags f) { __asm__ volatile("pushq %0; popfq" : : "r"(f) : "memory", "cc"); }
static inline void pause(void) { __asm__ volatile("pause"); }

/* One word: whoever sets it has the lock. */
struct tas { u32 taken; };
flags tas_acquire(struct tas *);
void tas_release(struct tas *, flags);
/* The same for who has interrupts off anyway. `tas_try`: 1: acquired, 0: somebody else has it. */
void tas_acquire_plain(struct tas *);
int tas_try(struct tas *);
void tas_release_plain(struct tas *);

/* First come, first served. */
struct ticket { u32 next, serving; };
flags ticket_acquire(struct ticket *);
void ticket_release(struct ticket *, flags);

/* First come, first served, and each waits at a place of its own. */
struct mcs_place { struct mcs_place *next; u32 waits; };
struct mcs { struct mcs_place *last; };
flags mcs_acquire(struct mcs *, struct mcs_place *);
void mcs_release(struct mcs *, struct mcs_place *, flags);

/* Many readers or one writer. */
struct rw { u32 state; /* number of readers, or WRITER */ };
flags rw_read(struct rw *);
void rw_read_done(struct rw *, flags);
flags rw_write(struct rw *);
void rw_write_done(struct rw *, flags);

/* Writers count; readers look whether the count has moved, and read again if so. */
struct seq { u32 count; struct tas writers; };
flags seq_write(struct seq *);
void seq_write_done(struct seq *, flags);
u32 seq_begin(struct seq *);
int seq_moved(struct seq *, u32 began);
