import Hardware

/// A non-maskable interrupt comes wherever it likes, with interrupts off too: between an entry and its
/// first instruction, and while any lock is held. So does a machine check. So they take no lock and wait for
/// nothing. This one only makes sure that it can reach the CPU's own data.
@inline(never)
@c(nmi_interrupt)
func nonMaskableInterrupt() {
  kernelAssert(has_cpu_data())
}
