#include "kernel.h"

/* For boots that shall end: QEMU is left after so many system calls. 0: never. */
u32 rounds;

/* By SYSCALL, with interrupts on. */
long system_call(long argument, long unused, long number) {
  long result = 0;
  (void)unused;
  switch (number) {
  case 1: result = console_read(); break;
  case 2: result = console_write(argument); break;
  case 3: schedule(); break;
  default: panic("system call");
  }
  if (rounds && __atomic_sub_fetch(&rounds, 1, __ATOMIC_RELAXED) == 0) outb(0xF4, 0);
  return result;
}

/* With interrupts off. Whatever was interrupted, a task in the kernel too, can lose the CPU here. */
void interrupt(struct frame *frame) {
  switch (frame->vector) {
  case TIMER: cpu.must_switch = 1; break;
  case KEYBOARD: keyboard_interrupt(); break;
  default: panic("exception");
  }
  outb(0x20, 0x20); /* end of interrupt, before somebody else runs */
  if (cpu.must_switch) schedule();
}

void panic(const char *text) {
  cli();
  while (*text) outb(0xE9, *text++);
  outb(0xF4, 1); /* leaves QEMU */
  for (;;) __asm__ volatile("hlt");
}
