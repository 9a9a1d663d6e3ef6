import Emulator
import Foundation
import Testing

@testable import Model

/// A search that is killed and resumed, many times over, ends as one that was left alone.
@Suite struct CheckpointTests {
  private final class Bytes {
    var bytes: [UInt8] = []
    var position = 0
  }

  struct Outcome {
    var text: String
    var kills: Int
  }

  /// Ends the search each time that it was written down, and takes it up with another explorer.
  static func killed(
    _ scenario: Scenario, _ image: PreparedImage, workers: Int, _ reductions: Set<Reduction>
  ) throws -> Outcome {
    var options = ExplorationOptions()
    options.reductions = reductions
    options.workers = workers
    options.statesFoundAlone = 0
    options.statesPerThread = 1
    options.statesPerCheck = 7
    var last: Bytes?
    var kills = 0
    while true {
      let explorer = try Explorer(scenario: scenario, image: image, options: options)
      if let last {
        let input = CheckpointReader { buffer in
          guard last.position + buffer.count <= last.bytes.count else {
            throw ScenarioError("the checkpoint ends too early")
          }
          buffer.copyBytes(from: last.bytes[last.position..<last.position + buffer.count])
          last.position += buffer.count
        }
        try explorer.resume(from: input)
      }
      var looks = 0
      var isKilled = false
      explorer.isCheckpointDue = {
        looks += 1
        return looks == 2 && kills < 30
      }
      explorer.checkpoint = { explorer in
        let written = Bytes()
        let out = CheckpointWriter { written.bytes.append(contentsOf: $0) }
        do {
          try explorer.write(to: out)
          try out.finish()
          last = written
          isKilled = true
        } catch {
          Issue.record(error)
        }
      }
      let result = explorer.run(interrupted: { isKilled })
      if !isKilled { return Outcome(text: WorkersTests.text(result), kills: kills) }
      kills += 1
    }
  }

  @Test func bytesComeBackInOrder() throws {
    let written = Bytes()
    let out = CheckpointWriter { written.bytes.append(contentsOf: $0) }
    // Below, at and above the sizes at which they are not buffered.
    let sizes = [3, 200_000, 5, 1 << 17, 1 << 18, 7, 300_000, 1]
    for size in sizes { try out.put([UInt8](repeating: UInt8(size & 0xFF), count: size)) }
    try out.put("end")
    try out.finish()
    var sum = CheckpointSum()
    written.bytes.dropLast(8).withUnsafeBytes { sum.add($0) }
    #expect(Array(written.bytes.suffix(8)) == withUnsafeBytes(of: sum.value) { Array($0) })
    let input = CheckpointReader { buffer in
      buffer.copyBytes(from: written.bytes[written.position..<written.position + buffer.count])
      written.position += buffer.count
    }
    for size in sizes {
      let back = try input.getArray(UInt8.self)
      #expect(back == [UInt8](repeating: UInt8(size & 0xFF), count: size), "\(size) bytes")
    }
    #expect(try input.getString() == "end")
  }

  @Test func aKilledSearchEndsAsOneThatWasLeftAlone() throws {
    var kills = 0
    for seed in 5000..<5030 as Range<UInt64> {
      let kernel = SmallKernel(seed: seed, features: [])
      let scenario = kernel.kernel.scenario(arrivals: kernel.arrivals.map { $0 })
      for reductions in [Set(Reduction.allCases), []] {
        let alone = try WorkersTests.explore(
          scenario, kernel.kernel.prepared, workers: 1, reductions)
        let killed = try Self.killed(
          scenario, kernel.kernel.prepared, workers: 1 + Int(seed) % 2, reductions)
        kills += killed.kills
        #expect(killed.text == alone, "seed \(seed), \(killed.kills) kills")
        if killed.text != alone { return }
      }
    }
    #expect(kills > 50)
  }
}
