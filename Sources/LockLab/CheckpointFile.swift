import Database
import Foundation
import Model

/// The file in which a run under way is written down, so that it can go on after it was killed.
///
/// It holds which run of the database it is, what it was asked to do, and the search that is under way.
/// What the run has finished lies in the database. The file is written under another name and then takes
/// its place, so that there is always a whole one.
struct CheckpointFile {
  let path: String
  /// What must be the same for a search to be taken up: version, scenarios, images, reductions, bounds.
  let identity: String
  /// Seconds between two checkpoints of a search.
  let interval: Double

  private static let magic = "LockLab checkpoint 1\n"

  /// Where the checkpoint of a run is kept, unless the command says otherwise.
  static func standardPath(database: String) -> String { database + ".checkpoint" }

  /// Writes the run, and the search for one of its scenarios if one is given.
  func write(run: Int64, scenario: String = "", search: ((CheckpointWriter) throws -> Void)? = nil)
    throws
  {
    let temporary = path + ".new"
    guard let handle = fopen(temporary, "wb") else {
      throw Failure("\(temporary): \(reason(errno))")
    }
    do {
      defer { fclose(handle) }
      let out = CheckpointWriter { bytes in
        guard fwrite(bytes.baseAddress, 1, bytes.count, handle) == bytes.count else {
          throw Failure("\(temporary): \(reason(errno))")
        }
      }
      try Self.magic.utf8.withContiguousStorageIfAvailable { bytes in
        try out.put(UnsafeRawBufferPointer(bytes))
      }
      try out.put(identity)
      try out.put(Int(run))
      try out.put(scenario)
      try search?(out)
      try out.finish()
      guard fflush(handle) == 0, fsync(fileno(handle)) == 0 else {
        throw Failure("\(temporary): \(reason(errno))")
      }
    } catch {
      unlink(temporary)
      throw error
    }
    guard rename(temporary, path) == 0 else { throw Failure("\(path): \(reason(errno))") }
  }

  func remove() { unlink(path) }

  /// A checkpoint that was read as far as the search.
  final class Opened {
    let run: Int64
    /// Whose search follows; empty: of none.
    let scenario: String
    let input: CheckpointReader
    private let handle: UnsafeMutablePointer<FILE>

    init(run: Int64, scenario: String, input: CheckpointReader, handle: UnsafeMutablePointer<FILE>)
    {
      self.run = run
      self.scenario = scenario
      self.input = input
      self.handle = handle
    }

    deinit { fclose(handle) }
  }

  /// Opens the checkpoint, once it is known to be whole and of this command.
  func open() throws -> Opened {
    guard let handle = fopen(path, "rb") else {
      throw Failure(
        errno == ENOENT
          ? "\(path): no checkpoint to resume from; a run that ended by itself leaves none"
          : "\(path): \(reason(errno))")
    }
    var isKept = false
    defer { if !isKept { fclose(handle) } }
    try verify(handle)
    let input = CheckpointReader { [path] buffer in
      guard fread(buffer.baseAddress, 1, buffer.count, handle) == buffer.count else {
        throw Failure("\(path): ends too early")
      }
    }
    rewind(handle)
    fseek(handle, Self.magic.utf8.count, SEEK_SET)
    guard try input.getString() == identity else {
      throw Failure(
        "\(path): is of another run: other scenarios, images, reductions or bounds, or another version of "
          + "LockLab; give the command that it was made by, or leave out --resume")
    }
    let run = Int64(try input.getInt())
    let scenario = try input.getString()
    isKept = true
    return Opened(run: run, scenario: scenario, input: input, handle: handle)
  }

  /// That the file begins as one of ours and ends with the sum over its bytes.
  private func verify(_ handle: UnsafeMutablePointer<FILE>) throws {
    let broken = Failure("\(path): is no checkpoint, or is damaged or cut off; leave out --resume")
    fseek(handle, 0, SEEK_END)
    let size = ftell(handle)
    rewind(handle)
    guard size > Self.magic.utf8.count + 8 else { throw broken }
    var sum = CheckpointSum()
    var rest = size - 8
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    var isFirst = true
    while rest > 0 {
      let wanted = min(rest, buffer.count)
      guard fread(&buffer, 1, wanted, handle) == wanted else { throw broken }
      if isFirst, !buffer.starts(with: Self.magic.utf8) { throw broken }
      isFirst = false
      buffer.withUnsafeBytes { sum.add(UnsafeRawBufferPointer(rebasing: $0[..<wanted])) }
      rest -= wanted
    }
    var stored: UInt64 = 0
    guard fread(&stored, 8, 1, handle) == 1, stored == sum.value else { throw broken }
  }
}
