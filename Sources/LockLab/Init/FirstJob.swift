import Foundation
import Model

/// The text of a first job for an image: what was found, what was assumed, what is to be filled in.
struct FirstJob {
  let imagePath: String
  let image: LoadedImage
  let findings: ImageFindings
  let start: String?
  /// What the image has set up there; nil: it does not get there.
  let survey: StartSurvey?
  /// Why not.
  let failure: String?

  /// - Parameter path: The image as the job is to name it.
  init(image: LoadedImage, path: String, start: String?) {
    self.image = image
    imagePath = path
    findings = ImageFindings(image)
    var tried: [String] = []
    // The last of the candidates in a boot that is reached.
    for candidate in start.map({ [$0] }) ?? findings.starts {
      var scenario = Scenario(name: "init", image: path)
      scenario.start.symbol = candidate
      do {
        survey = try StartSurvey(scenario, image: image.prepared)
        self.start = candidate
        failure = nil
        return
      } catch {
        tried.append("\(error)".replacing("scenario `init`: ", with: ""))
      }
    }
    self.start = start
    survey = nil
    failure =
      tried.first
      ?? "no symbol has one of the names that a start usually has: "
      + "scheduler, idle, kernel_main, kmain, main"
  }

  var text: String {
    var lines = [
      "# yaml-language-server: $schema=locklab.schema.json",
      "# A first job for \(printable(imagePath)), written by `locklab init`. Lines with TODO are for you.",
      "# What each key means: docs/job-file.md; for an editor: locklab schema > locklab.schema.json",
      "version: 1", "images:", "  kernel: {file: \(Self.quoted(imagePath))}", "defaults:",
      "  image: kernel",
    ]
    lines += startLines + cpuLines + sourceLines + lockLines + stackLines
    lines += list("panics", findings.panics, "Called on what must not happen, by their names.")
    lines += list(
      "assertions", findings.assertions, "Called when an assertion failed, by their names.")
    lines += list(
      "switches", findings.switches, "Switch from one task's stack to another's, by their names.")
    lines += list("ends", findings.ends, "A context ends there, by their names.")
    lines += [
      "scenarios:", "  - name: first", "    summary: \(summary)",
      "    # An end of the search for the beginning. Take it out when this is clean.",
      "    max-interrupts: 2",
    ]
    if let lock = findings.locks.first, let teeth = teeth(lock) { lines += teeth }
    return lines.joined(separator: "\n") + "\n"
  }

  private var summary: String {
    start.map { "from \($0) on, with what interrupts there" } ?? "from the entry point on"
  }

  // MARK: Parts

  private var startLines: [String] {
    guard let start, let survey else {
      var lines = ["  # TODO: where to begin. Not found, as:"]
      lines += (failure ?? "").wrapped(to: 90).map { "  #   \(printable($0))" }
      lines.append("  # start: {symbol: …}")
      return lines
    }
    var lines = [
      "  # Reached after \(grouped(Int(survey.instructions))) instructions of boot"
        + (survey.interruptsOn ? ", with interrupts on." : ", with interrupts off.")
    ]
    let others = findings.starts.filter { $0 != start }
    if !others.isEmpty {
      lines.append("  # Others that could be: \(others.joined(separator: ", ")).")
    }
    return lines + ["  start: {symbol: \(Self.quoted(start))}"]
  }

  private var cpuLines: [String] {
    guard !findings.multiprocessor.isEmpty else {
      return ["  # Assumed: one CPU; nothing in the image speaks of more.", "  cpus: 1"]
    }
    return [
      "  # \(findings.multiprocessor.prefix(4).joined(separator: ", ")): the kernel starts other CPUs, as it",
      "  # seems. TODO: raise this when one CPU is clean.", "  cpus: 1",
    ]
  }

  private static let devices = [
    0: "timer", 1: "keyboard", 3: "serial2", 4: "serial", 6: "floppy", 8: "clock", 12: "mouse",
    14: "disk", 15: "disk2",
  ]

  private var sourceLines: [String] {
    guard let survey else {
      return [
        "  # Assumed, as it is not known what the image sets up: timer and keyboard.", "  sources:",
        "    - {name: timer, line: 0}", "    - {name: keyboard, line: 1, data: [0x1e, 0x9e]}",
      ]
    }
    var lines: [String] = []
    for line in survey.lines {
      let name = Self.devices[line.line] ?? "irq\(line.line)"
      let data = line.line == 1 ? ", data: [0x1e, 0x9e]" : ""
      lines.append(
        "    - {name: \(name), line: \(line.line)\(data)}  # vector \(line.vector)"
          + (line.handler.map { ", \($0)" } ?? ""))
    }
    for cpu in survey.timers {
      lines.append("    - {name: apic-timer\(cpu), local-timer: true, cpu: \(cpu)}")
    }
    if let nmi = survey.gates.first(where: { $0.vector == 2 }) {
      lines.append(
        "    # - {name: nmi, nmi: true, arrivals: 1}  # \(nmi.name ?? "vector 2") handles it")
    }
    let others = survey.gates.filter { gate in
      gate.vector >= 32 && !survey.lines.contains { $0.vector == gate.vector }
    }
    let heading = "  # Lines that are open there, and have a handler in the IDT."
    guard !lines.isEmpty else {
      return [
        "  # No line is open there yet. TODO: a later start, or sources that come later.",
        "  sources: []",
      ]
    }
    var tail: [String] = []
    if !others.isEmpty, others.count <= 16 {
      tail = [
        "  # Other vectors with a gate: "
          + others.map { "\($0.vector)" + ($0.name.map { " (\($0))" } ?? "") }.joined(
            separator: ", ")
      ]
    }
    return [heading, "  sources:"] + lines + tail
  }

  private var lockLines: [String] {
    var lines: [String] = []
    if findings.locks.isEmpty {
      lines.append(
        "  # TODO: the functions that acquire and release locks; none was found by name and shape. Locks"
      )
      lines.append("  # that are inlined are told by markers: locklab markers.")
    } else {
      lines.append("  # By name, and by the shape of their code. TODO: is `kind` right?")
      lines.append("  locks:")
      for lock in findings.locks {
        lines.append(
          "    - {acquire: \(Self.quoted(lock.acquire)), release: \(Self.quoted(lock.release)), "
            + "kind: \(lock.kind.rawValue)}  # \(lock.why)")
      }
    }
    if !findings.unpaired.isEmpty {
      let names = findings.unpaired.prefix(8).joined(separator: ", ")
      lines.append("  # Wait with an atomic instruction, and are no known lock: \(names)")
    }
    return lines
  }

  private var stackLines: [String] {
    guard !findings.stacks.isEmpty else {
      return [
        "  # TODO: stacks: [SYMBOL, …], so that overflows are seen; no object has `stack` in its name."
      ]
    }
    var lines = ["  # By their names.", "  stacks:"]
    for stack in findings.stacks.prefix(32) {
      let isInUse = survey?.stack == stack.name ? "; in use at the start" : ""
      lines.append("    - \(Self.quoted(stack.name))  # \(stack.why)\(isInUse)")
    }
    return lines
  }

  private func list(_ key: String, _ names: [String], _ why: String) -> [String] {
    names.isEmpty
      ? [] : ["  # \(why)", "  \(key): [\(names.map(Self.quoted).joined(separator: ", "))]"]
  }

  /// A scenario that must fail, as a comment: a lock without its CLI.
  private func teeth(_ lock: ImageFindings.Lock) -> [String]? {
    guard lock.kind == .value else { return nil }
    return [
      "  # Has it teeth? Without the CLI of a lock something must be found.",
      "  # - name: first-without-cli",
      "  #   patches: [{symbol: \(Self.quoted(lock.acquire)), instruction: cli, drop: true}]",
      "  #   expect: {violated: [lock-held-with-interrupts-on]}",
    ]
  }

  /// A name as YAML takes it for a text.
  private static func quoted(_ name: String) -> String {
    let isPlain =
      name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_./-".contains($0)) }
      && name.first?.isNumber == false && !name.hasPrefix("-")
      && !["on", "off", "yes", "no", "true", "false", "null", "y", "n"].contains(name.lowercased())
    if isPlain { return name }
    return "\"" + name.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
  }
}
