/// The numbers of choices: 0 and 17…23 let a CPU go on, 1…16 raise a source, 24 picks a marker's value.
enum Choice {
  static let sourceLimit = 16
  /// The marker that a CPU stands before yields the next value instead.
  static let nextValue = 24
  /// A bit for every choice that lets a CPU go on.
  static let goesOn: UInt32 = 1 | 0x7F << 17

  static func goOn(_ cpu: Int) -> Int { cpu == 0 ? 0 : sourceLimit + cpu }
  static func raise(_ source: Int) -> Int { source + 1 }

  /// The source that a choice raises, if it does.
  @inline(__always) static func source(_ choice: Int) -> Int? {
    isInjection(choice) ? choice - 1 : nil
  }

  /// The CPU that a choice lets go on, if it does.
  @inline(__always) static func cpu(_ choice: Int) -> Int? {
    choice == 0 ? 0 : choice > sourceLimit && choice < nextValue ? choice - sourceLimit : nil
  }

  @inline(__always) static func isInjection(_ choice: Int) -> Bool {
    choice > 0 && choice <= sourceLimit
  }
}
