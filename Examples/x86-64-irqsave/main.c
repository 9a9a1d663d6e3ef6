#include "kernel.h"

/* What a boot loader hands over, as far as it is looked at. */
struct multiboot {
  u32 flags, lower, upper, device, command_line;
};

static struct __attribute__((packed)) {
  u32 reserved;
  u64 rsp[3], reserved2, ist[7], reserved3;
  u16 reserved4, iomap;
} tss = {.iomap = sizeof tss};

/* null, kernel's code and data, (32-bit code), users' data and code, TSS: SYSRET wants this order. */
u64 gdt[8] = {0, 0xAF9A000000FFFF, 0xCF92000000FFFF, 0, 0xCFF2000000FFFF, 0xAFFA000000FFFF};
static struct { u64 low, high; } idt[256];

void use_stack(u8 *top) {
  tss.rsp[0] = (u64)top;
  cpu.kernel_sp = (u64)top;
}

static void write_msr(u32 number, u64 value) {
  __asm__ volatile("wrmsr" : : "c"(number), "a"((u32)value), "d"((u32)(value >> 32)));
}

static void gate(int vector, void entry(void)) {
  u64 address = (u64)entry;
  idt[vector].low = (address & 0xFFFF) | KERNEL_CODE << 16 | 0x8E00ull << 32 | (address >> 16 & 0xFFFF) << 48;
  idt[vector].high = address >> 32;
}

static void load_tables(void) {
  extern void entry_timer(void), entry_keyboard(void), entry_exception(void), entry_syscall(void);
  for (int i = 0; i < 32; i++) gate(i, entry_exception);
  gate(TIMER, entry_timer);
  gate(KEYBOARD, entry_keyboard);
  u64 base = (u64)&tss;
  gdt[6] = (sizeof tss - 1) | (base & 0xFFFFFF) << 16 | 0x89ull << 40 | (base >> 24 & 0xFF) << 56;
  gdt[7] = base >> 32;
  struct __attribute__((packed)) { u16 limit; void *base; } to_idt = {sizeof idt - 1, idt};
  __asm__ volatile("lidt %0; ltr %w1" : : "m"(to_idt), "r"(TSS));
  write_msr(0xC0000101, (u64)&cpu);                  /* GS; the users' is 0 */
  write_msr(0xC0000081, 0x18ull << 48 | 0x08ull << 32); /* STAR: segments */
  write_msr(0xC0000082, (u64)entry_syscall);         /* LSTAR */
  write_msr(0xC0000084, 0x600);                      /* SFMASK: IF and DF go off */
}

/* Two 8259 controllers, vectors from 20h on; timer and keyboard; a timer of 1 kHz. */
static void start_devices(void) {
  static const u8 first[] = {0x11, 0x20, 0x04, 0x01}, second[] = {0x11, 0x28, 0x02, 0x01};
  for (int i = 0; i < 4; i++) {
    outb(i ? 0x21 : 0x20, first[i]);
    outb(i ? 0xA1 : 0xA0, second[i]);
  }
  outb(0x21, 0xFC);
  outb(0xA1, 0xFF);
  outb(0x43, 0x34);
  outb(0x40, 1193 & 0xFF);
  outb(0x40, 1193 >> 8);
  while (inb(0x64) & 1) inb(0x60);
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

/* "tasks=XY": the two programs, each r(eader), w(riter), y(ielder), c(omputer) or o(nce: reads one key, then
   computes). "rounds=N": see trap.c. */
void main(struct multiboot *boot) {
  extern void program_reader(void), program_writer(void), program_yielder(void), program_computer(void),
    program_once(void);
  extern u32 rounds;
  const char *line = boot->flags & 4 ? (const char *)(u64)boot->command_line : "";
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
  load_tables();
  start_devices();
  begin_tasks();
}
