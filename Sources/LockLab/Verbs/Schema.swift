import ArgumentParser

struct Schema: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print the JSON Schema of job files, for editors.",
    discussion: """
      A job file whose first line is a comment like this one is completed and checked while it is \
      written, by editors with the YAML language server:

        # yaml-language-server: $schema=locklab.schema.json

      EXAMPLES
        locklab schema > locklab.schema.json
        locklab schema | check-jsonschema --schemafile /dev/stdin locklab.yml
      """)

  func run() throws {
    print(String(decoding: PackageResources.locklab_schema_json, as: UTF8.self), terminator: "")
  }
}
