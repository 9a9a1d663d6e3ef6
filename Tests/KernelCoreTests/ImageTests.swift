import Foundation
import Testing

@testable import KernelCore

@Suite struct ImageTests {
  @Test(arguments: KernelImages.all.keys.sorted())
  func imageIsAnELFForI386WithAMultibootHeader(name: String) throws {
    let image = try #require(KernelImages.image(named: name))
    #expect(image.starts(with: [0x7F, 0x45, 0x4C, 0x46, 1, 1, 1]))  // 32 bits, little-endian
    #expect(image[16...19].elementsEqual([2, 0, 3, 0]))  // executable, Intel 80386

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
  FileManager.default.isExecutableFile(atPath: $0 + "/qemu-system-i386")
}

@Suite(.enabled(if: qemu, "qemu-system-i386 is not installed"))
struct QEMUTests {
  /// What the right image says on the serial port, and whether it ended by itself.
  private func boot(_ line: String) throws -> (output: String, ended: Bool) {
    let image = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try Data(#require(KernelImages.image(named: "core-i386"))).write(to: image)
    defer { try? FileManager.default.removeItem(at: image) }

    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "boot-in-qemu.sh")
    process.arguments = [image.path, line]
    process.standardOutput = pipe
    try process.run()
    let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (String(decoding: output, as: UTF8.self), process.terminationStatus == 0)
  }

  @Test func twoTasksRunToTheirEndWithTheSameOutputEachTime() throws {
    for _ in 0..<3 {
      let run = try boot("tasks=hello,hello exit=qemu")
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

  @Test(arguments: [
    ("once,nap", "w"), ("pay,repay", ""), ("exiter,exiter", ""), ("nap,nap", ""),
  ])
  func tasksThatExitEndTheRun(tasks: String, output: String) throws {
    let run = try boot("tasks=\(tasks) exit=qemu")
    let names = tasks.split(separator: ",").joined(separator: " ")
    #expect(run.output == "tasks: \(names)\n\(output)all tasks have exited\n")
    #expect(run.ended)
  }
}
