import Testing

@testable import KernelCore

/// Every sequence of up to `length` operations, each one of `operations`.
func sequences<Operation>(of operations: [Operation], length: Int) -> [[Operation]] {
  var all: [[Operation]] = [[]]
  var longest: [[Operation]] = [[]]
  for _ in 0..<length {
    longest = longest.flatMap { sequence in operations.map { sequence + [$0] } }
    all += longest
  }
  return all
}

private enum Operation {
  case add(Int)
  case take
}

private let fourBytes: [Operation] = [.add(0), .add(1), .add(2), .add(255), .take]

@Suite struct QueueTests {
  @Test func byteQueueIsFirstInFirstOutAndDropsWhenFull() {
    for sequence in sequences(of: fourBytes, length: 6) {
      var queue = ByteQueue()
      var model: [UInt8] = []
      for operation in sequence {
        switch operation {
        case .add(let byte):
          let fits = model.count < 4
          #expect(queue.append(UInt8(byte)) == fits)
          if fits { model.append(UInt8(byte)) }
        case .take:
          #expect(queue.removeFirst() == (model.isEmpty ? nil : model.removeFirst()))
        }
        #expect(queue.count == model.count)
        #expect(queue.isEmpty == model.isEmpty)
        #expect(queue.isFull == (model.count == 4))
        for byte: UInt8 in [0, 1, 2, 3, 255] {
          #expect(queue.contains(byte) == model.contains(byte))
        }
      }
    }
  }

  @Test func equalContentsAreEqualBytes() {
    // However a content came about, the queue in memory is the same.
    var seen: [[UInt8]: ByteQueue] = [:]
    for sequence in sequences(of: fourBytes, length: 6) {
      var queue = ByteQueue()
      var model: [UInt8] = []
      for operation in sequence {
        switch operation {
        case .add(let byte): if queue.append(UInt8(byte)) { model.append(UInt8(byte)) }
        case .take: if queue.removeFirst() != nil { model.removeFirst() }
        }
      }
      #expect(seen[model, default: queue] == queue)
      seen[model] = queue
    }
    #expect(seen.count == 1 + 4 + 16 + 64 + 256)
  }

  @Test func packetQueueKeepsTheOldestTwo() {
    for sequence in sequences(of: fourBytes, length: 6) {
      var queue = PacketQueue()
      var model: [UInt8] = []
      for operation in sequence {
        switch operation {
        case .add(let packet):
          queue.put(UInt8(packet))
          if model.count < 2 { model.append(UInt8(packet)) }
        case .take:
          #expect(queue.take() == (model.isEmpty ? nil : model.removeFirst()))
        }
        #expect(queue.count == model.count)
        #expect(queue.isEmpty == model.isEmpty)
      }
    }
  }

  @Test func runQueueHoldsATaskAtMostOnce() {
    let operations: [Operation] = [.add(0), .add(1), .add(2), .add(3), .add(4), .take]
    for sequence in sequences(of: operations, length: 6) {
      var queue = RunQueue()
      var model: [Int] = []
      for operation in sequence {
        switch operation {
        case .add(let task):
          let fits = model.count < 4 && !model.contains(task)
          #expect(queue.add(task) == fits)
          if fits { model.append(task) }
        case .take:
          #expect(queue.next() == (model.isEmpty ? nil : model.removeFirst()))
        }
        #expect(queue.count == model.count)
        #expect(queue.isEmpty == model.isEmpty)
        for task in 0...4 { #expect(queue.contains(task) == model.contains(task)) }
      }
    }
  }
}
