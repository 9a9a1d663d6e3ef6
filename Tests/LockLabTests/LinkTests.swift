import Foundation
import Testing

/// Object files and archives that jobs name.
@Suite struct LinkTests {
  static let user = """
    int missing(int), absent(int);
    extern long jiffies;
    int result;
    void ask(void) { result = missing(3) + (int)jiffies; }
    int own(int n) { return n + 1; }
    int two(void) { return 2; }
    """

  static func folders(_ linker: String) throws -> String? {
    let path = CallsTests.environment["PATH"] ?? ""
    return path.split(separator: ":").map(String.init).first {
      FileManager.default.isExecutableFile(atPath: "\($0)/\(linker)")
    }
  }

  @Test(
    "A missing symbol is named with who wants it",
    arguments: ["ld.lld", "ld"], ObjectCode.Target.allCases)
  func missing(linker: String, target: ObjectCode.Target) throws {
    guard let folder = try Self.folders(linker) else { return }
    let workshop = try Workshop()
    try ObjectCode.compile(Self.user, to: "user", for: target, in: workshop)
    // A folder with this linker only.
    try FileManager.default.createDirectory(
      atPath: workshop.path("bin"), withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(
      atPath: workshop.path("bin/\(linker)"), withDestinationPath: "\(folder)/\(linker)")
    try workshop.write(
      "locklab.yml",
      """
      version: 1
      images:
        code: {objects: user.o}
      scenarios: [{name: s, calls: [ask]}]
      """)
    let outcome = try workshop.locklab(
      "check", "locklab.yml", "--progress", "none", environment: ["PATH": workshop.path("bin")])
    #expect(outcome.status == 3 && outcome.output == "")
    #expect(outcome.errors.hasPrefix("locklab: locklab.yml:3:19: 'missing' is missing: "))
    #expect(outcome.errors.contains("user.o:(ask)") && outcome.errors.contains("user.c:4"))
    #expect(
      outcome.errors.hasSuffix(
        " wants it; missing too: 'jiffies'; add the object that defines it, or stub it: "
          + "`stubs: {missing: noop}`\n"), "\(outcome.errors)")
  }

  @Test(
    "Stubs stand in for what is missing, and for what is there",
    arguments: ObjectCode.Target.allCases)
  func stubs(target: ObjectCode.Target) throws {
    let workshop = try Workshop()
    try ObjectCode.compile(Self.user, to: "user", for: target, in: workshop)
    let found = try CallsTests.check(
      """
      version: 1
      images: {code: {objects: user.o}}
      defaults: {observe: [result], calls: [ask]}
      scenarios:
        - {name: number, stubs: {missing: 7, jiffies: {data: 8}}}
        - {name: negative, stubs: {missing: {returns: -7}, jiffies: {data: 64}}}
        - {name: noop, stubs: {missing: noop, jiffies: {data: 8}}}
        - {name: other, stubs: {missing: own, jiffies: {data: 8}}}
        - {name: defined, stubs: {missing: two, two: 5, jiffies: {data: 8}}}
      """, in: workshop)
    #expect(found.values.allSatisfy { $0.verdict == "clean" })
    for (name, value) in [
      ("number", 7), ("negative", -7), ("noop", 0), ("other", 4), ("defined", 5),
    ] {
      #expect(CallsTests.values(found[name], "result") == [[value]], "\(name)")
    }
  }
}
