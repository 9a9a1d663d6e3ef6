import Hardware

/// Two accounts, each under the mutex of its number.
var balances: InlineArray<2, UInt8> = [1, 1]

/// Moves a coin, if there is one, from one account to the other.
///
/// Both mutexes are needed at once. They are taken in the order of their numbers, not in
/// the order of the arguments: two tasks that transfer in opposite directions would each
/// get one of them, and wait for the other's for ever.
@inline(never)
@c(transfer)
func transfer(from: Int, to: Int) {
  let first = min(from, to)
  let second = max(from, to)
  lockMutex(first)
  lockMutex(second)
  if balances[from] > 0 {
    balances[from] &-= 1
    balances[to] &+= 1
  }
  kernelAssert(balances[0] &+ balances[1] == 2)
  kernelAssert(unlockMutex(second))
  kernelAssert(unlockMutex(first))
}
