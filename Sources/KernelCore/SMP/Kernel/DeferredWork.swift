import Hardware

/// Something that another CPU is to do later.
struct DeferredWork {
  var number: UInt32
}

/// Here it outlives whoever queues it: a function that has returned, or a task that has ended, before
/// another CPU comes to it.
private var item = DeferredWork(number: 0)

@inline(never)
@c(defer_work)
func deferWork() {
  item.number = deferredNumber
  queue(&item)
}
