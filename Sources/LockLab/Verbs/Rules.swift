import ArgumentParser
import Model

struct Rules: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the rules, or explain one (or a mechanism, M1 to M35, or a lesson, H1 to H13).",
    discussion: """
      EXAMPLES
        locklab rules
        locklab rules stack-reuse
        locklab rules M14
      """)

  @Argument(help: "A rule, a mechanism such as M14, or a lesson of real kernels such as H5.") var name: String?
  @OptionGroup var output: FormatOption

  private struct Entry: Encodable {
    var name: String
    var group: String
    var summary: String
    var explanation: String
    var needsLocks: Bool
    var checked: Bool
    var severity: String?
    var severityReason: String?
  }

  func run() throws {
    guard let name else { return try list() }
    if let rule = RuleCatalogue.info(name) { return try explain(rule) }
    if let mechanism = Mechanism.info(name.uppercased()) {
      return try show(
        Entry(
          name: mechanism.name, group: "Mechanisms", summary: mechanism.summary,
          explanation: mechanism.explanation, needsLocks: false,
          checked: true))
    }
    if let lesson = Lesson.info(name.uppercased()) {
      return try show(
        Entry(
          name: lesson.name, group: "Lessons", summary: lesson.summary,
          explanation: lesson.explanation, needsLocks: false, checked: true))
    }
    let names =
      RuleCatalogue.all.map(\.name) + Mechanism.all.map(\.name) + Lesson.all.map(\.name)
    let hint = Suggestion.hint(for: name, among: names)
    throw Failure(
      "there is no rule '\(name)'\(hint.isEmpty ? "; `locklab rules` lists them" : hint)")
  }

  private func entry(_ rule: RuleInfo) -> Entry {
    Entry(
      name: rule.name, group: rule.group.rawValue, summary: rule.summary,
      explanation: rule.explanation, needsLocks: rule.needsLocks,
      checked: rule.isChecked, severity: rule.severity.rawValue,
      severityReason: rule.severityReason)
  }

  private func explain(_ rule: RuleInfo) throws { try show(entry(rule)) }

  private func show(_ entry: Entry) throws {
    if output.format == .json { return try printJSON(entry) }
    let terminal = Terminal.output
    print(terminal.styled(entry.name, .bold) + ": " + entry.summary)
    print("")
    for line in entry.explanation.wrapped(to: min(terminal.width, 80)) { print(line) }
    if let severity = entry.severity, let reason = entry.severityReason {
      print("")
      print("Severity: \(severity), because \(reason).")
    }
    if !entry.checked {
      print("")
      print("This version does not check it: a job cannot expect it.")
    }
    if entry.needsLocks {
      print("")
      print("Needs to know which functions are locks: `locks` in the job file.")
    }
  }

  private func list() throws {
    if output.format == .json { return try printJSON(RuleCatalogue.all.map(entry)) }
    let terminal = Terminal.output
    let width = RuleCatalogue.all.map(\.name.count).max() ?? 0
    for group in RuleInfo.Group.allCases {
      print(terminal.styled(group.rawValue, .bold))
      for rule in RuleCatalogue.all where rule.group == group {
        let mark = (rule.needsLocks ? "L" : " ") + (rule.isChecked ? " " : "-")
        print("  \(rule.name.padded(to: width)) \(mark)  \(rule.summary)")
      }
      print("")
    }
    print("L: needs to know which functions are locks. -: described, not checked by this version.")
    print("`locklab rules NAME` explains one.")
  }
}
