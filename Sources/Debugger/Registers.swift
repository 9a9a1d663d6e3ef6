import Emulator

/// The registers that the debugger sees, in the order of their numbers.
///
/// Numbers and names of the core are those of gdb's features `org.gnu.gdb.i386.core` and
/// `org.gnu.gdb.i386.segments` (GDB manual, appendix G.5.6); what only an operating system sees is a
/// feature of our own.
struct Registers {
  /// Where a register's value is.
  enum Place {
    case word(Int)
    case selector(Int)
    case base(Int)
    /// x87 state is not modelled: unavailable.
    case none
  }

  struct Register {
    var name: String
    /// Bits.
    var size: Int
    /// gdb's type.
    var type: String
    var place: Place
    var group: String?
  }

  struct Feature {
    var name: String
    var registers: [Register]
  }

  let is64Bit: Bool
  let features: [Feature]
  let all: [Register]
  /// Number of the instruction pointer.
  let pc: Int
  let sp: Int

  init(is64Bit: Bool) {
    self.is64Bit = is64Bit
    features = is64Bit ? Self.long : Self.flat
    all = features.flatMap(\.registers)
    pc = all.firstIndex { $0.type == "code_ptr" }!
    sp = all.firstIndex { $0.name == "rsp" || $0.name == "esp" }!
  }

  /// `gdb`'s name for the architecture.
  var architecture: String { is64Bit ? "i386:x86-64" : "i386" }

  /// A register's value, or nil where it is not modelled.
  func value(_ number: Int, of cpu: CPU) -> UInt64? {
    switch all[number].place {
    case .word(let word): cpu[word]
    case .selector(let segment): UInt64(cpu.selector(segment))
    case .base(let segment): cpu.base(segment)
    case .none: nil
    }
  }

  /// A register as packets have it: `x` for each digit that there is not.
  func text(_ number: Int, of cpu: CPU) -> String {
    let size = all[number].size / 8
    guard let value = value(number, of: cpu) else { return String(repeating: "x", count: 2 * size) }
    return Hex.encode(value, size: size)
  }

  /// gdb numbers the general registers otherwise than their encoding.
  private static let general32 = [
    ("eax", 0), ("ecx", 1), ("edx", 2), ("ebx", 3), ("esp", 4), ("ebp", 5), ("esi", 6), ("edi", 7),
  ]
  private static let general64 = [
    ("rax", 0), ("rbx", 3), ("rcx", 1), ("rdx", 2), ("rsi", 6), ("rdi", 7), ("rbp", 5), ("rsp", 4),
  ]
  private static let selectors = [
    ("cs", CPU.Segment.cs), ("ss", CPU.Segment.ss), ("ds", CPU.Segment.ds),
    ("es", CPU.Segment.es), ("fs", CPU.Segment.fs), ("gs", CPU.Segment.gs),
  ]

  private static func core(
    _ general: [Register], pc: String, size: Int
  ) -> Feature {
    let x87 =
      (0..<8).map { Register(name: "st\($0)", size: 80, type: "i387_ext", place: .none) }
      + ["fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"].map {
        Register(name: $0, size: 32, type: "int", place: .none, group: "float")
      }
    return Feature(
      name: "org.gnu.gdb.i386.core",
      registers: general
        + [
          Register(name: pc, size: size, type: "code_ptr", place: .word(CPU.Word.rip)),
          Register(name: "eflags", size: 32, type: "i386_eflags", place: .word(CPU.Word.rflags)),
        ]
        + selectors.map { Register(name: $0, size: 32, type: "int32", place: .selector($1)) }
        + x87)
  }

  private static func system(size: Int) -> Feature {
    let words = [
      ("cr0", CPU.Word.cr0), ("cr2", CPU.Word.cr2), ("cr3", CPU.Word.cr3), ("cr4", CPU.Word.cr4),
      ("efer", CPU.Word.efer), ("gdtr", CPU.Word.gdtrBase), ("idtr", CPU.Word.idtrBase),
      ("cpl", CPU.Word.cpl),
    ]
    return Feature(
      name: "locklab.x86.system",
      registers: words.map {
        Register(name: $0, size: size, type: "int\(size)", place: .word($1), group: "system")
      })
  }

  private static var flat: [Feature] {
    let general = general32.map {
      Register(
        name: $0, size: 32, type: $0 == "esp" || $0 == "ebp" ? "data_ptr" : "int32",
        place: .word($1))
    }
    return [core(general, pc: "eip", size: 32), system(size: 32)]
  }

  private static var long: [Feature] {
    let general =
      general64.map {
        Register(
          name: $0, size: 64, type: $0 == "rsp" || $0 == "rbp" ? "data_ptr" : "int64",
          place: .word($1))
      } + (8..<16).map { Register(name: "r\($0)", size: 64, type: "int64", place: .word($0)) }
    let segments = Feature(
      name: "org.gnu.gdb.i386.segments",
      registers: [
        Register(name: "fs_base", size: 64, type: "int64", place: .base(CPU.Segment.fs)),
        Register(name: "gs_base", size: 64, type: "int64", place: .base(CPU.Segment.gs)),
      ])
    var system = system(size: 64)
    system.registers.append(
      Register(
        name: "k_gs_base", size: 64, type: "int64", place: .word(CPU.Word.kernelGSBase),
        group: "system"))
    return [core(general, pc: "rip", size: 64), segments, system]
  }
}
