import ArgumentParser

struct Markers: ParsableCommand {
  enum Language: String, ExpressibleByArgument, CaseIterable {
    case c, rust, swift, nasm, gas

    var text: [UInt8] {
      switch self {
      case .c: PackageResources.locklab_h
      case .rust: PackageResources.locklab_rs
      case .swift: PackageResources.LockLabMarkers_swift_txt
      case .nasm: PackageResources.locklab_inc
      case .gas: PackageResources.locklab_S
      }
    }
  }

  static let configuration = CommandConfiguration(
    abstract: "Print the markers that a kernel's code can have, for a language.",
    discussion: """
      Markers are instructions that do nothing on hardware: assertions, inlined locks, \
      nondeterministic values, windows of interest. There is no library to link.

      EXAMPLES
        locklab markers > include/locklab.h        C and C++
        locklab markers --language rust > src/locklab.rs
        locklab markers --language nasm > locklab.inc
      """)

  @Option(help: "c (and C++), rust, swift, nasm, or gas (GNU assembler and clang).")
  var language = Language.c

  func run() throws { print(String(decoding: language.text, as: UTF8.self), terminator: "") }
}
