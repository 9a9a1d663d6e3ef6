import Yams

/// The text of a file that is to be YAML.
func readText(_ path: String, what: String) throws -> String {
  let bytes = try readFile(path, limit: 16 << 20)
  guard let text = String(validating: bytes, as: UTF8.self) else {
    throw JobError(file: path, message: "not a \(what): it is not UTF-8 text")
  }
  return text
}

extension JobNode {
  /// A file's text. `what` it is to be, for messages: `job file`.
  init(yaml: String, file: String, what: String) throws {
    try Self.refuseComplexKeys(yaml, file: file)
    do {
      guard let node = try Yams.compose(yaml: yaml) else {
        throw JobError(file: file, message: "the \(what) is empty")
      }
      self.init(node: node, file: file)
    } catch let error as YamlError {
      switch error {
      case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
        .composer(_, let problem, let mark, _):
        throw JobError(
          file: file, place: .init(line: mark.line, column: mark.column),
          message: "not YAML: \(problem)")
      case .duplicatedKeysInMapping(let duplicates, let context):
        throw JobError(
          file: file, place: .init(line: context.mark.line, column: context.mark.column),
          message: "given twice in one mapping: \(duplicates.sorted().joined(separator: ", "))")
      case .reader(let problem, _, _, _):
        throw JobError(file: file, message: "not YAML: \(problem)")
      default:
        throw JobError(file: file, message: "not YAML")
      }
    }
  }

  /// Keys are plain names. Others are refused before the parser compares them with each other, which
  /// would take for ever where aliases of aliases are keys.
  private static func refuseComplexKeys(_ yaml: String, file: String) throws {
    for (number, line) in yaml.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    {
      let bare = line.replacing(/"(\\.|[^"\\])*"|'[^']*'/) {
        String(repeating: "x", count: $0.output.0.count)
      }
      .replacing(/(^|\s)#.*/, with: "")
      guard
        let key = bare.firstMatch(of: /(^|[\s{,\[])\*[^\s,\[\]{}]+\s*:|[\]}]\s*:|(^|[\s{,\[])\?\s/)
      else {
        continue
      }
      let column = bare.distance(from: bare.startIndex, to: key.range.lowerBound) + 1
      throw JobError(
        file: file, place: .init(line: number + 1, column: column),
        message: "a key is a plain name: no alias, list or mapping")
    }
  }
}
