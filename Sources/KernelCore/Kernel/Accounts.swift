import Hardware

/// Two accounts, each under the mutex of its number.
var balances: (UInt8, UInt8) = (1, 1)

/// Moves a coin, if there is one, from one account to the other.
///
/// Both mutexes are needed at once. They are taken in the order of their numbers, not in
/// the order of the arguments: two tasks that transfer in opposite directions would each
/// get one of them, and wait for the other's for ever.
func transfer(from: UInt32, to: UInt32) {
  let first = min(from, to)
  let second = max(from, to)
  lockMutex(first)
  lockMutex(second)
  if from == 0 && balances.0 > 0 {
    balances.0 &-= 1
    balances.1 &+= 1
  } else if from == 1 && balances.1 > 0 {
    balances.1 &-= 1
    balances.0 &+= 1
  }
  kernelAssert(balances.0 &+ balances.1 == 2)
  kernelAssert(unlockMutex(second))
  kernelAssert(unlockMutex(first))
}
