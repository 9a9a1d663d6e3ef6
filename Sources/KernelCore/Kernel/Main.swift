import Hardware

/// The address of the loader's information and the parts of it that we read (multiboot
/// specification, 3.3).
private let loaderMagic: UInt32 = 0x2BAD_B002
private let hasCommandLine: UInt32 = 1 << 2
private let commandLineField = 16

private var leavesEmulator = false

/// Sets everything up with interrupts off; what called this becomes the idle task.
@inline(never)
@c(kernel_main)
func kernelMain(_ magic: UInt32, _ information: UnsafeRawPointer) -> Never {
  setUpConsole()
  segments_load()
  setUpGates()
  // Devices that answer by raising their lines while they are set up come before the interrupt
  // controllers, whose initialization forgets such requests.
  setUpInputController()
  setUpInterruptController()
  setUpTimer()

  let options = BootOptions(commandLine(magic, information))
  leavesEmulator = options.value(of: "exit") != nil
  createTasks(options.value(of: "tasks"))

  current_task = idleTask
  tasks[idleTask].state = .running
  exploration_start()
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

private let defaultCommandLine: StaticString = "tasks=reader,writer"

/// Makes the tasks that the list names, `reader,writer` for instance.
private func createTasks(_ list: UnsafePointer<UInt8>?) {
  let list = list ?? defaultCommandLine.utf8Start + 6
  report("tasks:")
  for task in 0..<userTaskCount {
    var program: UInt32 = 0
    while program < program_count() && !isNamed(program, task, list) { program += 1 }
    if program == program_count() {
      report(" no such program\n")
      stop()
    }
    report(" ")
    report(program_at(program).name)
    createTask(task, entry: program_at(program).entry)
  }
  report("\n")
}

private func isNamed(_ program: UInt32, _ task: Int, _ list: UnsafePointer<UInt8>) -> Bool {
  program_at(program).name.withMemoryRebound(to: UInt8.self, capacity: 1) {
    BootOptions.item(task, of: list, is: $0)
  }
}

/// The last task has exited. Under an emulator with a port for that, and told to by
/// `exit=`, this ends the run; otherwise the CPU idles from now on.
func allTasksExited() {
  if !leavesEmulator { return }
  report("all tasks have exited\n")
  out8(0xF4, 0)
}
