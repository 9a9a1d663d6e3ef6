#include "kernel.h"

/* The keyboard: one key is kept until somebody reads it. */
static struct lock console_lock;
static int key;

int console_read(void) {
  acquire(&console_lock);
  while (key == 0) sleep(&key, &console_lock);
  int result = key;
  key = 0;
  release(&console_lock);
  return result;
}

void console_interrupt(void) {
  acquire(&console_lock);
  u8 code = inb(0x60);
  if (code < 0x80) { /* pressed, not let go */
    key = code;
    wakeup(&key);
  }
  release(&console_lock);
}

/* A device that takes a byte, works on it, and interrupts when it has done: as a disk would. It is the
   transmitter of the serial port. */
static struct lock device_lock;
static int busy;

void device_write(u8 byte) {
  acquire(&device_lock);
  while (busy) sleep(&busy, &device_lock);
  busy = 1;
  outb(0x3F8, byte);
  while (busy) sleep(&busy, &device_lock);
  release(&device_lock);
}

void device_interrupt(void) {
  acquire(&device_lock);
  inb(0x3FA); /* what it wants; also: seen */
  if (busy && inb(0x3FD) & 0x20) {
    busy = 0;
    wakeup(&busy);
  }
  release(&device_lock);
}
