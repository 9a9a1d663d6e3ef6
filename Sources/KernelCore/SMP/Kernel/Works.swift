import Hardware

// Small pieces of kernel work, each of which exercises one lock, for a CPU to do once (`works=`), a
// program to ask for (SYS_WORK) or the keyboard's handler to do (`key=`). All leave interrupts as they
// find them.

/// The works by number. 0 is none.
@inline(never)
@c(work)
func work(_ number: Int) {
  switch number {
  case 1: spinWork()
  case 2: ticketWork()
  case 3: queueWork()
  case 4: readWork()
  case 5: writeWork()
  case 6: nestedWork()
  case 7: tryWork()
  case 8: showOtherFrame()
  case 9: plainWork()
  case 11: deferWork()
  case 12: runDeferred()
  default: break
  }
}

/// The number of the work that a list names at a place, 0 if it names none.
func workNumber(_ index: Int, of list: UnsafePointer<UInt8>) -> Int {
  func named(_ name: StaticString) -> Bool { BootOptions.item(index, of: list, is: name.utf8Start) }
  if named("spin") { return 1 }
  if named("ticket") { return 2 }
  if named("queue") { return 3 }
  if named("read") { return 4 }
  if named("write") { return 5 }
  if named("nested") { return 6 }
  if named("try") { return 7 }
  if named("frame") { return 8 }
  if named("plain") { return 9 }
  if named("kill") { return killWork }
  if named("defer") { return 11 }
  if named("deferred") { return 12 }
  return 0
}

/// Not a work of its own: what the keyboard's handler does with the task that it interrupts.
let killWork = 10

/// What the locks protect: it is 0 whenever nobody is at it. Read and written as it is said here, as others
/// look on.
func visit() {
  kernelAssert(load32(&guarded) == 0)
  store32(&guarded, 1)
  store32(&guarded, 0)
}

@inline(never)
@c(spin_work)
func spinWork() {
  let flags = spinAcquire(&first_lock)
  visit()
  spinRelease(&first_lock, flags)
}

@inline(never)
@c(ticket_work)
func ticketWork() {
  let flags = ticketAcquire(ticket_lock_address())
  visit()
  ticketRelease(ticket_lock_address(), flags)
}

@inline(never)
@c(queue_work)
func queueWork() {
  let flags = queueAcquire(&queue_lock)
  visit()
  queueRelease(&queue_lock, flags)
}

@inline(never)
@c(read_work)
func readWork() {
  let flags = readAcquire(&reader_writer_lock)
  kernelAssert(load32(&guarded) == 0)
  readRelease(&reader_writer_lock, flags)
}

@inline(never)
@c(write_work)
func writeWork() {
  let flags = writeAcquire(&reader_writer_lock)
  visit()
  writeRelease(&reader_writer_lock, flags)
}

/// Two locks, in the one order that there is.
@inline(never)
@c(nested_work)
func nestedWork() {
  let outer = spinAcquire(&first_lock)
  let inner = spinAcquire(&second_lock)
  visit()
  spinRelease(&second_lock, inner)
  spinRelease(&first_lock, outer)
}

/// The two in the other order: as nobody may wait for the first one who holds the second, it is only
/// tried.
@inline(never)
@c(try_work)
func tryWork() {
  let outer = spinAcquire(&second_lock)
  let inner = spinTryAcquire(&first_lock)
  if inner != 0 {
    visit()
    spinRelease(&first_lock, inner)
  }
  spinRelease(&second_lock, outer)
}
