import Foundation

/// The objects of SARIF 2.1.0 that reports are made of, with the standard's property names. Optional
/// lists that are empty are left out.
enum SARIF {
  struct Log: Encodable {
    var version = "2.1.0"
    var schema =
      "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
    var runs: [Run]

    enum CodingKeys: String, CodingKey {
      case version, runs
      case schema = "$schema"
    }
  }

  struct Run: Encodable {
    var tool: Tool
    var invocations: [Invocation]
    var originalUriBaseIds: [String: ArtifactLocation]
    var results: [Result]
    var columnKind: String
    var properties: [String: Property]
  }

  struct Tool: Encodable { var driver: Driver }

  struct Driver: Encodable {
    var name: String
    var version: String
    var semanticVersion: String
    var rules: [Descriptor]
    var notifications: [Descriptor]
  }

  struct Descriptor: Encodable {
    struct Configuration: Encodable { var level: String }
    var id: String
    var shortDescription: Message
    var fullDescription: Message?
    var help: Message?
    var defaultConfiguration: Configuration?
    var properties: [String: Property]?
  }

  struct Message: Encodable {
    var text: String
    var markdown: String?
  }

  struct ArtifactLocation: Encodable {
    var uri: String?
    var uriBaseId: String?
    var description: Message?
  }

  struct Region: Encodable { var startLine: Int }

  struct PhysicalLocation: Encodable {
    var artifactLocation: ArtifactLocation
    var region: Region?
  }

  struct LogicalLocation: Encodable {
    var fullyQualifiedName: String
    var kind: String
  }

  struct Location: Encodable {
    var physicalLocation: PhysicalLocation?
    var logicalLocations: [LogicalLocation]?
    var message: Message?
  }

  struct ThreadFlowLocation: Encodable {
    var location: Location
    var executionOrder: Int
    var kinds: [String]
    var importance: String
    var state: [String: Message]
  }

  struct ThreadFlow: Encodable {
    var id: String
    var message: Message
    var locations: [ThreadFlowLocation]
  }

  struct CodeFlow: Encodable { var threadFlows: [ThreadFlow] }

  struct Frame: Encodable { var location: Location }

  struct Stack: Encodable {
    var message: Message
    var frames: [Frame]
  }

  struct Suppression: Encodable {
    var kind: String
    var status: String
    var justification: String
    var location: Location?
  }

  struct Result: Encodable {
    var ruleId: String
    var ruleIndex: Int
    var kind = "fail"
    var level: String
    var message: Message
    var locations: [Location]
    var codeFlows: [CodeFlow]
    var stacks: [Stack]
    var partialFingerprints: [String: String]
    /// Empty: looked at, and not suppressed (§3.27.23).
    var suppressions: [Suppression]
    var baselineState: String?
    var properties: [String: Property]
  }

  struct Reference: Encodable {
    var id: String
    var index: Int
  }

  struct Notification: Encodable {
    var descriptor: Reference
    var level: String
    var message: Message
    var locations: [Location]
  }

  struct Invocation: Encodable {
    var executionSuccessful: Bool
    var exitCode: Int
    var startTimeUtc: String
    var endTimeUtc: String
    var toolExecutionNotifications: [Notification]
    var toolConfigurationNotifications: [Notification]
  }

  /// A value of a property bag.
  enum Property: Encodable {
    case text(String)
    case texts([String])
    case number(Int)
    case numbers([Int])

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .text(let value): try container.encode(value)
      case .texts(let values): try container.encode(values)
      case .number(let value): try container.encode(value)
      case .numbers(let values): try container.encode(values)
      }
    }
  }

  /// Text for a message. Square brackets would be links (§3.11.6), braces placeholders (§3.11.5);
  /// control characters are shown as escapes. Line ends stay.
  static func message(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      var result = ""
      for character in printable(String(line)) {
        switch character {
        case "[", "]", "\\": result += "\\\(character)"
        case "{", "}": result += "\(character)\(character)"
        default: result.append(character)
        }
      }
      return result
    }.joined(separator: "\n")
  }

  static func time(_ date: Date) -> String {
    date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
  }
}

extension SARIF.ArtifactLocation {
  /// - Parameter path: Relative to the folder of the sources.
  init(path: String) {
    uri = SourcePaths.uri(path)
    uriBaseId = SARIFReport.base
  }
}
