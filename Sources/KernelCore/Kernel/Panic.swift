import Hardware

/// An exception that nobody expected: says what and where, and stops.
@inline(never)
@c(kernel_panic)
func panic(_ frame: UnsafeMutablePointer<TrapFrame>) -> Never {
  report("panic: vector ")
  reportHex(UInt(frame.pointee.vector))
  report(" error ")
  reportHex(UInt(frame.pointee.error_code))
  report(" at ")
  reportHex(frame.pointee.instructionPointer)
  report("\n")
  stop()
}

/// A condition that the kernel relies on does not hold.
@inline(never)
@c(kernel_assert_failed)
func assertionFailed() -> Never {
  report("assertion failed\n")
  stop()
}

@inline(__always)
func kernelAssert(_ condition: Bool) {
  if !condition { assertionFailed() }
}

func stop() -> Never {
  disable_interrupts()
  while true { halt() }
}
