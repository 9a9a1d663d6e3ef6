import Hardware

/// Wrong: interrupts come on before the HLT and not with it. The interrupt that says that there is
/// work can come between them, and then ends no HLT.
func idle() -> Never {
  while true {
    if thisCPU.pointee.number == puller { pullTask() }
    schedule()
    enable_interrupts()
    spin_hint()
    halt()
    disable_interrupts()
  }
}
