import Model
import Testing

@testable import LockLab

@Suite struct PartsTests {
  @Test func the_nearest_names_are_suggested() {
    let names = ["acquire", "release", "console_write", "console_read"]
    #expect(Suggestion.nearest(to: "aquire", among: names) == ["acquire"])
    #expect(Suggestion.nearest(to: "acqurie", among: names) == ["acquire"])
    #expect(
      Suggestion.nearest(to: "console_raed", among: names) == ["console_read", "console_write"])
    #expect(Suggestion.nearest(to: "keyboard", among: names) == [])
    #expect(Suggestion.hint(for: "relase", among: names) == "; did you mean 'release'?")
  }

  @Test(arguments: [
    ("90", 90.0), ("1.5", 1.5), ("30s", 30), ("500ms", 0.5), ("5m", 300), ("2min", 120),
    ("2h", 7200),
  ])
  func time_spans(text: String, seconds: Double) {
    #expect(TimeSpan(argument: text)?.seconds == seconds)
  }

  @Test(arguments: ["", "s", "-1", "1d", "inf", "nan", "1 h"])
  func no_time_spans(text: String) { #expect(TimeSpan(argument: text) == nil) }

  @Test(arguments: [
    ("4096", 4096), ("64K", 65536), ("32M", 32 << 20), ("1G", 1 << 30), ("2GiB", 2 << 30),
    ("512MB", 512 << 20), ("0x1000", 4096),
  ])
  func byte_counts(text: String, bytes: Int) { #expect(ByteCount(argument: text)?.bytes == bytes) }

  @Test(arguments: ["", "K", "0", "-1", "1X", "99999999999999G", "1.5G"])
  func no_byte_counts(text: String) { #expect(ByteCount(argument: text) == nil) }

  @Test func numbers_and_spans_for_people() {
    #expect(
      [0, 999, 1000, 1_234_567, -1000].map { grouped($0) } == [
        "0", "999", "1,000", "1,234,567", "-1,000",
      ])
    #expect(
      [0, 0.0994, 0.0996, 3.44, 125, 3720].map(span) == [
        "0 ms", "99 ms", "0.1 s", "3.4 s", "2 min 05 s", "1 h 02 min",
      ])
  }

  @Test func text_is_wrapped_at_blanks_and_broken_where_there_are_none() {
    #expect("one two three".wrapped(to: 7) == ["one two", "three"])
    #expect("abcdefgh ij".wrapped(to: 4) == ["abcd", "efgh", "ij"])
    #expect("".wrapped(to: 4) == [""])
  }

  @Test func progress_says_how_much_is_left() {
    var progress = SearchProgress()
    progress.states = 10_000
    progress.seconds = 2
    progress.frontier = 120
    progress.storedBytes = 275_000
    progress.injected = 3
    #expect(
      ProgressReport.describe(progress)
        == "10,000 states  5,000/s  27 B/state  frontier 120  3 injected  2.0 s so far")
    progress.share = 0.25...0.5
    progress.secondsLeft = 2...10
    #expect(
      ProgressReport.describe(progress)
        == "10,000 states  5,000/s  27 B/state  frontier 120  3 injected  25 to 50 % done  2.0 s to 10.0 s left")
  }

  @Test func what_weighs_more_decides_the_exit_status() {
    #expect(max(ExitStatus.met, .inconclusive) == .inconclusive)
    #expect(max(ExitStatus.inconclusive, .unmet) == .unmet)
    #expect(max(ExitStatus.unmet, .failure) == .failure)
  }
}
