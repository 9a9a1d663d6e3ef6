#include "kernel.h"

/* What a boot loader hands over, as far as it is looked at. */
struct multiboot {
  u32 flags, lower, upper, device;
  const char *command_line;
};

/* null, kernel's code and data, users' code and data, the TSS of each CPU */
unsigned long long gdt[7] = {0, 0xCF9A000000FFFFull, 0xCF92000000FFFFull, 0xCFFA000000FFFFull, 0xCFF2000000FFFFull};
static struct { u32 low, high; } idt[256];

struct __attribute__((packed)) table {
  unsigned short limit;
  void *base;
};

static void gate(int vector, void entry(void), int ring) {
  u32 address = (u32)entry;
  idt[vector].low = KERNEL_CODE << 16 | (address & 0xFFFF);
  idt[vector].high = (address & 0xFFFF0000) | 0x8E00 | ring << 13;
}

static void make_tables(void) {
  extern void entry_timer(void), entry_keyboard(void), entry_device(void), entry_system_call(void), entry_exception(void);
  for (int i = 0; i < 32; i++) gate(i, entry_exception, 0);
  gate(TIMER, entry_timer, 0);
  gate(KEYBOARD, entry_keyboard, 0);
  gate(DEVICE, entry_device, 0);
  gate(SYSTEM_CALL, entry_system_call, 3);
  for (int i = 0; i < 2; i++) {
    struct tss *tss = &cpus[i].tss;
    tss->ss0 = KERNEL_DATA;
    tss->iomap = sizeof *tss << 16;
    u32 base = (u32)tss;
    gdt[5 + i] = (sizeof *tss - 1) | (unsigned long long)(base & 0xFFFFFF) << 16 | 0x89ull << 40
                 | (unsigned long long)(base >> 24) << 56;
  }
}

void load_tables(int cpu) {
  struct table to_gdt = {sizeof gdt - 1, gdt}, to_idt = {sizeof idt - 1, idt};
  __asm__ volatile("lgdt %0; lidt %1" : : "m"(to_gdt), "m"(to_idt));
  __asm__ volatile("ljmp %0, $1f; 1: movw %w1, %%ds; movw %w1, %%es; movw %w1, %%ss"
                   : : "i"(KERNEL_CODE), "r"(KERNEL_DATA));
  /* Not used; but what the boot loader has left there, the way to a user would clear under somebody's feet. */
  __asm__ volatile("movw %w0, %%fs; movw %w0, %%gs" : : "r"(0));
  __asm__ volatile("ltr %w0" : : "r"(FIRST_TSS + 8 * cpu));
}

/* The value of `name=` in the command line, or "". */
static const char *option(const char *line, const char *name) {
  for (; *line; line++) {
    int i = 0;
    while (name[i] && line[i] == name[i]) i++;
    if (!name[i] && line[i] == '=') return line + i + 1;
  }
  return line;
}

static volatile int go, arrived;

void other_main(void) {
  load_tables(1);
  start_timer();
  arrived = 1;
  while (!go) {}
  scheduler();
}

/* "tasks=XY": the two programs, each r(eader), w(riter), y(ielder), c(omputer) or o(nce: reads one key, then
   computes). "rounds=N": see trap.c. */
void main(struct multiboot *boot) {
  extern void program_reader(void), program_writer(void), program_yielder(void), program_computer(void),
    program_once(void);
  extern u32 rounds;
  const char *line = boot->flags & 4 ? boot->command_line : "";
  const char *programs = option(line, "tasks");
  for (int i = 0; i < 2; i++)
    switch (programs[0] ? programs[i] : 'w') {
    case 'r': make_task(i, program_reader); break;
    case 'y': make_task(i, program_yielder); break;
    case 'c': make_task(i, program_computer); break;
    case 'o': make_task(i, program_once); break;
    default: make_task(i, program_writer); break;
    }
  for (const char *digit = option(line, "rounds"); *digit >= '0' && *digit <= '9'; digit++)
    rounds = rounds * 10 + *digit - '0';
  make_tables();
  load_tables(0);
  start_devices();
  start_timer();
  start_other_cpu();
  while (!arrived) {}
  go = 1;
  scheduler();
}
