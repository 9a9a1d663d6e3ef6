import Hardware

/// Two accounts, each under the mutex of its number.
var balances: InlineArray<2, UInt8> = [1, 1]

/// Wrong: the mutexes are taken in the order of the arguments. Two tasks that transfer in
/// opposite directions each get one of them and ask for the other's for ever.
@inline(never)
@c(transfer)
func transfer(from: Int, to: Int) {
  lockMutex(from)
  lockMutex(to)
  if balances[from] > 0 {
    balances[from] &-= 1
    balances[to] &+= 1
  }
  kernelAssert(balances[0] &+ balances[1] == 2)
  kernelAssert(unlockMutex(to))
  kernelAssert(unlockMutex(from))
}
