import ArgumentParser

/// Where gdb connects: a port of this machine, an address and a port, or `-` for standard input and
/// output.
enum GDBAddress: Equatable, ExpressibleByArgument {
  case standardInputAndOutput
  /// Port 0: any that is free.
  case port(host: String, UInt16)

  init?(argument: String) {
    if argument == "-" {
      self = .standardInputAndOutput
      return
    }
    let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count <= 2, let port = UInt16(parts[parts.count - 1]) else { return nil }
    // Whoever connects can read the image and what the kernel did: nobody else's machine, unasked.
    self = .port(host: parts.count == 2 && !parts[0].isEmpty ? String(parts[0]) : "127.0.0.1", port)
  }
}
