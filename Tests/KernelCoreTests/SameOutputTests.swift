import Emulator
import Foundation
import KernelCore
import Testing

/// The same image says the same in our emulator as in QEMU (`QEMUTests` holds QEMU to these texts).
@Suite struct SameOutputTests {
  @Test(
    arguments: rightImages,
    [
      ("hello,hello", "hello\nhello\nhello\nhello\nhello\nhello\n"), ("once,nap", "w"),
      ("pay,repay", ""), ("exiter,exiter", ""), ("nap,nap", ""),
    ])
  func ourMachineSaysWhatQEMUSays(image: String, run: (tasks: String, output: String)) throws {
    let (tasks, output) = run
    let bytes = try #require(KernelImages.image(named: image))
    let machine = Machine(ramBytes: 8 << 20)
    try machine.loadMultiboot(ELFImage(bytes), commandLine: "tasks=\(tasks) exit=qemu")
    var stop = Stop.limit
    while stop != .exit && machine.instructions < 100_000_000 {
      stop = machine.run(cpu: 0, limit: 1_000_000)
      if stop == .shutdown || stop == .unmodelled { break }
    }
    #expect(stop == .exit, "\(machine.unmodelled ?? "")")
    let names = tasks.split(separator: ",").joined(separator: " ")
    #expect(
      String(decoding: machine.serialOutput, as: UTF8.self)
        == "tasks: \(names)\n\(output)all tasks have exited\n")
  }

  @Test(arguments: imagesForSeveralCPUs, [1, 2, 3, 4])
  func severalCPUsSayInOurMachineWhatTheySayInQEMU(image: String, cpus: Int) throws {
    let bytes = try #require(KernelImages.image(named: image))
    for (line, output) in linesForSeveralCPUs {
      let machine = Machine(cpuCount: cpus, ramBytes: 8 << 20)
      try machine.loadMultiboot(ELFImage(bytes), commandLine: line + " exit=qemu")
      var stop = Stop.limit
      while stop != .exit && machine.instructions < 100_000_000 {
        stop = machine.runAll(limit: 1_000_000).stop
        if stop == .shutdown || stop == .unmodelled || stop == .halted { break }
      }
      #expect(stop == .exit, "\(line) on \(cpus): \(machine.unmodelled ?? "")")
      #expect(String(decoding: machine.serialOutput, as: UTF8.self) == output, "\(line)")
    }
  }
}
