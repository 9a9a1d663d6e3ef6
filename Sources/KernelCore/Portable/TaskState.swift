/// What a task is doing.
public enum TaskState: UInt8 {
  case unused
  case ready
  case running
  case sleeping
  case exited
}

/// What a sleeping task waits for.
///
/// A whole word: where the compiler keeps one on a stack, no stale bytes lie beside it that
/// would make equal states look different.
@c public enum WaitChannel: UInt32 {
  case nothing
  case clock
  case keyboard
  case mutex0
  case mutex1
}
