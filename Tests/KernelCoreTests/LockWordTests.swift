import Testing

@testable import KernelCore

/// The arithmetic of the locks and queues of the core for several CPUs.
@Suite struct LockWordTests {
  @Test func ticketsAreServedInTheOrderInWhichTheyWereDrawnAlsoPastTheLargestNumber() {
    for first in [0, 1, UInt32.max - 1, UInt32.max] {
      var serving = first
      for ahead: UInt32 in 0..<4 {
        let ticket = Ticket(first &+ ahead)
        #expect(ticket.ahead(first) == ahead)
        #expect(ticket.isServed(first) == (ahead == 0))
        #expect(ticket.isServed(serving))
        serving = ticket.next
      }
      #expect(serving == first &+ 4)
    }
  }

  @Test func aQueueWordKeepsFlagAndTailApart() {
    #expect(!QueueWord(0).isHeld)
    #expect(QueueWord(0).lastWaiting == nil)
    #expect(QueueWord(QueueWord.held).isHeld)
    #expect(QueueWord(QueueWord.held).lastWaiting == nil)
    var seen: Set<UInt32> = [0, QueueWord.held]
    for cpu in 0..<8 {
      let tail = QueueWord.tail(cpu)
      for flag in [0, QueueWord.held] {
        let word = QueueWord(tail | flag)
        #expect(word.isHeld == (flag != 0))
        #expect(word.tail == tail)
        #expect(word.lastWaiting == cpu)
        #expect(seen.insert(word.bits).inserted)
      }
    }
  }

  private enum Operation {
    case insert(Int)
    case take
  }

  @Test func waitingTasksAreASet() {
    let operations: [Operation] = [.insert(0), .insert(1), .insert(5), .insert(31), .take]
    for sequence in sequences(of: operations, length: 6) {
      var waiting = WaitingTasks()
      var model: Set<Int> = []
      for operation in sequence {
        switch operation {
        case .insert(let task):
          waiting.insert(task)
          model.insert(task)
        case .take:
          let expected = model.min()
          #expect(waiting.removeFirst() == expected)
          if let expected { model.remove(expected) }
        }
        #expect(waiting.isEmpty == model.isEmpty)
        for task in [0, 1, 5, 30, 31] { #expect(waiting.contains(task) == model.contains(task)) }
      }
    }
  }
}
