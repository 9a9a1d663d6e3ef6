import Glibc
import Synchronization

/// Threads that stand by for work in short rounds.
final class Crew: @unchecked Sendable {
  private let lock: UnsafeMutablePointer<pthread_mutex_t>
  private let changed: UnsafeMutablePointer<pthread_cond_t>
  private var threads: [pthread_t] = []
  // All below: under the lock.
  private var work: ((Int) -> Void)?
  private var participants = 0
  private var round = 0
  private var running = 0
  private var isOver = false

  init() {
    lock = .allocate(capacity: 1)
    changed = .allocate(capacity: 1)
    pthread_mutex_init(lock, nil)
    pthread_cond_init(changed, nil)
  }

  /// Ends the threads; no work may be under way.
  func dismiss() {
    pthread_mutex_lock(lock)
    isOver = true
    pthread_cond_broadcast(changed)
    pthread_mutex_unlock(lock)
    for thread in threads { pthread_join(thread, nil) }
    threads.removeAll()
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(lock)
    changed.deallocate()
    lock.deallocate()
  }

  /// Does `work(0)` here and `work(1)` … on other threads, and comes back when all have.
  func run(_ count: Int, _ work: @escaping (Int) -> Void) {
    while threads.count < count - 1, start() {}
    pthread_mutex_lock(lock)
    self.work = work
    participants = min(count, threads.count + 1)
    running = participants - 1
    round += 1
    pthread_cond_broadcast(changed)
    pthread_mutex_unlock(lock)
    work(0)
    pthread_mutex_lock(lock)
    while running > 0 { pthread_cond_wait(changed, lock) }
    self.work = nil
    pthread_mutex_unlock(lock)
  }

  private final class Seat {
    let crew: Crew
    let number: Int
    init(_ crew: Crew, _ number: Int) {
      self.crew = crew
      self.number = number
    }
  }

  private func start() -> Bool {
    var thread = pthread_t()
    let seat = Unmanaged.passRetained(Seat(self, threads.count + 1))
    let failed = pthread_create(
      &thread, nil,
      { argument in
        let seat = Unmanaged<Seat>.fromOpaque(argument!).takeRetainedValue()
        seat.crew.serve(seat.number)
        return nil
      }, seat.toOpaque())
    if failed != 0 {
      seat.release()
      return false
    }
    threads.append(thread)
    return true
  }

  private func serve(_ number: Int) {
    var served = 0
    pthread_mutex_lock(lock)
    while true {
      while !isOver && (round == served || number >= participants) {
        if round != served { served = round }
        pthread_cond_wait(changed, lock)
      }
      if isOver { break }
      served = round
      let work = self.work!
      pthread_mutex_unlock(lock)
      work(number)
      pthread_mutex_lock(lock)
      running -= 1
      if running == 0 { pthread_cond_broadcast(changed) }
    }
    pthread_mutex_unlock(lock)
  }
}
