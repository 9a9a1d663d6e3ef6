/// The target description that gdb reads first. GDB manual, appendix G.
extension Registers {
  var targetDescription: String {
    var text = """
      <?xml version="1.0"?>
      <!DOCTYPE target SYSTEM "gdb-target.dtd">
      <target version="1.0">
      <architecture>\(architecture)</architecture>
      <osabi>none</osabi>

      """
    for (index, feature) in features.enumerated() {
      text += "<feature name=\"\(feature.name)\">\n"
      if index == 0 { text += Self.flagsType }
      for register in feature.registers {
        let group = register.group.map { " group=\"\($0)\"" } ?? ""
        text +=
          "<reg name=\"\(register.name)\" bitsize=\"\(register.size)\" type=\"\(register.type)\"\(group)/>\n"
      }
      text += "</feature>\n"
    }
    return text + "</target>\n"
  }

  /// Bits of EFLAGS. Intel SDM Vol. 1 §3.4.3.
  private static var flagsType: String {
    let bits = [
      ("CF", 0), ("", 1), ("PF", 2), ("AF", 4), ("ZF", 6), ("SF", 7), ("TF", 8), ("IF", 9),
      ("DF", 10), ("OF", 11), ("NT", 14), ("RF", 16), ("VM", 17), ("AC", 18), ("VIF", 19),
      ("VIP", 20), ("ID", 21),
    ]
    return "<flags id=\"i386_eflags\" size=\"4\">\n"
      + bits.map { "<field name=\"\($0)\" start=\"\($1)\" end=\"\($1)\"/>\n" }.joined()
      + "</flags>\n"
  }
}

/// Text for XML's content and attributes: names come from images, which may hold anything.
func xml(_ text: String) -> String {
  var safe = ""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "&": safe += "&amp;"
    case "<": safe += "&lt;"
    case ">": safe += "&gt;"
    case "\"": safe += "&quot;"
    case _ where scalar.value < 0x20 || scalar.value == 0x7F || scalar.value >= 0xFFFE:
      safe += "?"
    default: safe.unicodeScalars.append(scalar)
    }
  }
  return safe
}

/// The description of a CPU in 32-bit or in long mode, as gdb gets it.
public func targetDescription(is64Bit: Bool) -> String {
  Registers(is64Bit: is64Bit).targetDescription
}
