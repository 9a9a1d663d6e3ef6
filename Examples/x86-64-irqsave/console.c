#include "kernel.h"

/* One key is kept until somebody reads it. */
static struct spinlock console_lock;
static u8 key;
/* What was written. */
static struct spinlock log_lock;
static u8 last;

long console_read(void) {
  u64 flags = spin_lock_irqsave(&console_lock);
  while (key == 0) {
    will_sleep(&key);
    spin_unlock_irqrestore(&console_lock, flags);
    schedule();
    flags = spin_lock_irqsave(&console_lock);
  }
  u8 result = key;
  key = 0;
  spin_unlock_irqrestore(&console_lock, flags);
  return result;
}

long console_write(u8 byte) {
  u64 outer = spin_lock_irqsave(&console_lock);
  outb(0x3F8, byte);
  u64 inner = spin_lock_irqsave(&log_lock);
  last = byte;
  spin_unlock_irqrestore(&log_lock, inner);
  spin_unlock_irqrestore(&console_lock, outer);
  return last;
}

void keyboard_interrupt(void) {
  u64 flags = spin_lock_irqsave(&console_lock);
  u8 code = inb(0x60);
  if (code < 0x80) { /* pressed, not let go */
    key = code;
    wake(&key);
  }
  spin_unlock_irqrestore(&console_lock, flags);
}
