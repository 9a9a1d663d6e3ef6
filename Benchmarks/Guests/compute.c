// The compute loop: a sieve, a sort, a hash and a matrix product, over and over, with no
// interrupts and no devices. Ring 0, flat segments, no paging: what is measured is the execution
// of ordinary compiled code.
//
// It reads the time-stamp counter before and after, which both emulators advance by one for each
// instruction, and sends to port 0xE9 the line "END", the instructions in between and a checksum,
// by which the two runs are known to have done the same work.

typedef unsigned int u32;
typedef unsigned char u8;

enum { ROUNDS = 10, SIEVE = 1 << 19, ITEMS = 1 << 16, TEXT = 1 << 19, SIDE = 64 };

// Memory that the loader need not clear or carry.
static u8 *const composite = (u8 *)0x400000;
static u32 *const items = (u32 *)0x800000;
static u8 *const text = (u8 *)0xA00000;
static u32 (*const left)[SIDE] = (u32 (*)[SIDE])0xC00000;
static u32 (*const right)[SIDE] = (u32 (*)[SIDE])0xC10000;

static inline u32 time_stamp(void) {
  u32 low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return low;
}

static inline void out8(unsigned short port, u8 value) {
  __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static u32 seed;

static u32 random(void) {
  seed ^= seed << 13;
  seed ^= seed >> 17;
  seed ^= seed << 5;
  return seed;
}

static u32 sieve(void) {
  u32 primes = 0;
  for (u32 i = 2; i < SIEVE; i++) composite[i] = 0;
  for (u32 i = 2; i < SIEVE; i++) {
    if (composite[i]) continue;
    primes++;
    for (u32 j = i + i; j < SIEVE; j += i) composite[j] = 1;
  }
  return primes;
}

static void sort(u32 *first, u32 *last) {
  while (first < last) {
    u32 pivot = first[(last - first) / 2];
    u32 *low = first, *high = last;
    while (low <= high) {
      while (*low < pivot) low++;
      while (*high > pivot) high--;
      if (low <= high) {
        u32 item = *low;
        *low++ = *high;
        *high-- = item;
      }
    }
    sort(first, high);
    first = low;
  }
}

static u32 sorted(void) {
  for (u32 i = 0; i < ITEMS; i++) items[i] = random();
  sort(items, items + ITEMS - 1);
  u32 sum = 0;
  for (u32 i = 0; i < ITEMS; i += 97) sum = sum * 31 + items[i];
  return sum;
}

// FNV-1a of a text that changes from round to round.
static u32 hash(void) {
  u32 sum = 0x811C9DC5;
  for (u32 i = 0; i < TEXT; i++) text[i] = (u8)(i * 7 + seed);
  for (u32 i = 0; i < TEXT; i++) sum = (sum ^ text[i]) * 0x01000193;
  return sum;
}

static u32 product(void) {
  for (u32 i = 0; i < SIDE; i++)
    for (u32 j = 0; j < SIDE; j++) {
      left[i][j] = i * seed + j;
      right[i][j] = j * seed + i;
    }
  u32 trace = 0;
  for (u32 i = 0; i < SIDE; i++)
    for (u32 j = 0; j < SIDE; j++) {
      u32 sum = 0;
      for (u32 k = 0; k < SIDE; k++) sum += left[i][k] * right[k][j];
      trace = trace * 3 + sum;
    }
  return trace;
}

static void print(const char *message) {
  while (*message) out8(0xE9, (u8)*message++);
}

static void print_hex(u32 value) {
  for (int shift = 28; shift >= 0; shift -= 4)
    out8(0xE9, (u8) "0123456789abcdef"[value >> shift & 15]);
}

void work(void) {
  u32 checksum = 0;
  seed = 0x2545F491;
  u32 start = time_stamp();
  for (u32 round = 0; round < ROUNDS; round++) {
    checksum = checksum * 33 + sieve();
    checksum = checksum * 33 + sorted();
    checksum = checksum * 33 + hash();
    checksum = checksum * 33 + product();
  }
  u32 spent = time_stamp() - start;
  print("END ");
  print_hex(spent);
  print(" ");
  print_hex(checksum);
  print("\n");
  out8(0xF4, 0);
}
