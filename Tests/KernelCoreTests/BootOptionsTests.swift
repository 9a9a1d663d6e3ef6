import Testing

@testable import KernelCore

@Suite struct BootOptionsTests {
  /// The value of `key` in `line`, up to the line's end.
  private func value(of key: StaticString, in line: String) -> String? {
    line.withCString { bytes in
      bytes.withMemoryRebound(to: UInt8.self, capacity: line.utf8.count + 1) { text in
        BootOptions(text).value(of: key).map { String(cString: $0) }
      }
    }
  }

  private func item(_ index: Int, of list: String, is name: String) -> Bool {
    list.withCString { list in
      name.withCString { name in
        let list = UnsafeRawPointer(list).assumingMemoryBound(to: UInt8.self)
        let name = UnsafeRawPointer(name).assumingMemoryBound(to: UInt8.self)
        return BootOptions.item(index, of: list, is: name)
      }
    }
  }

  @Test func aKeyIsFoundAnywhereOnTheLine() {
    #expect(value(of: "tasks", in: "tasks=a,b") == "a,b")
    #expect(value(of: "tasks", in: "/boot/core tasks=a,b exit=qemu") == "a,b exit=qemu")
    #expect(value(of: "exit", in: "/boot/core  tasks=a,b  exit=qemu") == "qemu")
    #expect(value(of: "exit", in: "exit=") == "")
  }

  @Test func whatOnlyLooksLikeAKeyIsNotFound() {
    #expect(value(of: "tasks", in: "") == nil)
    #expect(value(of: "tasks", in: "tasks") == nil)
    #expect(value(of: "tasks", in: "task=a") == nil)
    #expect(value(of: "tasks", in: "mytasks=a") == nil)
    #expect(value(of: "tasks", in: "taskset=a") == nil)
    #expect(value(of: "tasks", in: "a=tasks=b") == nil)
  }

  @Test func itemsOfAListAreWholeNames() {
    #expect(item(0, of: "reader,writer", is: "reader"))
    #expect(item(1, of: "reader,writer", is: "writer"))
    #expect(item(1, of: "reader,writer exit=qemu", is: "writer"))
    #expect(!item(0, of: "reader,writer", is: "writer"))
    #expect(!item(0, of: "reader,writer", is: "read"))
    #expect(!item(0, of: "read,writer", is: "reader"))
    #expect(!item(2, of: "reader,writer", is: "writer"))
    #expect(!item(1, of: "reader exit=qemu,writer", is: "writer"))
    #expect(!item(0, of: "", is: "reader"))
  }
}
