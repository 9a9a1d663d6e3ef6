import GRDB
import Model

/// What it means that a scenario, explored again, does not have a counterexample that it had.
///
/// `gone` is said only of another image, explored to the end under an environment that is at least
/// as wide as every one in which the counterexample was found. A scenario that was not explored says
/// nothing.
extension Store {
  static func observeAbsences(
    in result: ScenarioResult, image: ImageRecord, run: Int64, _ db: GRDB.Database
  ) throws {
    guard result.openEnds != nil else { return }
    let name = result.scenario.name
    let ids = try Int64.fetchAll(
      db,
      sql: """
        SELECT DISTINCT e.counterexample FROM execution e JOIN scenario s ON s.id = e.scenario
        WHERE s.name = :scenario
        EXCEPT
        SELECT e.counterexample FROM occurrence o JOIN execution e ON e.id = o.execution
        JOIN scenario s ON s.id = e.scenario WHERE o.run = :run AND s.name = :scenario
        """, arguments: ["scenario": name, "run": run])
    guard !ids.isEmpty else { return }
    let imageID = try id(of: image, in: db)
    var definitions: [Int64: Bool] = [:]
    func isWideEnough(_ scenario: Int64) throws -> Bool {
      if let known = definitions[scenario] { return known }
      let text = try String.fetchOne(
        db, sql: "SELECT definition FROM scenario WHERE id = ?", arguments: [scenario])!
      // What cannot be read any more cannot be compared either.
      let isWide =
        (try? Self.scenario(ofJSON: text)).map(result.scenario.isAtLeastAsWide) ?? false
      definitions[scenario] = isWide
      return isWide
    }
    for id in ids {
      let seen = try Row.fetchAll(
        db,
        sql: """
          SELECT DISTINCT e.scenario, e.image FROM execution e JOIN scenario s ON s.id = e.scenario
          WHERE e.counterexample = ? AND s.name = ?
          """, arguments: [id, name])
      let doubt = result.doubt(about: try identity(of: id, in: db))
      let wasSeenHere = seen.contains { $0["image"] == imageID }
      let word: (Observation.Outcome, String)
      if wasSeenHere {
        if doubt != nil, try lastWord(of: name, about: id, in: db) != .notFound {
          // The image is the same: its execution is stored, and nothing speaks against it.
          continue
        }
        let why = doubt ?? "the scenario, its bounds or LockLab changed, not the code."
        word = (.unknown, "Not found, though the image is one on which it was found: \(why)")
      } else if let doubt {
        word = (.unknown, "Not found, but not excluded: \(doubt)")
      } else if try !seen.allSatisfy({ try isWideEnough($0["scenario"]) }) {
        word = (
          .unknown,
          "Not found, but the scenario is not what it was when it was found: "
            + "some of what could happen then cannot happen now, or is judged in another way."
        )
      } else {
        word = (.notFound, "Every reachable state was examined (\(result.states)).")
      }
      try observe(
        word.0, of: id, scenario: name, image: imageID, run: run, reason: word.1, in: db)
    }
  }

  private static func lastWord(
    of scenario: String, about id: Int64, in db: GRDB.Database
  ) throws -> Observation.Outcome? {
    try String.fetchOne(
      db,
      sql: """
        SELECT outcome FROM observation WHERE counterexample = ? AND scenario = ?
        ORDER BY observed DESC, id DESC LIMIT 1
        """, arguments: [id, scenario]
    ).flatMap(Observation.Outcome.init)
  }
}
