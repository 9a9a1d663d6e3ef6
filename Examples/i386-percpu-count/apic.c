#include "kernel.h"

/* Interrupt controllers. Intel SDM Vol. 3A chapter 10; 82093AA data sheet; PC16550D data sheet. */
static volatile u32 *const local = (u32 *)0xFEE00000;
static volatile u32 *const io = (u32 *)0xFEC00000;
enum { EOI = 0xB0 / 4, SPURIOUS = 0xF0 / 4, COMMAND = 0x300 / 4, TO = 0x310 / 4, TIMER_ENTRY = 0x320 / 4, PERIOD = 0x380 / 4, DIVIDE = 0x3E0 / 4 };

void end_of_interrupt(void) { local[EOI] = 0; }

static void route(int line, int vector, int cpu) {
  io[0] = 0x11 + 2 * line;
  io[4] = cpu << 24;
  io[0] = 0x10 + 2 * line;
  io[4] = vector;
}

/* The keyboard interrupts the first CPU, the other device the second one. */
void start_devices(void) {
  outb(0x21, 0xFF); /* the old controllers are not used */
  outb(0xA1, 0xFF);
  route(1, KEYBOARD, 0);
  route(4, DEVICE, 1);
  while (inb(0x64) & 1) inb(0x60);
  outb(0x3F9, 0x02); /* interrupt when the transmitter has done */
  outb(0x3FC, 0x0B);
}

void start_timer(void) {
  local[SPURIOUS] = 0x1FF;
  local[DIVIDE] = 0xB;
  local[TIMER_ENTRY] = TIMER | 1 << 17; /* again and again */
  local[PERIOD] = 1000000;
}

static void wait(void) {
  for (int i = 0; i < 2000; i++) outb(0x80, 0);
}

void start_other_cpu(void) {
  extern u8 trampoline[], trampoline_end[];
  for (int i = 0; trampoline + i < trampoline_end; i++) ((volatile u8 *)0x8000)[i] = trampoline[i];
  local[TO] = 1 << 24;
  local[COMMAND] = 0x4500; /* INIT */
  wait();
  local[TO] = 1 << 24;
  local[COMMAND] = 0x4600 | 0x8; /* start at page 8 */
}
