import Foundation
import Model

/// What a job wants linked: object files, the symbols that it names, and the ones that it stubs.
struct LinkRequest {
  var paths: [String]
  var place: JobError.Place?
  var file: String
  /// Symbols that the job's scenarios name: members of archives that have them are taken.
  var wanted: [String] = []
  /// Bytes that each stubbed symbol needs where no object defines it.
  var stubs: [String: Int] = [:]
}

/// Links object files with the linker of the machine: `ld.lld` or `ld`.
struct Linker {
  let request: LinkRequest

  /// - Returns: the linked image.
  func link() throws -> [UInt8] {
    let objects = try request.paths.map { try ObjectFile($0) }
    let first = objects[0]
    if let other = objects.first(where: { $0.architecture != first.architecture }) {
      throw error(
        "\(first.path) is for \(first.architecture.rawValue), but \(other.path) for "
          + other.architecture.rawValue)
    }
    guard let program = Self.find(["ld.lld", "ld"]) else {
      throw error(
        "object files are linked with `ld.lld` or `ld`, and neither is in PATH; install binutils or "
          + "lld, or link them yourself and name the result as `{file: …}`")
    }
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("locklab-link-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let script = folder.appendingPathComponent("image.ld")
    let output = folder.appendingPathComponent("image.elf")
    try Data(self.script.utf8).write(to: script)
    var arguments = [
      "-m", first.architecture.emulation, "-static", "--build-id=none", "-z", "noexecstack", "-z",
      "norelro", "-T", script.path, "-o", output.path,
    ]
    for symbol in request.wanted { arguments += ["-u", symbol] }
    arguments += objects.map(\.path)
    let (status, messages) = try Self.run(program, arguments, in: folder)
    guard status == 0 else { throw complaint(messages, program) }
    return try readFile(output.path, limit: 1 << 30)
  }

  private func error(_ message: String) -> JobError {
    JobError(file: request.file, place: request.place, message: message)
  }

  /// One segment at 1 MB, with room for the stubs.
  private var script: String {
    let functions = request.stubs.filter { $0.value == Stub.size }.keys.sorted()
    let variables = request.stubs.filter { $0.value != Stub.size }.sorted { $0.key < $1.key }
    // UD2: a scenario that stubs it writes something else there.
    let room = functions.map {
      "    PROVIDE(\"\($0)\" = .); SHORT(0x0b0f); . += \(Stub.size - 2);"
    }
    let data = variables.map {
      "    . = ALIGN(16); PROVIDE(\"\($0.key)\" = .); . += \($0.value);"
    }
    return """
      PHDRS { image PT_LOAD FLAGS(7); }
      SECTIONS {
        . = 0x100000;
        .text : { *(.text .text.*) } :image
        .locklab.stubs : ALIGN(16) {
      \(room.joined(separator: "\n"))
        } :image
        .rodata : { *(.rodata .rodata.*) } :image
        .locklab.percpu : ALIGN(64) {
          PROVIDE(__per_cpu_start = .); *(.data..percpu .data..percpu.*) PROVIDE(__per_cpu_end = .);
        } :image
        .data : { *(.data .data.*) } :image
        .bss : {
          *(.bss .bss.*) *(COMMON)
      \(data.joined(separator: "\n"))
        } :image
        /DISCARD/ : { *(.note.* .comment .eh_frame_hdr) }
      }

      """
  }

  // MARK: What linkers say

  /// Undefined symbols with who wants them; else the linker's own first words.
  private func complaint(_ messages: String, _ program: String) -> any Error {
    let missing = Self.undefined(in: messages)
    if let first = missing.first {
      let others = missing.dropFirst().map { "'\($0.symbol)'" }
      let more =
        others.isEmpty
        ? ""
        : "; so do " + others.prefix(8).joined(separator: ", ")
          + (others.count > 8 ? " and \(others.count - 8) more" : "")
      return error(
        "'\(first.symbol)' is missing: \(first.place) wants it\(more.replacing("so do", with: "missing too:"))"
          + "; add the object that defines it, or stub it: `stubs: {\(first.symbol): noop}`")
    }
    let line =
      messages.split(separator: "\n").map(String.init)
      .first { $0.contains("error") || $0.contains("multiple definition") }
      ?? messages.split(separator: "\n").first.map(String.init) ?? "no message"
    return error("\(URL(fileURLWithPath: program).lastPathComponent) fails: \(line)")
  }

  /// Of LLD: `error: undefined symbol: NAME`, then `>>> referenced by FILE:LINE`, `>>> OBJECT:(PLACE)`.
  /// Of GNU ld: `OBJECT: in function 'F':`, then `FILE:LINE: undefined reference to 'NAME'`.
  static func undefined(in messages: String) -> [(symbol: String, place: String)] {
    var found: [(symbol: String, place: String)] = []
    func note(_ symbol: String, _ place: String) {
      if !found.contains(where: { $0.symbol == symbol }) { found.append((symbol, place)) }
    }
    let lines = messages.split(separator: "\n").map(String.init)
    var object = ""
    for (index, line) in lines.enumerated() {
      if let match = line.firstMatch(of: /undefined symbol: (.+)$/) {
        var places: [String] = []
        for next in lines[(index + 1)...] {
          guard let place = next.firstMatch(of: />>>\s+(?:referenced by )?(.+)$/) else { break }
          if next.contains("referenced"), !places.isEmpty { break }
          places.append(shortened(String(place.output.1)))
        }
        note(String(match.output.1), places.reversed().joined(separator: ", "))
      } else if let match = line.firstMatch(
        of: /([^ :]+\.o|[^ :]+\.a\([^)]*\)): in function [`'](.+)':/)
      {
        object = "\(shortened(String(match.output.1))):(\(match.output.2))"
      } else if let match = line.firstMatch(of: /^(.*?): undefined reference to [`'](.+)'/) {
        let place = shortened(
          String(match.output.1).split(separator: ": ").last.map(String.init) ?? "")
        let isSection = place.contains("(.")
        note(
          String(match.output.2),
          [object, isSection && !object.isEmpty ? "" : place].filter { !$0.isEmpty }
            .joined(separator: ", "))
      }
    }
    return found
  }

  /// Without the folders of a path.
  private static func shortened(_ place: String) -> String {
    place.split(separator: " ").map { word in
      let name = word.split(separator: "/").last.map(String.init) ?? String(word)
      return word.hasPrefix("(") && !name.hasPrefix("(") ? "(" + name : name
    }.joined(separator: " ")
  }

  // MARK: Programs

  private static func find(_ names: [String]) -> String? {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    for name in names {
      for folder in folders where access("\(folder)/\(name)", X_OK) == 0 {
        return "\(folder)/\(name)"
      }
    }
    return nil
  }

  private static func run(
    _ program: String, _ arguments: [String], in folder: URL
  ) throws -> (Int32, String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    var environment = ProcessInfo.processInfo.environment
    environment["LC_ALL"] = "C"
    process.environment = environment
    process.standardInput = FileHandle.nullDevice
    // A file, not a pipe: many messages would fill one.
    let log = folder.appendingPathComponent("messages")
    try Data().write(to: log)
    let handle = try FileHandle(forWritingTo: log)
    process.standardOutput = handle
    process.standardError = handle
    try process.run()
    process.waitUntilExit()
    let text = String(decoding: (try? Data(contentsOf: log)) ?? Data(), as: UTF8.self)
    return (process.terminationStatus, text)
  }
}
