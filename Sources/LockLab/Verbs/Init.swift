import ArgumentParser
import Foundation

struct Init: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Look at a kernel's image and write a first job for it.",
    discussion: """
      Finds lock functions by name and by the shape of their code, stacks, panics and switches by \
      name, and boots the image to where exploration could begin, to see which interrupts it has \
      set up. The job says what was found, what was assumed and what is to be filled in; it runs \
      as it stands. A file that is there already is not written over.

      EXAMPLES
        locklab init build/kernel.elf
        locklab init build/kernel.elf --from scheduler --output jobs/kernel.yml
        locklab check locklab.yml
      """)

  @Argument(help: "The kernel's ELF image.", completion: .file())
  var image: String

  @Option(
    name: .customLong("from"),
    help: ArgumentHelp(
      "Where exploration begins; otherwise a symbol is looked for.", valueName: "symbol"))
  var start: String?

  @Option(
    name: [.short, .long], help: ArgumentHelp("The job to be written.", valueName: "file"),
    completion: .file(extensions: ["yml", "yaml"]))
  var output = "locklab.yml"

  func run() throws {
    guard !FileManager.default.fileExists(atPath: output) else {
      throw Failure("\(output): is there already; name another with --output")
    }
    let loaded = try LoadedImage(.file(image), name: "kernel")
    if let start, loaded.symbols.symbol(named: start) == nil {
      let hint = Suggestion.hint(for: start, among: loaded.symbols.symbolNames)
      throw Failure("\(image) has no symbol '\(start)'\(hint)")
    }
    let job = FirstJob(image: loaded, path: try relativePath, start: start)
    try writeFile(output, job.text)
    // What is written must be what can be read.
    _ = try Job.load(output)
    print(summary(job))
  }

  /// The image's path as seen from the job's folder.
  private var relativePath: String {
    get throws {
      let folder = URL(fileURLWithPath: output).deletingLastPathComponent().standardizedFileURL.path
      let path = URL(fileURLWithPath: image).standardizedFileURL.path
      if path.hasPrefix(folder + "/") { return String(path.dropFirst(folder.count + 1)) }
      return path
    }
  }

  private func summary(_ job: FirstJob) -> String {
    var lines = ["\(output): a first job for \(printable(image)) (\(job.image.record.arch))"]
    let f = job.findings
    if let start = job.start, job.survey != nil {
      lines.append("  begins at \(printable(start))")
    } else {
      lines.append("  no place to begin was found: fill in `start`")
    }
    lines.append("  \(f.locks.count) lock\(f.locks.count == 1 ? "" : "s") by name and shape")
    lines.append("  \(job.survey?.lines.count ?? 0) interrupt lines open, \(f.stacks.count) stacks")
    lines.append("Next: locklab check \(output)")
    return lines.joined(separator: "\n")
  }
}
