/// Names as an identity keeps them: without what changes from build to build though the defect does
/// not.
enum IdentityNames {
  /// A lock's class is the variable that it lies in: elements of an array and fields of a structure
  /// move. Memory that no symbol covers has an address and no name.
  static func lockClass(_ name: String) -> String {
    if name.wholeMatch(of: /0x[0-9a-f]+/) != nil { return "unnamed" }
    return function(name.replacing(/\+0x[0-9a-f]+$/, with: ""))
  }

  /// A function's name without what a compiler adds to copies of it (GCC, LLVM), and without the
  /// hash of the file's name by which Swift tells private functions apart. Code that no symbol
  /// covers keeps its address: all of a stripped kernel would be one function otherwise.
  static func function(_ name: String) -> String {
    // What a copy adds can stand more than once: `f.constprop.0.isra.0`.
    guard name.utf8.contains(where: { $0 == 0x2E || $0 == 0x5F }) else { return name }
    return
      name
      .replacing(/(\.(isra|constprop|part|cold|lto_priv|llvm|specialized)(\.\d+)*)+$/, with: "")
      .replacing(/33_[0-9A-F]{32}LL/, with: "")
      .replacing(/\ in _[0-9A-F]{32}\)/, with: ")")
  }
}
