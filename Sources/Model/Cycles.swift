import Emulator

extension SearchWorker {
  /// What the graph keeps of a loop that nothing can interrupt, and which counts as one state: what holds
  /// anywhere on it can be reached from everywhere on it.
  func flagsAround(_ flags: StateGraph.Flags) -> StateGraph.Flags {
    let inKernel: StateGraph.Flags = 0xFF << StateGraph.Flags(StateGraph.Info.contextShift)
    var flags = flags
    world.goAround {
      let here = self.stateInfo()
      flags = (flags | here) & ~inKernel | flags & here & inKernel
    }
    return flags
  }
}
