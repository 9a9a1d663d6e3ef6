#include "kernel.h"

/* For boots that shall end: QEMU is left after so many system calls. 0: never. */
u32 rounds;

static void system_call(struct frame *frame) {
  switch (frame->eax) {
  case 1: frame->eax = console_read(); break;
  case 2: device_write(frame->ebx); break;
  case 3: yield(); break;
  default: panic("system call");
  }
  if (rounds && __atomic_sub_fetch(&rounds, 1, __ATOMIC_RELAXED) == 0) outb(0xF4, 0);
}

void trap(struct frame *frame) {
  switch (frame->vector) {
  case SYSTEM_CALL:
    sti();
    system_call(frame);
    cli();
    break;
  case TIMER:
    end_of_interrupt();
    if (this_cpu()->task) yield();
    break;
  case KEYBOARD:
    console_interrupt();
    end_of_interrupt();
    break;
  case DEVICE:
    device_interrupt();
    end_of_interrupt();
    break;
  default: panic("exception");
  }
}

void panic(const char *text) {
  cli();
  while (*text) outb(0xE9, *text++);
  outb(0xF4, 1); /* leaves QEMU */
  for (;;) __asm__ volatile("hlt");
}
