import DebugInfo
import Model
import Testing

/// A stack in memory, downwards from `top`.
private struct TestStack {
  var words: [UInt64: UInt64] = [:]
  func read(_ address: UInt64) -> UInt64? { words[address] }
}

@Suite struct UnwindTests {
  @Test(arguments: ["-fno-omit-frame-pointer", "-fomit-frame-pointer"])
  func at_a_functions_first_instruction_the_return_address_is_on_top(flag: String) throws {
    let bytes = try CompiledImage.build(CompiledImage.nested, flags: ["-g", "-O1", flag])
    let symbols = ImageSymbols(bytes: bytes)
    let middle = try #require(symbols.symbol(named: "middle"))
    let stack = TestStack(words: [0x8000: 0x1234])
    let caller = try #require(
      symbols.unwind(pc: middle.address, sp: 0x8000, bp: 0x9000, read: stack.read))
    #expect(caller == (pc: 0x1234, sp: 0x8004, bp: 0x9000))
  }

  @Test func on_x86_64_a_word_is_eight_bytes() throws {
    let bytes = try CompiledImage.build(
      CompiledImage.nested, target: "x86_64-unknown-none-elf", flags: ["-g", "-O1"])
    let symbols = ImageSymbols(bytes: bytes)
    let middle = try #require(symbols.symbol(named: "middle"))
    let stack = TestStack(words: [0xFFFF_8000_0000_8000: 0xFFFF_8000_0000_1234])
    let caller = try #require(
      symbols.unwind(pc: middle.address, sp: 0xFFFF_8000_0000_8000, bp: 0, read: stack.read))
    #expect(caller == (pc: 0xFFFF_8000_0000_1234, sp: 0xFFFF_8000_0000_8008, bp: 0))
  }

  @Test func without_call_frame_information_the_frame_pointer_leads_on() throws {
    let source = ".globl _start\n_start: nop\n ret\n"
    let symbols = ImageSymbols(bytes: try CompiledImage.build(source, suffix: "S", flags: []))
    let start = try #require(symbols.symbol(named: "_start"))
    let stack = TestStack(words: [0x8010: 0x8040, 0x8014: 0x5678])
    let caller = try #require(
      symbols.unwind(pc: start.address, sp: 0x8000, bp: 0x8010, read: stack.read))
    #expect(caller == (pc: 0x5678, sp: 0x8018, bp: 0x8040))
    // Not a frame pointer: below the stack pointer, or in memory that is not there.
    #expect(symbols.unwind(pc: start.address, sp: 0x8000, bp: 0x10, read: stack.read) == nil)
    #expect(symbols.unwind(pc: start.address, sp: 0x8000, bp: 0x9000, read: stack.read) == nil)
  }
}
