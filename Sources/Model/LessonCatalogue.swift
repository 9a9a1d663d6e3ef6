/// One lesson from the histories of real kernels, beyond the mechanisms and the rules: what scenarios
/// name in `covers` by `H1` to `H13`.
public struct Lesson: Sendable, Equatable {
  public var name: String
  /// What must be so, in one line.
  public var summary: String
  /// What goes wrong where it is not.
  public var explanation: String
  /// It cannot be seen on one CPU.
  public var needsSeveralCPUs: Bool

  public static let all: [Lesson] = rows.enumerated().map { index, row in
    Lesson(
      name: "H\(index + 1)", summary: row.0, explanation: row.1,
      needsSeveralCPUs: severalCPUs.contains(index + 1))
  }

  private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  public static func info(_ name: String) -> Lesson? { byName[name] }

  private static let severalCPUs: Set<Int> = [3, 4, 8, 9]

  private static let rows: [(String, String)] = [
    (
      "a count of held locks keeps IF at its step from 0 to 1 only",
      """
      An inner acquire, or one that waits and looks again, would keep "off", and the last release \
      would leave interrupts off.
      """
    ),
    (
      "IF goes off before the lock's bit or ticket is taken, and stays off while queued",
      """
      An interrupt between the two finds the lock taken, or a place in the queue before its own, by \
      the code that it interrupted.
      """
    ),
    (
      "the waiting half of a queue lock masks its flag bits before it hands over",
      "Else the next waiter gets a word that is not the one it waits for; it takes three CPUs."
    ),
    (
      "a task is not visible as ready before its context is saved and its stack left",
      "Another CPU would run it on the stack that this one is still on."
    ),
    (
      "\"I am waiting\", the queueing and the test of the condition are one step",
      "The event can come between them, and wakes nobody."
    ),
    (
      "the end of interrupt is owed by the interrupt, not by the switch",
      """
      A task that gave the CPU away is resumed by a handler, and the other way round: who pays at the \
      resumption pays what it does not owe, or not what it does.
      """
    ),
    (
      "no lock that may be held while preempted is taken under a spinning lock",
      "Its holder may have to run before it is free, and others spin meanwhile."
    ),
    (
      "an answer of another CPU is waited for with IF=1",
      "Two CPUs that ask each other with interrupts off wait for ever."
    ),
    (
      "the per-CPU lock that is taken is that of the CPU whose data is changed",
      "The own one protects nothing of another CPU's."
    ),
    (
      "the way out of a nested entry drops what its entry pushed",
      "It returns through other words than its frame."
    ),
    (
      "work queued from a dying stack outlives that stack",
      "Whoever does the work reads what the stack's next owner wrote."
    ),
    (
      "a task killed inside a handler still releases its locks and pays its end of interrupt",
      "Nobody else will: the lock stays held, the line stays blocked."
    ),
    (
      "what IF does not stop leaves the CPU's saved IF alone",
      """
      An NMI between the count's step to zero and the test of the saved IF starts a count of its own, \
      and puts its "off" there.
      """
    ),
  ]
}
