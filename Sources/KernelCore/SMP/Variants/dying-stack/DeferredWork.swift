import Hardware

/// Something that another CPU is to do later.
struct DeferredWork {
  var number: UInt32
}

/// Wrong: what is queued lies on the stack of who queues it. By the time another CPU comes to it, the
/// function has returned and others have used the stack.
@inline(never)
@c(defer_work)
func deferWork() {
  var item = DeferredWork(number: deferredNumber)
  queue(&item)
}
