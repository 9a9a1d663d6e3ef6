import Database
import Foundation
import Model
import Testing

@testable import LockLab

/// Strings from an image that would be commands, elements or directives, if they were let through.
@Suite struct HostileReportTests {
  static let poison =
    "x\u{1B}[2J\u{9B}31m\0\r\n::error::owned\n::add-mask::1\u{2028}]]><script>alert(1)</script>"
    + "<!--\"'&amp;%0A::set-output name=a::b,c:d# SKIP # TODO \\ [a](javascript:1) {0} `|`\u{202E}"

  private static func report(gate isGate: Bool, standing: Bool) throws -> RunReport {
    let poison = Self.poison
    let place = SourceLocation(file: "src/\(poison)/../a \(poison).c", line: -4)
    let event = TraceEvent(
      kind: .violation, step: 3, cpu: 0, context: poison, text: poison, address: 16,
      function: poison, location: place, inlined: [poison], disassembly: poison, held: [poison])
    let counterexample = Counterexample(
      rule: "deadlock", title: poison,
      identity: .init(rule: "deadlock", lockClasses: [poison], functions: [poison]),
      schedule: Schedule(steps: [.init(raise: nil, instructions: 3)]), injected: [poison],
      events: [event, event],
      stacks: [
        ContextStack(
          context: poison,
          frames: [StackFrame(address: 16, function: poison, location: place, inlined: [poison])])
      ], holders: [poison], waiters: [poison])
    func outcome(_ name: String, _ verdict: Verdict, _ found: [Counterexample])
      -> Examination.Outcome
    {
      let scenario = Scenario(name: name, image: poison)
      var result = ScenarioResult(scenario: scenario, arch: "i386", verdict: verdict)
      result.counterexamples = found
      result.notes = [poison]
      result.openEnds = verdict == .violated ? [] : [poison]
      return Examination.Outcome(
        result: result, image: ImageRecord(digest: "", arch: "i386", size: 0, origin: poison),
        findings: found.map { .init(counterexample: $0, id: 1, isNew: true) },
        job: JobScenario(
          scenario: scenario, file: "jobs/\(poison).yml", place: .init(line: 7, column: 1)))
    }
    let outcomes = [
      outcome(poison, .violated, [counterexample]), outcome("# SKIP \(poison)", .inconclusive, []),
    ]
    var policy = Policy()
    policy.suppressions = [
      Suppression(
        target: .function(poison, rule: standing ? "deadlock" : "livelock"), reason: poison,
        expiry: .never, file: "gate/\(poison).yml", place: .init(line: 2, column: 1))
    ]
    let judgement = Judgement(outcomes, policy: policy)
    return RunReport(
      verb: isGate ? "gate" : "check", runs: [1], outcomes: outcomes, judgement: judgement,
      status: judgement.status, began: Date(), ended: Date(), paths: SourcePaths(root: nil),
      json: GateJSON(judgement, outcomes, run: 1, runs: [1]))
  }

  @Test(arguments: [false, true])
  func nothing_is_injected(isSuppressed: Bool) throws {
    let workshop = try Workshop()
    let report = try Self.report(gate: true, standing: isSuppressed)
    func read(_ format: ReportFormat) throws -> Any {
      let text = try format.text(report)
      // No report can do anything to a terminal.
      let controls = text.unicodeScalars.filter {
        $0 != "\n" && $0.properties.generalCategory == .control
      }
      #expect(controls.isEmpty, "\(format)")
      #expect(!text.contains("\u{202E}") && !text.contains("\u{2028}"), "\(format)")
      return try Reader.read(format.rawValue, try workshop.write("report", text))
    }
    let sarif = try #require(try read(.sarif) as? [String: Any])
    let result = try #require(objects(sarif["results"]).first)
    // Links and placeholders are literal.
    let text = try #require(result["text"] as? String)
    #expect(text.contains("\\[a\\](javascript:1) {{0}}"), "\(text)")

    let junit = try #require(try read(.junit) as? [String: Any])
    #expect(junit["tests"] as? Int == 2)
    #expect(junit["errors"] as? Int == 1 && junit["failures"] as? Int == (isSuppressed ? 0 : 1))
    #expect(objects(junit["cases"]).map { $0["name"] as? String }.first == printable(Self.poison))

    let tests = objects(try read(.ktap))
    #expect(tests.map { $0["ok"] as? Bool } == [isSuppressed, false])
    #expect(tests.allSatisfy { $0["skip"] as? Bool == false && $0["todo"] as? Bool == false })

    let commands = objects(try read(.github))
    let levels = Set(commands.compactMap { $0["command"] as? String })
    #expect(levels.isSubset(of: ["error", "warning", "notice"]))
    let number = 2 + (isSuppressed ? 0 : 0)
    #expect(commands.count == number, "\(commands)")
    for command in commands {
      let properties = try #require(command["properties"] as? [String: String])
      #expect(Set(properties.keys).isSubset(of: ["file", "line", "title"]))
    }

    let entries = objects(try read(.gitlab))
    #expect(entries.count == (isSuppressed ? 1 : 2))

    let page = try #require(
      try Reader.read("markdown", try workshop.write("summary.md", StepSummary(report).text))
        as? [String: Any])
    let allowed: Set<String> = ["h2", "h3", "p", "table", "thead", "tbody", "tr", "th", "td"]
    #expect(Set(page["tags"] as? [String] ?? ["?"]).isSubset(of: allowed), "\(page["tags"] ?? "")")
    #expect((page["text"] as? String ?? "").contains("<script>alert(1)</script>"))

    // And what people read.
    let lines = GatePage(
      judgement: report.judgement, comparedWith: [], databaseHint: "",
      terminal: Terminal(hasColour: false, width: 100)
    ).lines
    #expect(
      lines.allSatisfy { line in
        line.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
          && !line.hasPrefix("::")
      })
  }

  @Test func a_hostile_line_in_a_baseline_is_one_line() {
    var baseline = Baseline()
    baseline.add(.init(rule: "deadlock", lockClasses: [Self.poison], functions: [Self.poison]))
    #expect(baseline.text.split(separator: "\n").count == 2)
  }

  @Test func paths_are_relative_to_the_sources_or_left_out() {
    let paths = SourcePaths(root: "/src/kernel")
    #expect(paths.relative("/src/kernel/a/./b.c") == "a/b.c")
    #expect(paths.relative("a/../b.c") == "b.c")
    #expect(paths.relative("../b.c") == nil)
    #expect(paths.relative("/src/kernel/../secret.c") == nil)
    #expect(paths.relative("/src/kernels/b.c") == nil)
    #expect(paths.relative("/usr/include/stdio.h") == nil)
    #expect(SourcePaths.uri("a b/ü:%#?.c") == "a%20b/%C3%BC%3A%25%23%3F.c")
  }
}
