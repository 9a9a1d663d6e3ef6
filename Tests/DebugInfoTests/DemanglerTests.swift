import Testing

@testable import DebugInfo

@Suite struct DemanglerTests {
  @Test func private_functions_have_names_of_their_own_and_no_hash_of_their_file() {
    for hash in ["A1A1A1A1A1A1A1A1A1A1A1A1A1A1A1A1", "00112233445566778899AABBCCDDEEFF"] {
      #expect(Demangler.name(of: "$s4core3put33_\(hash)LLyyF") == "core.put")
      #expect(Demangler.name(of: "$s4core4take33_\(hash)LLyyF") == "core.take")
    }
    #expect(Demangler.name(of: "$s4core3putyyF") == "core.put")
  }
}
