import Hardware

/// The CPU that looks for work elsewhere when it has nothing to do (`pull=` on the command line), or -1.
/// All tasks then begin on the first CPU.
var puller = -1

/// Takes a task from another CPU's queue, if this one has nothing to do and another one more than it can
/// run. One run lock at a time: two CPUs that each held their own and wanted the other's
/// would wait for ever.
@inline(never)
@c(pull_task)
func pullTask() {
  let own = thisCPU.pointee.number
  for other in 0..<processorCount where other != own {
    let flags = spinAcquire(run_lock_of(other))
    let task = runQueues[other].next()
    if let task { tasks[task].cpu = UInt32(own) }
    spinRelease(run_lock_of(other), flags)
    if let task {
      let flags = spinAcquire(run_lock_of(own))
      makeReady(task, on: own)
      spinRelease(run_lock_of(own), flags)
      return
    }
  }
}
