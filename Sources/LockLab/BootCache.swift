import Emulator
import Foundation
import Model
import Synchronization

/// Checkpoints of boots in files: `$XDG_CACHE_HOME/locklab/boots`, or `~/.cache/locklab/boots`.
///
/// A file's name is what the boot is a function of, and which LockLab made it; its contents are looked at before
/// they are used. Nothing depends on the folder: it can be deleted at any time, and what cannot be
/// written is done without.
final class BootCache: CheckpointStore {
  static let shared = BootCache()

  /// Bytes of all files; the ones that were used longest ago go first.
  private static let limit = 1 << 30

  private let isOn = Atomic(true)
  private let folder: URL?
  /// Two builds of LockLab may boot differently.
  private let maker: String

  private init() {
    let environment = ProcessInfo.processInfo.environment
    let root: URL? =
      if let named = environment["XDG_CACHE_HOME"], named.hasPrefix("/") {
        URL(fileURLWithPath: named)
      } else if let home = environment["HOME"], home.hasPrefix("/") {
        URL(fileURLWithPath: home).appendingPathComponent(".cache")
      } else {
        nil
      }
    folder = root?.appendingPathComponent("locklab/boots")
    let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
      .flatMap { try? FileManager.default.attributesOfItem(atPath: $0) }
    let size = (program?[.size] as? Int) ?? 0
    let made = (program?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
    maker = "\(LockLab.version)-\(size)-\(Int(made * 1000))"
  }

  func turnOff() { isOn.store(false, ordering: .relaxed) }

  private func file(_ name: String) -> URL? {
    guard isOn.load(ordering: .relaxed) else { return nil }
    let key = Checkpoint.digest(Array("\(maker):\(name)".utf8))
    return folder?.appendingPathComponent("\(key).boot")
  }

  func checkpoint(named name: String) -> (checkpoint: Checkpoint, place: String)? {
    guard let file = file(name), let data = try? Data(contentsOf: file) else { return nil }
    // Used now: the last to be removed.
    try? FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: file.path)
    return (Checkpoint(bytes: [UInt8](data)), file.path)
  }

  func keep(_ checkpoint: Checkpoint, named name: String) {
    guard let file = file(name), let folder else { return }
    let files = FileManager.default
    do {
      try files.createDirectory(at: folder, withIntermediateDirectories: true)
      // Written beside it and renamed: nobody ever sees a part of it.
      try Data(checkpoint.bytes).write(to: file, options: .atomic)
    } catch {
      return
    }
    prune(folder)
  }

  private func prune(_ folder: URL) {
    let keys: Set<URLResourceKey> = [.fileSizeKey, .contentModificationDateKey]
    let files =
      (try? FileManager.default.contentsOfDirectory(
        at: folder, includingPropertiesForKeys: Array(keys))) ?? []
    var known = files.map { file in
      let values = try? file.resourceValues(forKeys: keys)
      return (file, values?.fileSize ?? 0, values?.contentModificationDate ?? .distantPast)
    }.sorted { $0.2 < $1.2 }
    var total = known.reduce(0) { $0 + $1.1 }
    while total > Self.limit, known.count > 1 {
      let (file, size, _) = known.removeFirst()
      try? FileManager.default.removeItem(at: file)
      total -= size
    }
  }
}
