/* Executes instruction cases on this machine's own processor, in user mode, and writes down what became
   of them.

   Usage: native_oracle CASES RESULTS

   CASES, little-endian:
     header   magic "LLN1", u32 count, u64 base of the code region, u64 its size, u64 base of GS,
              u64 base of the data region, u64 its size, u64 a second address of it,
              u32 window count, u32 0, then per window u64 address (in the data region; 0: the vector
              registers, 256 bytes), u64 size (a multiple of 8) and its initial bytes
     case     u8 length, u8 flags (bit 0: it branches, bit 1: it uses vector registers), 6 bytes 0,
              u64 address of its code, 16 bytes of code, 16 registers and RFLAGS as u64
   RESULTS:
     per case u8 status (0 executed, 1 exception), u8 exception, u16 changed words, u32 0, u64 RIP,
              16 registers and RFLAGS as u64, then per changed word u32 window, u32 offset, u64 value

   A case's code is followed by a jump back; around one that branches there are breakpoints, and a jump
   back is not needed. Exceptions come as signals. */

#define _GNU_SOURCE
#include <asm/prctl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

struct state {
  uint64_t registers[16];
  uint64_t flags;
  uint64_t rip;
};

struct test_case {
  uint8_t length, flags, unused[6];
  uint64_t address;
  uint8_t code[16];
  uint64_t registers[16];
  uint64_t rflags;
};

struct window {
  uint64_t address, size;
  uint8_t *initial, *live;
};

struct state before, after;
uint64_t host_stack;
uint8_t uses_vectors;
uint8_t vectors[256] __attribute__((aligned(16)));

void enter_case(void);
void leave_case(void);
void resume_host(void);

#define MOVE_ALL(MOVE) \
  MOVE(rcx, 1) MOVE(rdx, 2) MOVE(rbx, 3) MOVE(rbp, 5) MOVE(rsi, 6) MOVE(rdi, 7) MOVE(r8, 8) \
  MOVE(r9, 9) MOVE(r10, 10) MOVE(r11, 11) MOVE(r12, 12) MOVE(r13, 13) MOVE(r14, 14) MOVE(r15, 15)
#define LOAD(name, n) "movq before+8*" #n "(%rip), %" #name "\n"
#define STORE(name, n) "movq %" #name ", after+8*" #n "(%rip)\n"
#define VECTORS(MOVE) \
  MOVE(0) MOVE(1) MOVE(2) MOVE(3) MOVE(4) MOVE(5) MOVE(6) MOVE(7) MOVE(8) MOVE(9) MOVE(10) MOVE(11) \
  MOVE(12) MOVE(13) MOVE(14) MOVE(15)
#define LOAD_VECTOR(n) "movaps vectors+16*" #n "(%rip), %xmm" #n "\n"
#define STORE_VECTOR(n) "movaps %xmm" #n ", vectors+16*" #n "(%rip)\n"

__asm__(
    ".text\n"
    ".globl enter_case, leave_case, resume_host\n"
    "enter_case:\n"
    "pushq %rbx\npushq %rbp\npushq %r12\npushq %r13\npushq %r14\npushq %r15\npushfq\n"
    "movq %rsp, host_stack(%rip)\n"
    "cmpb $0, uses_vectors(%rip)\n"
    "je 1f\n" VECTORS(LOAD_VECTOR)
    "1:\n"
    "pushq before+8*16(%rip)\npopfq\n" MOVE_ALL(LOAD)
    "movq before+8*4(%rip), %rsp\n"
    "movq before(%rip), %rax\n"
    "jmp *before+8*17(%rip)\n"
    "leave_case:\n"
    "movq %rax, after(%rip)\n"
    "movq %rsp, after+8*4(%rip)\n" MOVE_ALL(STORE)
    "movq host_stack(%rip), %rsp\n"
    "pushfq\npopq after+8*16(%rip)\n"
    "resume_host:\n"
    "cmpb $0, uses_vectors(%rip)\n"
    "je 1f\n" VECTORS(STORE_VECTOR)
    "1:\n"
    "popfq\npopq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbp\npopq %rbx\nret\n");

static int exception;

static void signalled(int number, siginfo_t *information, void *context) {
  (void)number;
  (void)information;
  static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                REG_R12, REG_R13, REG_R14, REG_R15};
  greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
  for (int i = 0; i < 16; i++) after.registers[i] = (uint64_t)g[order[i]];
  after.flags = (uint64_t)g[REG_EFL];
  after.rip = (uint64_t)g[REG_RIP];
  exception = (int)g[REG_TRAPNO];
  g[REG_RIP] = (greg_t)(uintptr_t)resume_host;
  g[REG_RSP] = (greg_t)host_stack;
  g[REG_EFL] &= ~0x40500;
}

static void fail(const char *what) {
  fprintf(stderr, "native_oracle: %s\n", what);
  exit(1);
}

static const uint8_t *input;

static const void *take(size_t size) {
  const void *result = input;
  input += size;
  return result;
}

static uint64_t take64(void) {
  uint64_t value;
  memcpy(&value, take(8), 8);
  return value;
}

static uint32_t take32(void) {
  uint32_t value;
  memcpy(&value, take(4), 4);
  return value;
}

static void *map(uint64_t address, uint64_t size, int protection, int file) {
  void *result = mmap((void *)address, size, protection,
                      MAP_FIXED_NOREPLACE | (file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED),
                      file, 0);
  if (result != (void *)address) fail("an address of the arena is taken");
  return result;
}

int main(int count, char **arguments) {
  if (count != 3) fail("usage: native_oracle CASES RESULTS");
  FILE *file = fopen(arguments[1], "rb");
  if (!file) fail("the file of cases cannot be read");
  fseek(file, 0, SEEK_END);
  long size = ftell(file);
  rewind(file);
  uint8_t *bytes = malloc((size_t)size);
  if (!bytes || fread(bytes, 1, (size_t)size, file) != (size_t)size) fail("short file of cases");
  fclose(file);
  input = bytes;
  if (memcmp(take(4), "LLN1", 4)) fail("not a file of cases");
  uint32_t cases = take32();
  uint64_t code_base = take64(), code_size = take64(), gs = take64();
  uint64_t data_base = take64(), data_size = take64(), second_base = take64();
  uint32_t window_count = take32();
  take32();
  int memory = memfd_create("arena", 0);
  if (memory < 0 || ftruncate(memory, (off_t)data_size)) fail("no memory");
  map(data_base, data_size, PROT_READ | PROT_WRITE, memory);
  map(second_base, data_size, PROT_READ | PROT_WRITE, memory);
  memset(map(code_base, code_size, PROT_READ | PROT_WRITE | PROT_EXEC, -1), 0xCC, code_size);
  struct window windows[8];
  if (window_count > 8) fail("too many windows");
  for (uint32_t i = 0; i < window_count; i++) {
    struct window *w = &windows[i];
    w->address = take64();
    w->size = take64();
    w->initial = (uint8_t *)take(w->size);
    w->live = w->address ? (uint8_t *)w->address : vectors;
    memcpy(w->live, w->initial, w->size);
  }
  const uint8_t *first = input;
  for (uint32_t i = 0; i < cases; i++) {
    struct test_case c;
    memcpy(&c, take(sizeof c), sizeof c);
    uint8_t *at = (uint8_t *)c.address;
    memcpy(at, c.code, c.length);
    if (!(c.flags & 1)) {
      uint64_t target = (uint64_t)(uintptr_t)leave_case;
      memcpy(at + c.length, "\xFF\x25\0\0\0\0", 6);
      memcpy(at + c.length + 6, &target, 8);
    }
  }

  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_UNBLOCK, &all, NULL);
  stack_t stack = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
  sigaltstack(&stack, NULL);
  struct sigaction action = {.sa_sigaction = signalled,
                             .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  const int signals[] = {SIGFPE, SIGSEGV, SIGILL, SIGTRAP, SIGBUS};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
  if (syscall(SYS_arch_prctl, ARCH_SET_GS, gs)) fail("the base of GS cannot be set");
  alarm(300);

  file = fopen(arguments[2], "wb");
  if (!file) fail("the file of results cannot be written");
  input = first;
  for (uint32_t i = 0; i < cases; i++) {
    struct test_case c;
    memcpy(&c, take(sizeof c), sizeof c);
    memcpy(before.registers, c.registers, sizeof c.registers);
    before.flags = c.rflags;
    before.rip = c.address;
    uses_vectors = c.flags & 2;
    exception = -1;
    enter_case();
    if (exception < 0) after.rip = c.address + c.length;
    if (exception == 3 && c.flags & 1) {
      exception = -1;
      after.rip -= 1;
    }
    struct {
      uint8_t status, exception;
      uint16_t changes;
      uint32_t unused;
      uint64_t rip, registers[16], flags;
    } result = {exception >= 0, (uint8_t)exception, 0, 0, after.rip, {0}, after.flags};
    memcpy(result.registers, after.registers, sizeof result.registers);
    struct {
      uint32_t window, offset;
      uint64_t value;
    } changes[256];
    for (uint32_t n = 0; n < window_count; n++) {
      struct window *w = &windows[n];
      if (!memcmp(w->live, w->initial, w->size)) continue;
      for (uint32_t offset = 0; offset < w->size; offset += 8) {
        if (!memcmp(w->live + offset, w->initial + offset, 8)) continue;
        if (result.changes == 256) fail("a case changes too much");
        changes[result.changes].window = n;
        changes[result.changes].offset = offset;
        memcpy(&changes[result.changes++].value, w->live + offset, 8);
      }
      memcpy(w->live, w->initial, w->size);
    }
    fwrite(&result, sizeof result, 1, file);
    fwrite(changes, sizeof *changes, result.changes, file);
  }
  if (fclose(file)) fail("the file of results cannot be written");
  return 0;
}
