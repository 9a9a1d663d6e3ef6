/// Cheapest ways from the first state: fewest injected events, then fewest steps.
///
/// Of several ways that cost the same, which one is taken depends neither on the order of the search nor on
/// the numbers of its states: at each state, from the end, the step with the lowest choice, then from the
/// state with the lowest key.
struct ShortestPaths {
  /// Injected events in the upper half, steps in the lower.
  private(set) var cost: [UInt64]
  private var parent: [UInt32]
  private var choice: [UInt8]

  static let unreachable = UInt64.max

  init(graph: StateGraph, from root: Int, key: (Int) -> StateTable.Key) {
    let edges = graph.forward()
    let n = graph.count
    var cost = [UInt64](repeating: ShortestPaths.unreachable, count: n)
    var parent = [UInt32](repeating: .max, count: n)
    var choice = [UInt8](repeating: 0, count: n)
    cost[root] = 0
    // Levels of injected events; within a level, buckets by steps.
    var level: [UInt32: [UInt32]] = [0: [UInt32(root)]]
    var injected: UInt64 = 0
    while !level.isEmpty {
      var next: [UInt32: [UInt32]] = [:]
      var remaining = level
      while let steps = remaining.keys.min() {
        let bucket = remaining.removeValue(forKey: steps)!
        let here = injected << 32 | UInt64(steps)
        for s32 in bucket where cost[Int(s32)] == here {
          let s = Int(s32)
          edges.forEach(s) { target, c in
            let up: UInt64 = Choice.isInjection(c) ? 1 : 0
            let new = (injected + up) << 32 | UInt64(steps + 1)
            if new < cost[target] {
              cost[target] = new
              parent[target] = s32
              choice[target] = UInt8(c)
              if up == 0 {
                remaining[steps + 1, default: []].append(UInt32(target))
              } else {
                next[steps + 1, default: []].append(UInt32(target))
              }
            } else if new == cost[target], target != root {
              let known = (choice[target], key(Int(parent[target])))
              if (UInt8(c), key(s)) < known {
                parent[target] = s32
                choice[target] = UInt8(c)
              }
            }
          }
        }
      }
      level = next
      injected += 1
    }
    self.cost = cost
    self.parent = parent
    self.choice = choice
  }

  /// The choices that lead to a state, in order.
  func choices(to state: Int) -> [Int] {
    var result: [Int] = []
    var s = state
    while parent[s] != .max {
      result.append(Int(choice[s]))
      s = Int(parent[s])
    }
    return result.reversed()
  }
}
