import Foundation
import Testing

@Suite struct QueryTests {
  let workshop: Workshop
  let fingerprint = StoredSample.deadlock.identity.fingerprint

  init() throws {
    workshop = try Workshop()
    try StoredSample.write(to: workshop)
  }

  private func query(_ arguments: String...) throws -> Outcome {
    try workshop.run(workshop.process(["query"] + arguments))
  }

  @Test func lists_counterexamples() throws {
    let outcome = try query()
    #expect(outcome.status == 0)
    let lines = outcome.output.split(separator: "\n")
    #expect(lines.count == 2)
    #expect(
      lines[0].hasPrefix(
        "id  rule                   machine  person      occurrences  interrupts  scenarios  last_seen"
      ))
    #expect(
      lines[1].hasPrefix(
        " 1  deadlock-on-interrupt  new      unreviewed            1           1  reader     20"))
  }

  @Test func flags_filter() throws {
    #expect(try query("--rule", "deadlock-*", "--format", "json").output.contains("\"id\": 1"))
    for flags in [
      ["--rule", "data-race"], ["--scenario", "writer"], ["--image", "cdcd"],
      ["--since", "2999-01-01"],
    ] {
      let outcome = try workshop.run(workshop.process(["query", "--format", "json"] + flags))
      #expect(outcome == Outcome(status: 0, output: "[]\n", errors: ""))
    }
    #expect(try query("--rule", "nothing").output.hasSuffix("(none)\n"))
  }

  @Test func sql_in_three_formats() throws {
    let sql = "SELECT id, rule, 'a \"b\", c' AS text, NULL AS none FROM counterexample"
    #expect(
      try query(sql, "--format", "csv").output
        == "id,rule,text,none\r\n1,deadlock-on-interrupt,\"a \"\"b\"\", c\",\r\n")
    #expect(
      try query(sql, "--format", "json").output == """
        [
          {"id": 1, "rule": "deadlock-on-interrupt", "text": "a \\"b\\", c", "none": null}
        ]

        """)
    #expect(
      try query(sql).output == """
        id  rule                   text      none
         1  deadlock-on-interrupt  a "b", c

        """)
    #expect(try query(sql, "--format", "text").output == (try query(sql).output))
  }

  @Test func saved_queries_by_name() throws {
    let rules = try query("rules", "--format", "csv")
    #expect(rules.output.hasSuffix("\r\ndeadlock-on-interrupt,1,1,0,0\r\n"))
    #expect(try query("runs", "--format", "csv").output.contains(",check\r\n"))
  }

  @Test(arguments: [
    "DELETE FROM counterexample", "ATTACH 'x.db' AS x", "SELECT 1; SELECT 2",
    "PRAGMA journal_mode = DELETE", "SELEC 1", "SELECT * FROM nowhere",
  ])
  func sql_that_is_no_select_is_refused_in_one_line(sql: String) throws {
    let outcome = try query(sql)
    #expect(outcome.status == 3)
    #expect(outcome.output == "")
    #expect(
      outcome.errors.hasPrefix("locklab: ") && outcome.errors.split(separator: "\n").count == 1)
    #expect(try query("SELECT count(*) AS n FROM counterexample").output == "n\n1\n")
  }

  @Test func decisions_are_recorded_with_author_and_reason() throws {
    let first = try workshop.locklab(
      "triage", "1", "confirmed", "--reason", "seen on hardware", "--author", "ada")
    #expect(first == Outcome(status: 0, output: "1: confirmed\n", errors: ""))
    _ = try workshop.locklab(
      "triage", String(fingerprint.prefix(5)), "intentional", "--reason", "later", "--author", "bob"
    )
    let page = try workshop.locklab("show", "1").output
    #expect(page.hasPrefix("Counterexample 1  deadlock-on-interrupt  new, intentional\n"))
    #expect(
      page.contains(
        /\nDecisions\n  \S+Z ada confirmed: seen on hardware\n  \S+Z bob intentional: later\n/))
    try workshop.expectFailure(
      "triage", "1", "duplicate", "--duplicate-of", "1", "--reason", "x",
      says: "a counterexample is no duplicate of itself")
  }
}
