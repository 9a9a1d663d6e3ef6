import Foundation

/// A kernel of three drivers in C, each with two locks; any of them can be built with the defect that
/// it releases the outer one first.
struct WorkingKernel {
  enum Driver: String, CaseIterable { case console, disk, network }

  var defects: Set<Driver> = []
  /// Where each driver's source is, and how many empty lines stand before its code.
  var files: [Driver: String] = [
    .console: "kernel/console.c", .disk: "kernel/disk.c", .network: "kernel/network.c",
  ]
  var emptyLines: [Driver: Int] = [:]

  static func function(_ driver: Driver) -> String {
    switch driver {
    case .console: "console_write"
    case .disk: "disk_read"
    case .network: "network_send"
    }
  }

  /// Compiles the kernel to `FOLDER/kernel.elf`, with debugging information whose paths are relative
  /// to the folder.
  func build(in workshop: Workshop) throws {
    try FileManager.default.createDirectory(
      atPath: workshop.path("kernel"), withIntermediateDirectories: true)
    try workshop.write("boot.S", TinyKernel.source(body: "  call work\n  sti\n1: hlt\n  jmp 1b"))
    try workshop.write("lock.c", Self.lock)
    var sources = ["boot.S", "lock.c"]
    for driver in Driver.allCases {
      let file = files[driver]!
      try workshop.write(file, source(of: driver))
      sources.append(file)
    }
    var objects: [String] = []
    for source in sources {
      let object = source.replacing("/", with: "-") + ".o"
      try TinyKernel.run(
        [
          "clang", "-target", "i686-unknown-none-elf", "-g", "-O1", "-ffreestanding", "-fno-pic",
          "-c", source, "-o", object,
        ], in: workshop.folder)
      objects.append(object)
    }
    try TinyKernel.run(
      [
        "ld.lld", "-m", "elf_i386", "-static", "-n", "-e", "_start", "--image-base=0x100000",
        "-Ttext=0x100000",
      ] + objects + ["-o", "kernel.elf"], in: workshop.folder)
  }

  private func source(of driver: Driver) -> String {
    let name = driver.rawValue
    var releases = [
      "spin_unlock_irqrestore(&\(name)_queue_lock, inner);",
      "spin_unlock_irqrestore(&\(name)_lock, outer);",
    ]
    if defects.contains(driver) { releases.swapAt(0, 1) }
    return String(repeating: "\n", count: emptyLines[driver] ?? 0) + """
      struct lock { volatile unsigned taken; };
      unsigned spin_lock_irqsave(struct lock *);
      void spin_unlock_irqrestore(struct lock *, unsigned);
      struct lock \(name)_lock, \(name)_queue_lock;
      volatile unsigned \(name)_work;
      void \(Self.function(driver))(void) {
        unsigned outer = spin_lock_irqsave(&\(name)_lock);
        unsigned inner = spin_lock_irqsave(&\(name)_queue_lock);
        \(name)_work = 1;
        \(name)_work = 0;
        \(releases[0])
        \(releases[1])
      }

      """
  }

  private static let lock = """
    struct lock { volatile unsigned taken; };
    __attribute__((noinline)) unsigned spin_lock_irqsave(struct lock *lock) {
      unsigned flags;
      __asm__ volatile("pushfl; popl %0; cli" : "=r"(flags) : : "memory");
      while (__atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE)) {}
      return flags;
    }
    __attribute__((noinline)) void spin_unlock_irqrestore(struct lock *lock, unsigned flags) {
      __atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE);
      __asm__ volatile("pushl %0; popfl" : : "r"(flags) : "memory", "cc");
    }
    void console_write(void);
    void disk_read(void);
    void network_send(void);
    __attribute__((noinline)) void work(void) {
      console_write();
      disk_read();
      network_send();
    }
    """

  /// A job of one scenario over `kernel.elf`.
  static let job = """
    version: 1
    images:
      kernel: {file: kernel.elf}
    scenarios:
      - name: drivers
        start: {symbol: work}
        locks: [{acquire: spin_lock_irqsave, release: spin_unlock_irqrestore}]

    """
}
