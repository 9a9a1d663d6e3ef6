import Emulator
import Testing

@testable import Debugger

@Suite struct SessionTests {
  private func text(_ hex: String) -> String {
    String(decoding: Hex.decode(hex) ?? [], as: UTF8.self)
  }

  @Test func what_is_supported() throws {
    let reply = try ScriptedGDB.replies(to: "qSupported:multiprocess+;swbreak+")[0].split(
      separator: ";")
    for feature in [
      "ReverseStep+", "ReverseContinue+", "qXfer:features:read+", "qXfer:threads:read+", "swbreak+",
      "QStartNoAckMode+", "vContSupported+",
    ] {
      #expect(reply.contains(Substring(feature)))
    }
  }

  @Test func both_ends_are_told() throws {
    let replies = try ScriptedGDB.replies(to: "bs", "bc", "vCont;c", "s", "bs", "k")
    #expect(replies[0].hasPrefix("T05") && replies[0].contains("replaylog:begin;"))
    #expect(replies[1].contains("replaylog:begin;"))
    // What the rule says, for people, then the stop.
    #expect(replies[2].hasPrefix("O"))
    #expect(text(String(replies[2].dropFirst())).hasPrefix("deadlock-on-interrupt, after "))
    #expect(replies[3].contains("replaylog:end;"))
    #expect(replies[5].contains("replaylog:end;"))
    #expect(!replies[6].contains("replaylog"))
    #expect(replies.count == 7)
  }

  @Test func nothing_can_be_written() throws {
    for packet in ["G00", "P0=00000000", "M100000,1:00", "X100000,0:"] {
      #expect(try ScriptedGDB.replies(to: packet)[0].hasPrefix("E.a recorded execution"))
    }
  }

  @Test func the_registers_are_those_of_the_description() throws {
    let replies = try ScriptedGDB.replies(to: "g", "p8", "p10", "p999")
    let registers = Registers(is64Bit: false)
    #expect(replies[0].count == registers.all.reduce(0) { $0 + $1.size / 4 })
    #expect(replies[0].dropFirst(64).hasPrefix(replies[1]))
    #expect(replies[2] == String(repeating: "x", count: 20))
    #expect(replies[3] == "E16")
    #expect(registers.all[8].name == "eip" && registers.all[16].name == "st0")
  }

  /// Numbers that gdb's own tables fix: GDB's i386 and amd64 register order.
  @Test func the_long_layout_has_gdbs_numbers() {
    let names = Registers(is64Bit: true).all.map(\.name)
    #expect(names[0..<4] == ["rax", "rbx", "rcx", "rdx"])
    #expect(names[7] == "rsp" && names[16] == "rip" && names[17] == "eflags" && names[24] == "st0")
    #expect(names[40..<42] == ["fs_base", "gs_base"])
  }

  @Test func memory_is_read_as_far_as_it_is_mapped() throws {
    let replies = try ScriptedGDB.replies(
      to: "m100000,4", "m3ffffe,4", "mfffffff0,10", "m1,", "m0,0")
    #expect(replies[0].count == 8)
    #expect(replies[1].count == 4, "RAM ends at 4 MiB")
    #expect(replies[2] == "E0e")
    #expect(replies[3] == "E16")
    #expect(replies[4] == "")
  }

  @Test func threads_are_cpus() throws {
    let replies = try ScriptedGDB.replies(
      to: "qfThreadInfo", "qsThreadInfo", "qXfer:threads:read::0,1000", "T1", "T2", "Hg2", "Hg0")
    #expect(replies[0] == "m1")
    #expect(replies[1] == "l")
    #expect(replies[2].contains("name=\"CPU 0\">"))
    #expect(replies[3] == "OK")
    #expect(replies[4] == "E16")
    #expect(replies[5] == "E16")
    #expect(replies[6] == "OK")
  }

  @Test func the_image_and_no_other_file_can_be_read() throws {
    let image = ScriptedGDB.image.bytes
    let path = Hex.encode("/kernel.elf".utf8)
    let other = Hex.encode("/etc/passwd".utf8)
    let replies = try ScriptedGDB.replies(
      to: "vFile:pread:1,10,0", "vFile:open:\(other),0,0", "vFile:open:\(path),1,0",
      "vFile:open:\(path),0,0", "vFile:pread:1,4,0", "vFile:pread:1,4,ffffffffffff",
      "vFile:close:1", "vFile:pread:1,4,0")
    #expect(replies[0] == "F-1,9")
    #expect(replies[1] == "F-1,2")
    #expect(replies[2] == "F-1,2")
    #expect(replies[3] == "F1")
    #expect(replies[4] == "F4;\u{7F}ELF")
    #expect(replies[5] == "F0;")
    #expect(replies[6] == "F0")
    #expect(replies[7] == "F-1,9")
    #expect(image.count > 4)
  }

  /// Forwards and backwards stop at the same places.
  @Test func a_breakpoint_is_met_as_often_backwards_as_forwards() throws {
    let acquire = String(
      ScriptedGDB.image.symbols.symbol(named: "spin_acquire")!.address, radix: 16)
    func hits(_ packet: String) throws -> [String] {
      let replies = try ScriptedGDB.replies(
        to: ["vCont;c", "Z0,\(acquire),1"] + Array(repeating: "bc", count: 20))
      let backward = replies.dropFirst(3).filter { !$0.contains("replaylog") }
      let forward = try ScriptedGDB.replies(
        to: ["Z0,\(acquire),1"] + Array(repeating: "vCont;c", count: 20)
      ).dropFirst().filter { !$0.contains("replaylog") && $0.hasPrefix("T") }
      return packet == "bc" ? Array(backward.reversed()) : Array(forward)
    }
    let forward = try hits("c")
    #expect(forward.count >= 3)
    #expect(try hits("bc") == forward)
  }

  @Test func stepping_back_undoes_stepping_on() throws {
    let count = 400
    let replies = try ScriptedGDB.replies(
      to: Array(repeating: ["g", "s"], count: count).flatMap { $0 } + ["g"]
        + Array(repeating: ["bs", "g"], count: count).flatMap { $0 })
    let forward = (0...count).map { replies[2 * $0] }
    let backward = (0...count).map { replies[2 * count + 2 * $0] }
    #expect(backward == forward.reversed())
    #expect(Set(forward).count > count / 4)
  }

  @Test func steps_by_number_stop_in_both_directions() throws {
    let command = Hex.encode("stop-at 700".utf8)
    let replies = try ScriptedGDB.replies(
      to: "qRcmd,\(command)", "c", "qRcmd,\(Hex.encode("where".utf8))", "c", "bc",
      "qRcmd,\(Hex.encode("where".utf8))")
    #expect(text(replies[0]) == "stops after 700 instructions\n")
    #expect(text(replies[2]).hasPrefix("after 700 of "))
    #expect(text(replies[6]).hasPrefix("after 700 of "))
  }

  @Test func the_monitor_tells_of_the_counterexample() throws {
    let replies = try ScriptedGDB.replies(
      to: "qRcmd,\(Hex.encode("rule".utf8))", "qRcmd,\(Hex.encode("events".utf8))",
      "qRcmd,\(Hex.encode("holders".utf8))", "qRcmd,\(Hex.encode("nonsense".utf8))", "qRcmd,zz")
    #expect(text(replies[0]).hasPrefix("Counterexample 7: deadlock-on-interrupt\n"))
    #expect(text(replies[1]).contains("has console_lock"))
    #expect(text(replies[2]).contains("console_lock is held by"))
    #expect(text(replies[3]).hasPrefix("monitor rule"))
    #expect(replies[4] == "E16")
  }

  /// Whatever comes in, the next good packet is answered.
  @Test func nothing_that_comes_in_ends_the_session() throws {
    var random = SystemRandomNumberGenerator()
    let beginnings = [
      "qXfer:", "vCont;", "vFile:", "Z0,", "Z2,", "z4,", "m", "p", "H", "T", "qRcmd,", "b", "C",
      "S",
      "qThreadExtraInfo,", "vFile:pread:", "vFile:open:", "X", "qXfer:features:read:target.xml:",
      "vCont;r",
    ]
    let alphabet = Array("0123456789abcdef,;:-$#}*gsrcbtm".utf8)
    var bytes: [UInt8] = []
    for _ in 0..<3000 {
      let beginning = beginnings.randomElement(using: &random)!
      let rest = (0..<Int.random(in: 0...24, using: &random)).map { _ in
        alphabet.randomElement(using: &random)!
      }
      let packet = framed(Array(beginning.utf8) + rest)
      switch Int.random(in: 0..<8, using: &random) {
      case 0: bytes += packet.dropLast(Int.random(in: 1...3, using: &random))
      case 1: bytes += (0..<8).map { _ in UInt8.random(in: 0...255, using: &random) }
      default: bytes += packet
      }
    }
    bytes += framed(Array("qC".utf8))
    #expect(try ScriptedGDB.replies(to: bytes).last == "QC1")
  }
}

extension ScriptedGDB {
  static func replies(to packets: [String]) throws -> [String] {
    try replies(to: packets.flatMap { framed(Array($0.utf8)) })
  }
}
