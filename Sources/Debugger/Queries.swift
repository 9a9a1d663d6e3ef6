import Emulator
import Model

/// `q`, `Q` and `v` packets. GDB manual, appendix E.2 and E.4.
extension Session {
  func answerVerbose(_ text: String) -> [UInt8]? {
    if text == "vCont?" { return Array("vCont;c;C;s;S;r".utf8) }
    if text.hasPrefix("vCont;") { return resume(actions: text.dropFirst("vCont;".count)) }
    if text.hasPrefix("vKill") {
      isOver = true
      return Self.ok
    }
    if text.hasPrefix("vFile:") { return answerFile(text.dropFirst("vFile:".count)) }
    return Self.unknown
  }

  func answerQuery(_ text: String) -> [UInt8]? {
    let name = text.prefix { $0 != ":" && $0 != "," && $0 != ";" }
    let rest = text.dropFirst(name.count + 1)
    switch name {
    case "qSupported": return supported(rest)
    case "QStartNoAckMode":
      stopAcknowledging()
      return Self.ok
    case "qXfer": return transfer(rest)
    case "qC": return Array("QC\(String(cpu + 1, radix: 16))".utf8)
    case "qfThreadInfo":
      let all = machine.cpus.indices.map { String($0 + 1, radix: 16) }
      return Array(("m" + all.joined(separator: ",")).utf8)
    case "qsThreadInfo": return Array("l".utf8)
    case "qThreadExtraInfo":
      return thread(rest).map { Array(Hex.encode(state(ofCPU: $0).utf8).utf8) } ?? Self.invalid
    // Linked where it runs.
    case "qOffsets": return Array("Text=0;Data=0;Bss=0".utf8)
    // It was there before gdb came: quitting detaches.
    case "qAttached": return Array("1".utf8)
    case "qSymbol": return Self.ok
    case "qRcmd":
      guard let bytes = Hex.decode(rest) else { return Self.invalid }
      return Array(Hex.encode(monitor(String(decoding: bytes, as: UTF8.self)).utf8).utf8)
    default: return Self.unknown
    }
  }

  private func supported(_ rest: Substring) -> [UInt8] {
    let theirs = rest.split(separator: ";")
    knowsSoftwareBreakpoints = theirs.contains("swbreak+")
    knowsHardwareBreakpoints = theirs.contains("hwbreak+")
    let ours = [
      "PacketSize=\(String(PacketReader.limit, radix: 16))", "QStartNoAckMode+",
      "qXfer:features:read+", "qXfer:threads:read+", "qXfer:exec-file:read+", "ReverseStep+",
      "ReverseContinue+", "vContSupported+", "swbreak+", "hwbreak+",
    ]
    return Array(ours.joined(separator: ";").utf8)
  }

  /// `OBJECT:read:ANNEX:OFFSET,LENGTH`.
  private func transfer(_ rest: Substring) -> [UInt8] {
    let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 4, parts[1] == "read" else { return Self.unknown }
    let place = parts[3].split(separator: ",")
    guard place.count == 2, let offset = Hex.number(place[0]), let length = Hex.number(place[1])
    else { return Self.invalid }
    let object: String
    switch (parts[0], parts[2]) {
    case ("features", "target.xml"): object = registers.targetDescription
    case ("threads", ""): object = threads
    case ("exec-file", _): object = imagePath
    case ("features", _): return Array("E00".utf8)
    default: return Self.unknown
    }
    return portion(of: Array(object.utf8), offset, length)
  }

  /// `m` with more to come, `l` with the last of it.
  private func portion(of bytes: [UInt8], _ offset: UInt64, _ length: UInt64) -> [UInt8] {
    guard offset <= UInt64(bytes.count) else { return Self.invalid }
    let rest = bytes[Int(offset)...]
    let part = rest.prefix(Int(min(length, UInt64(PacketReader.limit / 2))))
    return [UInt8(ascii: part.count == rest.count ? "l" : "m")] + part
  }

  private var threads: String {
    let all = machine.cpus.indices.map {
      "<thread id=\"\(String($0 + 1, radix: 16))\" core=\"\($0)\" name=\"CPU \($0)\">"
        + "\(xml(state(ofCPU: $0)))</thread>\n"
    }
    return "<?xml version=\"1.0\"?>\n<threads>\n" + all.joined() + "</threads>\n"
  }

  /// What `info threads` says: `int 0x80 on task0_kernel_stack, IF=0`.
  func state(ofCPU index: Int) -> String {
    let cpu = machine.cpus[index]
    let activity =
      switch cpu[CPU.Word.activity] {
      case CPU.Activity.halted: ", halted"
      case CPU.Activity.shutdown: ", shut down"
      case CPU.Activity.waitForSIPI: ", waits to be started"
      default: ""
      }
    return execution.context(ofCPU: index) + ", IF=\(cpu.interruptsEnabled ? 1 : 0)" + activity
  }
}
