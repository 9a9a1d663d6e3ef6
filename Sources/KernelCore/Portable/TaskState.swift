/// What a task is doing.
public enum TaskState: UInt8 {
  case unused
  case ready
  case running
  case sleeping
  case exited
}

/// What a sleeping task waits for.
@c public enum WaitChannel: UInt8 {
  case nothing
  case clock
  case keyboard
  case mutex0
  case mutex1
}
