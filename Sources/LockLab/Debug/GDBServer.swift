import Debugger
import Foundation

/// Waits for one gdb and serves it.
enum GDBServer {
  /// - Parameter announce: told the port, and then a line for people.
  static func serve(
    _ address: GDBAddress, announce: (String) -> Void, session: (any Session.Channel) -> Session
  ) throws {
    signal(SIGPIPE, SIG_IGN)
    switch address {
    case .standardInputAndOutput:
      // Ctrl-C is for gdb, which says so in the protocol.
      signal(SIGINT, SIG_IGN)
      session(ByteChannel(input: 0, output: 1)).serve()
    case .port(let host, let port):
      let listener = try listen(host, port)
      defer { close(listener.socket) }
      announce("\(host):\(listener.port)")
      signal(SIGINT, SIG_DFL)
      let connection = try accept(listener.socket)
      defer { close(connection) }
      // Packets are small and answered one by one.
      var on: Int32 = 1
      setsockopt(
        connection, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
      session(ByteChannel(input: connection, output: connection)).serve()
    }
  }

  private static func listen(_ host: String, _ port: UInt16) throws -> (socket: Int32, port: UInt16)
  {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    let numeric = host == "localhost" ? "127.0.0.1" : host
    guard inet_pton(AF_INET, numeric, &address.sin_addr) == 1 else {
      throw Failure("--gdb: '\(host)' is no IPv4 address; give PORT, or ADDRESS:PORT")
    }
    let socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard socket >= 0 else { throw failure("make a socket") }
    var on: Int32 = 1
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard bound == 0, Foundation.listen(socket, 1) == 0 else {
      let failure = failure("listen on \(host):\(port)")
      close(socket)
      throw failure
    }
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &size) }
    }
    return (socket, UInt16(bigEndian: address.sin_port))
  }

  private static func accept(_ listener: Int32) throws -> Int32 {
    while true {
      let connection = Foundation.accept(listener, nil, nil)
      if connection >= 0 { return connection }
      guard errno == EINTR else { throw failure("take gdb's connection") }
    }
  }

  private static func failure(_ what: String) -> Failure {
    Failure("--gdb: cannot \(what): \(String(cString: strerror(errno)).lowercased())")
  }
}

/// Bytes over two file descriptors.
private final class ByteChannel: Session.Channel {
  private let input: Int32
  private let output: Int32
  private var buffer: [UInt8] = []
  private var next = 0

  init(input: Int32, output: Int32) {
    self.input = input
    self.output = output
  }

  func read() -> UInt8? {
    if next == buffer.count, !fill() { return nil }
    next += 1
    return buffer[next - 1]
  }

  func poll() -> UInt8? {
    if next == buffer.count {
      var wait = pollfd(fd: input, events: Int16(POLLIN), revents: 0)
      guard Foundation.poll(&wait, 1, 0) > 0 else { return nil }
    }
    return read()
  }

  private func fill() -> Bool {
    var bytes = [UInt8](repeating: 0, count: 1 << 14)
    var count = -1
    repeat { count = Foundation.read(input, &bytes, bytes.count) } while count < 0 && errno == EINTR
    guard count > 0 else { return false }
    buffer = Array(bytes[..<count])
    next = 0
    return true
  }

  func write(_ bytes: [UInt8]) {
    var sent = 0
    bytes.withUnsafeBytes { raw in
      while sent < raw.count {
        let count = Foundation.write(output, raw.baseAddress! + sent, raw.count - sent)
        if count < 0 && errno == EINTR { continue }
        // The other side is gone: the next read says so.
        guard count > 0 else { return }
        sent += count
      }
    }
  }
}
