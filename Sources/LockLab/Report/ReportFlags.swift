import ArgumentParser
import Foundation

enum ReportFormat: String, CaseIterable {
  case json, sarif, junit, ktap, github, gitlab

  func text(_ report: RunReport) throws -> String {
    switch self {
    case .json: try prettyJSON(report.json)
    case .sarif: try SARIFReport(report).text()
    case .junit: JUnitReport(report).text
    case .ktap: KTAPReport(report).text
    case .github: GitHubReport(report).text
    case .gitlab: try GitLabReport(report).text()
    }
  }
}

/// `FORMAT=FILE`.
struct ReportRequest: ExpressibleByArgument {
  var format: ReportFormat
  /// `-`: standard output.
  var file: String

  init?(argument: String) {
    guard let sign = argument.firstIndex(of: "="),
      let format = ReportFormat(rawValue: String(argument[..<sign]))
    else { return nil }
    self.format = format
    file = String(argument[argument.index(after: sign)...])
    if file.isEmpty { return nil }
  }

  static var allValueStrings: [String] { ReportFormat.allCases.map { "\($0.rawValue)=FILE" } }
}

/// Which reports are written besides what goes to standard output.
struct ReportFlags: ParsableArguments {
  @Option(
    name: .customLong("report"),
    help: ArgumentHelp(
      "Write a report; repeatable. Formats: "
        + ReportFormat.allCases.map(\.rawValue).joined(separator: ", ")
        + ". The file - is standard output.", valueName: "format=file"))
  var reports: [ReportRequest] = []

  @Option(
    help: ArgumentHelp(
      "In reports, paths are relative to this folder (default: the current one).",
      valueName: "folder"), completion: .directory)
  var sourceRoot: String?

  func validate() throws {
    let names = reports.map(\.file)
    if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
      throw ValidationError(
        twice == "-"
          ? "Only one report can go to standard output." : "Two reports cannot go to \(twice).")
    }
  }

  /// What GitHub's runner shows beside the log, if this runs under it.
  private var stepSummary: String? {
    guard reports.contains(where: { $0.format == .github }) else { return nil }
    let path = ProcessInfo.processInfo.environment["GITHUB_STEP_SUMMARY"] ?? ""
    return path.isEmpty ? nil : path
  }

  /// Throws what would go wrong at the end of the run, before it begins.
  func check(beside format: Format) throws {
    if format == .json, reports.contains(where: { $0.file == "-" }) {
      throw Failure("standard output has --format json already; give the report a file")
    }
    for report in reports where report.file != "-" { try checkWritable(report.file) }
    if let stepSummary { try checkWritable(stepSummary) }
  }

  func write(_ report: RunReport) throws {
    for request in reports {
      let text = try request.format.text(report)
      if request.file == "-" {
        print(text, terminator: "")
      } else {
        try writeFile(request.file, text)
      }
    }
    if let stepSummary { try appendFile(stepSummary, StepSummary(report).text) }
  }
}
