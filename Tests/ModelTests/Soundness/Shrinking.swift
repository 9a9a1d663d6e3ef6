/// A smaller kernel that still shows what a larger one showed.
extension SmallKernel {
  /// Kernels that are smaller by one thing each, those by the largest first.
  var smaller: [SmallKernel] {
    var all: [SmallKernel] = []
    func add(_ change: (inout SmallKernel) -> Void) {
      var copy = self
      change(&copy)
      all.append(copy)
    }
    if second != nil { add { $0.second = nil } }
    if nmi != nil { add { $0.nmi = nil } }
    if timerCPU != nil { add { $0.timerCPU = nil } }
    if handlers.count > 1 {
      add {
        $0.handlers.removeLast()
        $0.arrivals.removeLast()
      }
      add { k in
        k.handlers.removeFirst()
        k.arrivals.removeFirst()
      }
    } else if handlers.count == 1 {
      add {
        $0.handlers = []
        $0.arrivals = []
      }
    }
    if mains.count > 1 {
      add { k in
        let gone = k.mains.count - 1
        k.mains.removeLast()
        if k.nmiCPU == gone { k.nmiCPU = 0 }
        if k.timerCPU == gone { k.timerCPU = nil }
        if k.mains.count == 1 { k.messages = [] }
      }
    }
    for i in arrivals.indices where arrivals[i] > 1 { add { $0.arrivals[i] -= 1 } }
    func bodies(_ body: [Operation], _ put: (inout SmallKernel, [Operation]) -> Void) {
      for b in SmallKernel.smaller(body) { add { put(&$0, b) } }
    }
    for i in mains.indices { bodies(mains[i]) { $0.mains[i] = $1 } }
    if let second { bodies(second) { $0.second = $1 } }
    for i in handlers.indices { bodies(handlers[i]) { $0.handlers[i] = $1 } }
    for i in messages.indices { bodies(messages[i]) { $0.messages[i] = $1 } }
    if let nmi { bodies(nmi) { $0.nmi = $1 } }
    bodies(gate) { $0.gate = $1 }
    bodies(exception) { $0.exception = $1 }
    return all.filter(\.isSound)
  }

  /// What is sent goes to a CPU that is there, to a handler that is there; what redirects has two.
  private var isSound: Bool {
    !uses { o in
      switch o {
      case .send(let cpu, let m): cpu >= mains.count || m >= messages.count
      case .redirect: handlers.count < 2
      default: false
      }
    }
  }

  private static func smaller(_ body: [Operation]) -> [[Operation]] {
    var all: [[Operation]] = []
    for i in body.indices {
      var without = body
      without.remove(at: i)
      all.append(without)
      func replace(_ operations: [Operation]) {
        var copy = body
        copy.replaceSubrange(i...i, with: operations)
        all.append(copy)
      }
      if let inner = body[i].body {
        replace(inner)
        for b in smaller(inner) { replace([body[i].with(body: b)]) }
      }
      switch body[i] {
      case .registers(let n) where n > 1: replace([.registers(1)])
      case .count(let n) where n > 1: replace([.count(1)])
      case .copyString(let f, let t, let n) where n > 1:
        replace([.copyString(from: f, to: t, words: 1)])
      case .fill(let o, let n) where n > 1: replace([.fill(offset: o, count: 1)])
      case .locked(let k, let l, let b, restore: false): replace([.locked(k, l, b, restore: true)])
      case .tornToggle(let v): replace([.toggle(v, 1)])
      default: break
      }
    }
    return all
  }

  /// The smallest kernel that is found by taking away one thing after the other while `fails` says
  /// that it still does.
  func shrunk(while fails: (SmallKernel) -> Bool) -> SmallKernel {
    var smallest = self
    search: while true {
      for candidate in smallest.smaller where fails(candidate) {
        smallest = candidate
        continue search
      }
      return smallest
    }
  }
}
