/// A stack is used below its lowest byte.
final class StackOverflow: Rule {
  static let name = "stack-overflow"
  let interests: [Happening.Kind] = [.depth]

  func observe(_ h: Happening, in world: World) {
    // The stretch began on this stack: its highest address tells which.
    let sp = h.stretchTop
    guard let index = world.stacks.firstIndex(where: { $0.low < sp && sp <= $0.high }) else {
      return
    }
    let stack = world.stacks[index]
    if h.lowestSP < world.deepest[index] ?? .max { world.deepest[index] = h.lowestSP }
    if h.lowestSP < stack.low {
      world.report(
        Violation(
          Self.name, sites: [h.rip], endsPath: true,
          details: [stack.low, stack.low - h.lowestSP, stack.high - stack.low], identitySites: 0,
          tags: [stack.name]))
    }
  }

  func title(_ v: Violation, names: Names) -> String {
    "stack `\(names.world.image.symbols.describe(v.details[0]))` of \(v.details[2]) bytes is overrun by "
      + "\(v.details[1]) bytes at \(names.site(v.sites[0]))"
  }
}
