import Emulator
import Foundation

/// Debian's Bochs, booting a disk of ours. It is built with the debugger, so that a run has to be
/// started by a command, and can be ended after an exact number of instructions.
struct Bochs {
  let folder: URL
  let bootSector: [UInt8]

  /// Instructions a second as Bochs supposes them. With this its timer keeps the pace of ours: 32
  /// instructions for one pulse of 1.193182 MHz.
  static let instructionsPerSecond = 32 * 1_193_182

  enum End {
    /// The guest says so, with a line that begins with "END".
    case line
    /// This many instructions since power-on, or a little later: Bochs looks at the count at each
    /// event of its devices.
    case instructions(UInt64)
  }

  struct Run {
    /// From the entry of the image to the end.
    var seconds: Double
    /// Instructions since power-on at the entry of the image, and at the end if a count ended the
    /// run.
    var begin: UInt64
    var end: UInt64
    /// What follows "END" in the guest's last line.
    var endLine: String
  }

  func run(_ image: ELFImage, commandLine: String, until end: End) throws -> Run {
    let disk = try DiskImage(bootSector: bootSector, image: image, commandLine: commandLine)
    let files = ["disk.img", "bochsrc", "commands", "log", "serial"].map {
      folder.appending(path: "bochs-" + $0)
    }
    try Data(disk.bytes).write(to: files[0])
    // Left by a Bochs that was ended from outside, as one is after the guest's last line.
    try? FileManager.default.removeItem(atPath: files[0].path + ".lock")
    try configuration(disk, files).write(to: files[1], atomically: true, encoding: .utf8)
    try commands(end).write(to: files[2], atomically: true, encoding: .utf8)

    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/bochs-bin")
    process.arguments = ["-q", "-f", files[1].path, "-rc", files[2].path]
    let output = Pipe()
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    do { try process.run() } catch {
      throw Failure("Bochs does not start (Debian packages bochs, bochsbios, vgabios): \(error)")
    }
    defer {
      if process.isRunning { process.terminate() }
      process.waitUntilExit()
    }
    return try watch(output.fileHandleForReading, log: files[3])
  }

  /// Reads what Bochs prints, noting when the marks come.
  private func watch(_ output: FileHandle, log: URL) throws -> Run {
    let clock = ContinuousClock()
    var began: ContinuousClock.Instant?
    var run = Run(seconds: 0, begin: 0, end: 0, endLine: "")
    var line = ""
    while true {
      let bytes = output.availableData
      let now = clock.now
      for byte in bytes {
        if byte != 10 {
          line.unicodeScalars.append(Unicode.Scalar(byte))
          continue
        }
        if let mark = line.range(of: "BEGIN ") {
          began = now
          run.begin = UInt64(line[mark.upperBound...].prefix(8), radix: 16) ?? 0
        } else if line.hasPrefix("END "), let began {
          run.endLine = String(line.dropFirst(4))
          run.seconds = (now - began).seconds
          return run
        } else if line.hasPrefix("Next at t=") {
          run.end = UInt64(line.dropFirst(10)) ?? 0
        }
        line = ""
      }
      if bytes.isEmpty {
        guard let began else { throw Failure("Bochs did not boot the image; see \(log.path)") }
        run.seconds = (now - began).seconds
        return run
      }
    }
  }

  private func commands(_ end: End) -> String {
    switch end {
    case .line: "continue\n"
    case .instructions(let count): "sba \(count)\ncontinue\nquit\n"
    }
  }

  private func configuration(_ disk: DiskImage, _ files: [URL]) -> String {
    """
    display_library: rfb, options="timeout=0, hideIPS"
    romimage: file=/usr/share/bochs/BIOS-bochs-latest
    vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
    cpu: count=1, ips=\(Bochs.instructionsPerSecond), reset_on_triple_fault=0
    memory: guest=64, host=64
    clock: sync=none
    vga: update_freq=1
    sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
    plugin_ctrl: speaker=0, parallel=0
    port_e9_hack: enabled=1
    com1: enabled=1, mode=file, dev=\(files[4].path)
    ata0-master: type=disk, path=\(files[0].path), mode=flat, cylinders=\(disk.cylinders), \
    heads=16, spt=63
    boot: disk
    log: \(files[3].path)
    panic: action=fatal
    error: action=ignore
    info: action=ignore

    """
  }
}

extension Duration {
  var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
