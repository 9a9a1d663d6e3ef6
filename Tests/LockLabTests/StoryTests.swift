import Foundation
import Testing

/// The life of a kernel's defects under a gate, from end to end.
@Suite struct StoryTests {
  let workshop: Workshop
  init() throws { workshop = try Workshop() }

  private func gate(_ arguments: String...) throws -> Outcome {
    try workshop.run(
      workshop.process(
        ["gate", "--policy", "gate.yml", "locklab.yml", "--progress", "none"] + arguments))
  }

  /// The functions in the lines that say what fails.
  private func blamed(_ outcome: Outcome) -> [String] {
    let lines = outcome.output.split(separator: "\n").filter { $0.hasPrefix("not in the baseline") }
    return WorkingKernel.Driver.allCases.map(WorkingKernel.function).filter { function in
      lines.contains { $0.contains(function) }
    }
  }

  private func status(_ function: String) throws -> [String] {
    let outcome = try workshop.locklab(
      "query", "--format", "csv",
      """
      SELECT fingerprint, machine_status FROM counterexample
      WHERE functions LIKE '%"\(function)"%'
      """)
    return outcome.output.split(separator: "\r\n").dropFirst().map(String.init)
  }

  @Test func from_two_defects_to_one_that_comes_back() throws {
    var kernel = WorkingKernel(defects: [.console, .disk])
    try kernel.build(in: workshop)
    try workshop.write("locklab.yml", WorkingKernel.job)
    let policy = "version: 1\nbaseline: baseline.txt\n"
    try workshop.write("gate.yml", policy)
    try workshop.write("baseline.txt", "")

    // Two defects: the gate fails with both.
    let both = try gate()
    #expect(both.status == 1, "\(both)")
    #expect(blamed(both) == ["console_write", "disk_read"], "\(both.output)")
    let console = try status("console_write")
    #expect(console.count == 1 && console[0].hasSuffix(",new"), "\(console)")
    try #require(console.count == 1)
    let disk = try status("disk_read")
    try #require(disk.count == 1)

    // One is suppressed with a reason, one put into the baseline: it passes.
    try workshop.write(
      "gate.yml",
      policy + """
        suppressions:
          - rule: lock-release-order
            function: console_write
            reason: goes with the new console
            expires: 2999-12-31

        """)
    #expect(blamed(try gate()) == ["disk_read"])
    #expect(try gate("--write-baseline").status == 0)
    let lines = try String(contentsOfFile: workshop.path("baseline.txt"), encoding: .utf8)
      .split(separator: "\n").filter { !$0.hasPrefix("#") }
    #expect(lines.count == 1 && lines[0].contains("disk_read"), "\(lines)")
    let passed = try gate()
    #expect(passed.status == 0)
    #expect(passed.output.contains("until 2999-12-31: goes with the new console)"))

    // A third appears: it fails, naming only that.
    kernel.defects.insert(.network)
    try kernel.build(in: workshop)
    let third = try gate()
    #expect(third.status == 1)
    #expect(blamed(third) == ["network_send"])

    // The first is fixed: gone, and its suppression is not needed any more.
    kernel.defects = [.disk]
    try kernel.build(in: workshop)
    let fixed = try gate()
    #expect(fixed.status == 0)
    #expect(fixed.output.contains("suppression unused: gate.yml:4:5: lock-release-order"))
    #expect(try status("console_write") == [console[0].replacing(",new", with: ",gone")])

    // The second's line moves and its file is renamed: it is the same one.
    kernel.files[.disk] = "kernel/block-device.c"
    kernel.emptyLines[.disk] = 40
    try kernel.build(in: workshop)
    let moved = try gate("--report", "sarif=moved.sarif")
    #expect(moved.status == 0)
    #expect(try status("disk_read").map { $0.prefix(32) } == [disk[0].prefix(32)])
    let sarif = try #require(
      try Reader.read("sarif", workshop.path("moved.sarif")) as? [String: Any])
    let result = try #require(objects(sarif["results"]).first)
    #expect(result["baselineState"] as? String == "unchanged")
    #expect(result["uris"] as? [String] == ["kernel/block-device.c"])
    #expect((result["lines"] as? [Int] ?? []).allSatisfy { $0 > 40 })

    // The first comes back.
    kernel.defects = [.console, .disk]
    try kernel.build(in: workshop)
    let back = try gate()
    #expect(back.status == 0)
    #expect(back.output.contains("let pass: lock-release-order (warning, reappeared): "))
    #expect(try status("console_write") == [console[0].replacing(",new", with: ",reappeared")])
    // Without its suppression it fails again.
    try workshop.write("gate.yml", policy)
    #expect(blamed(try gate()) == ["console_write"])
  }
}
