import Hardware

/// The address of the loader's information and the parts of it that we read (multiboot
/// specification, 3.3).
private let loaderMagic: UInt32 = 0x2BAD_B002
private let hasCommandLine: UInt32 = 1 << 2
private let commandLineField = 16

private var leavesEmulator = false

/// Whether each CPU's timer preempts what runs there.
private var ticks = false

/// What each CPU does before it idles: one of the works.
private var works: InlineArray<4, Int> = [0, 0, 0, 0]

/// Sets everything up with interrupts off, and starts the other CPUs.
@inline(never)
@c(kernel_main)
func kernelMain(_ magic: UInt32, _ information: UnsafeRawPointer) -> Never {
  setUpConsole()
  setUpSegments(0)
  setUpGates()
  findProcessors()
  setUpLocalAPIC()
  setUpInputController()
  setUpInterruptController()

  let options = BootOptions(commandLine(magic, information))
  leavesEmulator = options.value(of: "exit") != nil
  if let number = options.value(of: "pull") { puller = Int(number.pointee) - 0x30 }
  if let list = options.value(of: "tasks") { createTasks(list) }
  if let list = options.value(of: "works") {
    for cpu in 0..<processorCount { works[cpu] = workNumber(cpu, of: list) }
  }
  ticks = options.value(of: "timer") != nil
  if let list = options.value(of: "key") { keyWork = workNumber(0, of: list) }
  startProcessors()
  exploration_start()
  store32(&processors_go, 1)
  runProcessor(0)
}

/// Each CPU's life, on the stack that it was started on.
func runProcessor(_ number: Int) -> Never {
  if ticks { startTimer() }
  enable_interrupts()
  work(works[number])
  disable_interrupts()
  if leavesEmulator && taskCount == 0 { workIsDone() }
  idle()
}

private func commandLine(_ magic: UInt32, _ information: UnsafeRawPointer) -> UnsafePointer<UInt8> {
  let flags = information.load(as: UInt32.self)
  if magic == loaderMagic && flags & hasCommandLine != 0 {
    let address = information.load(fromByteOffset: commandLineField, as: UInt32.self)
    return UnsafePointer(bitPattern: UInt(address))!
  }
  return defaultCommandLine.utf8Start
}

private let defaultCommandLine: StaticString = "tasks=hello,hello"

/// Makes the tasks that the list names, one for each CPU in turn, or all on the first one if another
/// is to pull them. A name that no program has leaves a place out.
private func createTasks(_ list: UnsafePointer<UInt8>) {
  report("tasks:")
  for task in 0..<mostTasks {
    var program: UInt32 = 0
    while program < program_count() && !isNamed(program, task, list) { program += 1 }
    if program == program_count() { continue }
    report(" ")
    report(program_at(program).name)
    createTask(task, entry: program_at(program).entry, on: puller < 0 ? task % processorCount : 0)
    taskCount += 1
  }
  report("\n")
}

private func isNamed(_ program: UInt32, _ task: Int, _ list: UnsafePointer<UInt8>) -> Bool {
  program_at(program).name.withMemoryRebound(to: UInt8.self, capacity: 1) {
    BootOptions.item(task, of: list, is: $0)
  }
}

/// A task has ended. Under an emulator with a port for that, and told to by `exit=`, the last
/// one ends the run; otherwise the CPUs idle from now on.
func taskHasEnded() {
  if !leavesEmulator { return }
  if fetch_add(&works_done, 1) + 1 == UInt32(taskCount) {
    report("all tasks have exited\n")
    out8(0xF4, 0)
  }
}

/// The same for works.
private func workIsDone() {
  if fetch_add(&works_done, 1) + 1 == UInt32(processorCount) {
    report("all works are done\n")
    out8(0xF4, 0)
  }
}
