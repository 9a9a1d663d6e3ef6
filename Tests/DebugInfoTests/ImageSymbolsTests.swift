import DebugInfo
import Model
import Testing

@Suite struct ImageSymbolsTests {
  @Test(arguments: [("i686-unknown-none-elf", "i386"), ("x86_64-unknown-none-elf", "x86-64")])
  func finds_functions_and_objects_by_name_and_by_address(target: String, arch: String) throws {
    let symbols = ImageSymbols(bytes: try CompiledImage.build(CompiledImage.nested, target: target))
    #expect(symbols.architecture == arch)
    let middle = try #require(symbols.symbol(named: "middle"))
    #expect(middle.size > 0)
    let inside = try #require(symbols.symbol(containing: middle.address + 1))
    #expect(inside.name == "middle" && inside.address == middle.address)
    #expect(symbols.describe(middle.address + 1) == "middle+0x1")
    let counter = try #require(symbols.symbol(named: "counter"))
    #expect(counter.size == 16)
    #expect(symbols.symbol(containing: counter.address + 15)?.name == "counter")
    #expect(symbols.symbol(containing: counter.address + 16) == nil)
    #expect(symbols.symbol(named: "inner") == nil)
    #expect(symbols.symbolNames == symbols.symbolNames.sorted())
  }

  @Test func a_label_without_size_reaches_to_the_next_symbol() throws {
    let source = """
      .globl _start
      _start: nop
      entry: nop
        nop
      leave: ret
      .globl sized
      .type sized, @function
      sized: nop
      again: nop
        ret
      .size sized, . - sized
      """
    let bytes = try CompiledImage.build(source, suffix: "S", flags: [])
    let symbols = ImageSymbols(bytes: bytes)
    let entry = try #require(symbols.symbol(named: "entry"))
    #expect(entry.size == 2)
    #expect(symbols.symbol(containing: entry.address + 1)?.name == "entry")
    #expect(symbols.symbol(named: "leave")?.size == 1)
    // A label inside a sized function is known by name, but owns nothing.
    let again = try #require(symbols.symbol(named: "again"))
    #expect(symbols.describe(again.address) == "sized+0x1")
  }

  @Test func gives_the_source_line_and_what_is_inlined_there() throws {
    let symbols = ImageSymbols(bytes: try CompiledImage.build(CompiledImage.nested))
    let middle = try #require(symbols.symbol(named: "middle"))
    let places = (0..<UInt64(middle.size)).compactMap {
      symbols.location(of: middle.address + $0)
    }
    #expect(places.count == middle.size)
    let inlined = try #require(places.first { $0.location.line == 3 })
    #expect(inlined.location.file == "kernel.c")
    #expect(inlined.inlined == ["inner (inlined at kernel.c:9)"])
    let own = try #require(symbols.location(of: middle.address))
    #expect(own.inlined.isEmpty)
    #expect(symbols.location(of: 0x10) == nil)
  }

  @Test func functions_within_types_and_namespaces_have_inlined_frames_too() throws {
    let source = """
      namespace core { struct Lock {
        unsigned word;
        __attribute__((always_inline)) void take() { asm volatile("cli"); word = 1; }
        __attribute__((noinline)) void take_twice() {
          take();
          take();
        }
      }; }
      core::Lock lock;
      extern "C" void _start() { lock.take_twice(); }
      """
    let symbols = ImageSymbols(bytes: try CompiledImage.build(source, suffix: "cpp"))
    let function = try #require(symbols.symbol(named: "core::Lock::take_twice"))
    let inlined = Set(
      (0..<UInt64(function.size)).flatMap {
        symbols.location(of: function.address + $0)?.inlined ?? []
      })
    #expect(
      inlined == [
        "core::Lock::take (inlined at kernel.cpp:5)", "core::Lock::take (inlined at kernel.cpp:6)",
      ])
  }

  @Test func without_debug_information_there_are_still_symbols() throws {
    let bytes = try CompiledImage.build(CompiledImage.nested, flags: ["-O1"])
    let symbols = ImageSymbols(bytes: bytes)
    let outer = try #require(symbols.symbol(named: "outer"))
    #expect(symbols.location(of: outer.address) == nil)
  }

  @Test func swift_and_cxx_names_are_shown_as_people_write_them() throws {
    let source = """
      namespace core { struct Lock { void acquire(int); }; void Lock::acquire(int) {} }
      extern "C" void _start() {}
      extern "C" __attribute__((used)) void mangled() asm("$s4core8SpinLockV7acquireSuyF");
      extern "C" void mangled() {}
      """
    let symbols = ImageSymbols(bytes: try CompiledImage.build(source, suffix: "cpp"))
    #expect(symbols.symbol(named: "core::Lock::acquire") != nil)
    #expect(symbols.symbol(named: "_ZN4core4Lock7acquireEi") != nil)
    let swift = try #require(symbols.symbol(named: "core.SpinLock.acquire"))
    #expect(symbols.describe(swift.address) == "core.SpinLock.acquire")
  }
}
