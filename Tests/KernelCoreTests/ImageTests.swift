import Foundation
import Testing

@testable import KernelCore

@Suite struct ImageTests {
  @Test(arguments: KernelImages.all.keys.sorted())
  func imageIsAnELFForItsMachineWithAMultibootHeader(name: String) throws {
    let image = try #require(KernelImages.image(named: name))
    let isWide = name.contains("-x86-64")
    // 32 or 64 bits, little-endian; executable, Intel 80386 or x86-64.
    #expect(image.starts(with: [0x7F, 0x45, 0x4C, 0x46, isWide ? 2 : 1, 1, 1]))
    #expect(image[16...19].elementsEqual([2, 0, isWide ? 62 : 3, 0]))

    let magic: [UInt8] = [0x02, 0xB0, 0xAD, 0x1B]
    let offset = stride(from: 0, to: 8192, by: 4).first {
      image[$0..<$0 + 4].elementsEqual(magic)
    }
    let header = try #require(offset)
    func word(_ index: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(image[header + 4 * index + $1]) << (8 * UInt32($1)) }
    }
    #expect(word(0) &+ word(1) &+ word(2) == 0)
  }

  @Test(arguments: KernelImages.all.keys.sorted())
  func imageNamesItsSourcesRelativeToThePackage(name: String) throws {
    let image = Data(try #require(KernelImages.image(named: name)))
    let package = #filePath.components(separatedBy: "/Tests/")[0]
    #expect(image.range(of: Data(package.utf8)) == nil)
    #expect(image.range(of: Data("Sources/KernelCore/Kernel".utf8)) != nil)
  }

  @Test func thereIsNoImageOfAnotherName() {
    #expect(KernelImages.image(named: "core-i486") == nil)
  }
}

private let qemu = ["/usr/bin", "/usr/local/bin"].contains {
  FileManager.default.isExecutableFile(atPath: $0 + "/qemu-system-x86_64")
}

/// The right images.
let rightImages = ["core-i386", "core-x86-64"]

@Suite(.enabled(if: qemu, "QEMU is not installed"))
struct QEMUTests {
  /// What an image says on the serial port, and whether it ended by itself.
  private func boot(_ name: String, _ line: String, cpus: Int = 1) throws -> (
    output: String, ended: Bool
  ) {
    let image = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try Data(#require(KernelImages.image(named: name))).write(to: image)
    defer { try? FileManager.default.removeItem(at: image) }

    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "boot-in-qemu.sh")
    process.arguments = [image.path, line, String(cpus)]
    process.standardOutput = pipe
    try process.run()
    let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (String(decoding: output, as: UTF8.self), process.terminationStatus == 0)
  }

  @Test(arguments: rightImages)
  func twoTasksRunToTheirEndWithTheSameOutputEachTime(image: String) throws {
    for _ in 0..<3 {
      let run = try boot(image, "tasks=hello,hello exit=qemu")
      #expect(
        run.output == """
          tasks: hello hello
          hello
          hello
          hello
          hello
          hello
          hello
          all tasks have exited

          """)
      #expect(run.ended)
    }
  }

  @Test(
    arguments: rightImages,
    [("once,nap", "w"), ("pay,repay", ""), ("exiter,exiter", ""), ("nap,nap", "")])
  func tasksThatExitEndTheRun(image: String, run: (tasks: String, output: String)) throws {
    let (tasks, output) = run
    let run = try boot(image, "tasks=\(tasks) exit=qemu")
    let names = tasks.split(separator: ",").joined(separator: " ")
    #expect(run.output == "tasks: \(names)\n\(output)all tasks have exited\n")
    #expect(run.ended)
  }

  @Test(arguments: imagesForSeveralCPUs, [1, 2, 4])
  func severalCPUsSayTheSame(image: String, cpus: Int) throws {
    for (line, output) in linesForSeveralCPUs {
      let run = try boot(image, line + " exit=qemu", cpus: cpus)
      #expect(run.output == output, "\(line)")
      #expect(run.ended, "\(line)")
    }
  }
}

/// The right images of the core for several CPUs.
let imagesForSeveralCPUs = ["smp-i386", "smp-x86-64"]

/// What they say with a command line, on any number of CPUs.
let linesForSeveralCPUs = [
  (
    "tasks=hello,hello,hello timer=yes",
    "tasks: hello hello hello\n" + String(repeating: "hello\n", count: 9)
      + "all tasks have exited\n"
  ),
  ("tasks=put,take", "tasks: put take\nall tasks have exited\n"),
  ("tasks=down,up", "tasks: down up\nall tasks have exited\n"),
  ("tasks=lock,lock,lock", "tasks: lock lock lock\nall tasks have exited\n"),
  ("works=queue,queue,queue,queue", "all works are done\n"),
  ("works=frame,ticket,frame,ticket", "all works are done\n"),
]
