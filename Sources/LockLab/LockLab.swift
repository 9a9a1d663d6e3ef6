import ArgumentParser
import Foundation

/// The `locklab` command.
struct LockLab: ParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "locklab",
    abstract: "Model-checks interrupts, preemption and locks in a kernel's own x86 machine code.",
    discussion: """
      Boots a kernel's ELF image on an emulated machine, lets interrupts happen wherever the \
      hardware would allow them, and either proves that the rules hold in every reachable state \
      or stores a counterexample that anyone can replay.

      EXAMPLES
        locklab check                              the reference kernel core
        locklab check locklab.yml                  the scenarios of a job file
        locklab check --image kernel.elf --from scheduler_start
        locklab init kernel.elf                    a first job file
        locklab query --rule 'deadlock*'           what was found so far
        locklab show 3                             one counterexample, in lanes
        locklab replay 3 --image build/kernel.elf  is it still there?
        locklab rules deadlock-on-interrupt        what a rule means
        locklab markers > locklab.h                what a kernel's code can tell LockLab
        locklab schema > locklab.schema.json       completion of job files in editors

      EXIT STATUS
        0   every scenario met its expectation
        1   unexpected counterexamples, or an expected one that was not found
        2   inconclusive: a bound, the time or the memory ran out, or it was interrupted
        3   bad input, or a failure of LockLab's own
        64  wrong use of the command

      ENVIRONMENT
        LOCKLAB_DB  the database, where --db does not name it
        NO_COLOR    if set, output has no colours

      Completion for a shell: locklab --generate-completion-script bash|zsh|fish
      """,
    version: version,
    subcommands: [
      Check.self, List.self, Query.self, Show.self, Replay.self, Triage.self, History.self,
      Diff.self, Gate.self, Merge.self, Export.self, Import.self, Backup.self, Prune.self,
      Rules.self, Init.self, Markers.self, Schema.self, Catalogue.self,
    ])
}

@main
enum Main {
  static func main() {
    do {
      var command = try LockLab.parseAsRoot()
      try command.run()
      fflush(nil)
    } catch {
      fflush(nil)
      // What the parser throws (usage, help, version, an exit status) is for it to say.
      if error is ExitCode || error is CleanExit || error is ValidationError
        || [.success, .validationFailure].contains(LockLab.exitCode(for: error))
      {
        LockLab.exit(withError: error)
      }
      complain("\(error)")
      Foundation.exit(ExitStatus.failure.rawValue)
    }
  }
}
