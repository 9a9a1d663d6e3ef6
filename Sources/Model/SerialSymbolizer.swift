import Synchronization

/// A symbolizer that belongs to one thread at a time, for several threads: they take turns.
final class SerialSymbolizer: Symbolizer, @unchecked Sendable {
  private let inner: Symbolizer
  private let turn = Mutex<Void>(())

  init(_ inner: Symbolizer) { self.inner = inner }

  private func alone<T>(_ body: () -> T) -> T {
    turn._unsafeLock()
    defer { turn._unsafeUnlock() }
    return body()
  }

  func symbol(named name: String) -> (address: UInt64, size: Int)? {
    alone { inner.symbol(named: name) }
  }

  func symbol(containing address: UInt64) -> (name: String, address: UInt64, size: Int)? {
    alone { inner.symbol(containing: address) }
  }

  func location(of address: UInt64) -> (location: SourceLocation, inlined: [String])? {
    alone { inner.location(of: address) }
  }

  func unwind(
    pc: UInt64, sp: UInt64, bp: UInt64, read: (UInt64) -> UInt64?
  ) -> (pc: UInt64, sp: UInt64, bp: UInt64)? {
    alone { inner.unwind(pc: pc, sp: sp, bp: bp, read: read) }
  }

  func variable(named name: String) -> VariableShape? { alone { inner.variable(named: name) } }

  var symbolNames: [String] { alone { inner.symbolNames } }
}
