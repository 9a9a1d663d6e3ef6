import Foundation

/// Functions in C, compiled to object files for jobs that call them.
enum ObjectCode {
  enum Target: String, CaseIterable {
    case i386 = "i686"
    case x64 = "x86_64"

    var arch: String { self == .i386 ? "i386" : "x86-64" }
  }

  /// Compiles C to `NAME.o` in the workshop.
  @discardableResult
  static func compile(
    _ code: String, to name: String, for target: Target, options: [String] = [],
    in workshop: Workshop
  ) throws -> String {
    try workshop.write("\(name).c", code)
    try TinyKernel.run(
      [
        "clang", "-target", "\(target.rawValue)-unknown-none-elf", "-O1", "-g", "-mno-sse",
        "-mno-red-zone", "-fno-pic", "-ffreestanding", "-c", "\(name).c", "-o", "\(name).o",
      ] + options, in: workshop.folder)
    return workshop.path("\(name).o")
  }

  /// What several tests call: litmus tests, a lock, a handler.
  static let common = """
    volatile int x, y, r1, r2, data, flag, seen, got = -1, count, lock, inside, soft, args, nmis;
    int table[4] = {1, 2, 3, 4};
    struct { short a, b; int d; } pair = {1, -2, 3};
    static int xchg(volatile int *p, int v) {
      __asm__ volatile("xchg %0,%1" : "+r"(v), "+m"(*p));
      return v;
    }
    __attribute__((noinline)) void acquire(volatile int *l) { while (xchg(l, 1)) __asm__ volatile("pause"); }
    __attribute__((noinline)) void release(volatile int *l) { *l = 0; }
    void buffer1(void) { x = 1; r1 = y; }
    void buffer2(void) { y = 1; r2 = x; }
    void send(void) { data = 42; flag = 1; }
    void receive(void) { seen = flag; got = data; }
    void increment(void) { int v = count; __asm__ volatile("" : "+r"(v)); v++; count = v; }
    __attribute__((noinline)) void add(volatile int *l, int n) { acquire(l); inside++; count += n; inside--; release(l); }
    void add_irq(int n) {
      unsigned long f;
      __asm__ volatile("pushf; pop %0; cli" : "=r"(f));
      add(&lock, n);
      if (f & 0x200) __asm__ volatile("sti");
    }
    void tick(void) { add(&lock, 100); }
    void on_nmi(void) { nmis = nmis + 1; }
    void on_soft(int n) { soft = n; }
    void call_soft(void) { __asm__ volatile("int $0x80"); }
    void many(int a, int b, int c, int d, int e, int f, int g, int h) {
      args = a == 1 && b == 2 && c == 3 && d == 4 && e == 5 && f == 6 && g == 7 && h == -8;
    }
    void set_table(void) { table[2] = table[1] + pair.b; }
    void halt(void) { __asm__ volatile("hlt"); }
    void wake(void) { flag = 1; }
    void wait(void) { while (!flag) __asm__ volatile("hlt"); }
    void spin(void) { while (!flag) __asm__ volatile("pause"); }
    """
}
