import Emulator
import KernelCore

/// A guest whose execution is timed on both emulators.
struct Guest {
  var name: String
  var image: ELFImage
  var commandLine: String
  /// How many instructions to execute; nil: until the guest says that it has ended.
  var instructions: UInt64?
}

/// One emulator's time for a guest.
struct Timing {
  var instructions: UInt64
  var seconds: Double
  /// What the guest found out, to be the same on both.
  var result: String

  var rate: Double { Double(instructions) / seconds }
}

extension Guest {
  /// Runs the guest on our machine, from its entry.
  /// - Parameter count: instead of `instructions`.
  func timeHere(count: UInt64? = nil) throws -> Timing {
    let machine = Machine(ramBytes: 64 << 20)
    try machine.loadMultiboot(image, commandLine: commandLine)
    let clock = ContinuousClock()
    let start = clock.now
    let stop = machine.run(cpu: 0, limit: Int(count ?? instructions ?? 1 << 40))
    let seconds = (clock.now - start).seconds
    let expected: Stop = instructions == nil ? .exit : .limit
    guard stop == expected else {
      throw Failure("\(name): the run ended with \(stop) \(machine.unmodelled ?? "")")
    }
    if instructions != nil {
      return Timing(instructions: machine.instructions, seconds: seconds, result: "")
    }
    let line = String(decoding: machine.debugOutput, as: UTF8.self)
    return try Timing(endLine: String(line.dropFirst(4)), seconds: seconds, of: name)
  }

  /// Runs the guest on Bochs; what the BIOS and the boot sector took is not counted.
  /// - Parameter boot: instructions that BIOS and boot sector take, nearly; a guest that ends by itself
  ///   finds it out.
  func timeThere(_ bochs: Bochs, boot: inout UInt64) throws -> Timing {
    guard let instructions else {
      let run = try bochs.run(image, commandLine: commandLine, until: .line)
      boot = run.begin
      return try Timing(endLine: run.endLine, seconds: run.seconds, of: name)
    }
    let run = try bochs.run(
      image, commandLine: commandLine, until: .instructions(boot + instructions))
    guard run.end > run.begin else {
      throw Failure("\(name): Bochs ended without its count of instructions")
    }
    return Timing(instructions: run.end - run.begin, seconds: run.seconds, result: "")
  }
}

extension Timing {
  /// From what a guest prints after "END": its instructions and its result, in hexadecimal.
  init(endLine: String, seconds: Double, of name: String) throws {
    let fields = endLine.split(whereSeparator: \.isWhitespace)
    guard fields.count == 2, let count = UInt64(fields[0], radix: 16) else {
      throw Failure("\(name): the guest ended with \"\(endLine)\", not with two numbers")
    }
    self.init(instructions: count, seconds: seconds, result: String(fields[1]))
  }
}
