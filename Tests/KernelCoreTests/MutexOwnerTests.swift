import Testing

@testable import KernelCore

private enum Operation {
  case acquire(Int)
  case release(Int)
}

@Suite struct MutexOwnerTests {
  @Test func onlyTheOwnerReleasesAndNobodyAcquiresTwice() {
    let operations: [Operation] = [0, 1, 2].flatMap { [.acquire($0), .release($0)] }
    for sequence in sequences(of: operations, length: 5) {
      var mutex = MutexOwner()
      var owner: Int?
      for operation in sequence {
        switch operation {
        case .acquire(let task):
          #expect(mutex.tryAcquire(by: task) == (owner == nil))
          owner = owner ?? task
        case .release(let task):
          #expect(mutex.release(by: task) == (owner == task))
          if owner == task { owner = nil }
        }
        #expect(mutex.owner == owner)
      }
    }
  }

  @Test func zeroedMemoryIsAFreeMutex() {
    withUnsafeBytes(of: MutexOwner()) { #expect($0.allSatisfy { $0 == 0 }) }
  }
}
