import Hardware

let mostCPUs = Int(MOST_CPUS)

/// Fills in the CPU's own block, before anything can reach it through GS.
func setUpBlock(_ number: Int) {
  cpu_at(number).pointee = CPU(
    self: cpu_at(number), kernel_stack: 0, user_stack: 0, tss: tss_of(number), number: number,
    current: idleTask(of: number), waits: 0)
  tasks[idleTask(of: number)].state = .running
}

/// The CPU that executes this. Ask with interrupts off: a task that is preempted right after it may go
/// on on another one.
var thisCPU: UnsafeMutablePointer<CPU> { this_cpu_block() }
