import Testing

@testable import Debugger

@Suite struct PacketFramingTests {
  private func inputs(_ bytes: [UInt8]) -> [PacketReader.Input] {
    var reader = PacketReader()
    return bytes.compactMap { reader.take($0) }
  }

  @Test func a_packet_is_read_with_its_checksum() {
    #expect(inputs(Array("$g#67".utf8)) == [.packet(Array("g".utf8))])
    #expect(inputs(Array("+$#00".utf8)) == [.packet([])])
  }

  @Test func a_wrong_checksum_is_damage_and_the_next_packet_is_read() {
    #expect(
      inputs(Array("$g#68$g#6x$g#67".utf8)) == [.damaged, .damaged, .packet(Array("g".utf8))])
  }

  @Test func a_packet_that_breaks_off_is_lost_without_harm() {
    #expect(inputs(Array("$m100$g#67".utf8)) == [.packet(Array("g".utf8))])
  }

  @Test func control_characters_between_packets() {
    #expect(inputs([0x03, UInt8(ascii: "-"), 0x55]) == [.interrupt, .again])
  }

  @Test func what_is_too_long_is_damage() {
    let long = [UInt8](repeating: UInt8(ascii: "a"), count: PacketReader.limit + 1)
    #expect(inputs(framed(long)) == [.damaged])
    #expect(inputs(framed(Array(long.dropLast()))) == [.packet(Array(long.dropLast()))])
  }

  @Test func every_byte_survives_a_frame() {
    let all = (0...255).map { UInt8($0) }
    #expect(inputs(framed(all)) == [.packet(all)])
  }

  @Test func an_escape_without_a_byte_is_damage() {
    #expect(inputs(Array("$}#7d".utf8)) == [.damaged])
  }

  @Test func numbers_are_hexadecimal_digits_and_nothing_else() {
    #expect(Hex.number("ff") == 255)
    for text in ["", "-1", "+1", "0x1", "1 ", "11111111111111111", "g"] {
      #expect(Hex.number(text) == nil)
    }
    #expect(Hex.decode("0a0") == nil)
    #expect(Hex.encode(0x1234, size: 4) == "34120000")
  }
}
