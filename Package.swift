// swift-tools-version: 6.2
import PackageDescription

let ours: [SwiftSetting] = [.treatAllWarnings(as: .error)]

/// For the machine and the search, whose every instruction and state goes through class properties:
/// run-time exclusivity checks cost a third of their time (docs/decisions/0003-exclusivity.md).
let hot: [SwiftSetting] =
  ours + [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

let package = Package(
  name: "locklab",
  products: [
    .executable(name: "locklab", targets: ["LockLab"])
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
    .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
  ],
  targets: [
    .systemLibrary(name: "CZydis"),
    .systemLibrary(name: "CDwarf"),
    .target(name: "Emulator", dependencies: ["CZydis"], swiftSettings: hot),
    .target(
      name: "KernelCore",
      exclude: [
        "Headers", "Kernel", "SMP", "User", "Variants", "i386", "x86_64", "README.md",
      ],
      sources: ["Portable", "Host"],
      swiftSettings: ours, plugins: ["KernelImages"]),
    .plugin(name: "KernelImages", capability: .buildTool()),
    .target(
      name: "DebugInfo", dependencies: ["CDwarf", "Model"], swiftSettings: ours,
      // Demangles C++ and Rust names; Swift's own runtime needs it too.
      linkerSettings: [.linkedLibrary("stdc++")]),
    .target(name: "Model", dependencies: ["Emulator"], swiftSettings: hot),
    .target(
      name: "Database",
      dependencies: [
        "Model", .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "GRDBSQLite", package: "GRDB.swift"),
      ],
      path: "Database",
      resources: [.embedInCode("Migrations"), .embedInCode("Queries")],
      swiftSettings: ours),
    .target(name: "Debugger", dependencies: ["Model", "Emulator"], swiftSettings: ours),
    .executableTarget(
      name: "LockLab",
      dependencies: [
        "Emulator", "Model", "Database", "Debugger", "DebugInfo", "KernelCore",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Yams", package: "Yams"),
      ],
      resources: [
        .embedInCode("Resources/reference.yml"), .embedInCode("Resources/reference-x86-64.yml"),
        .embedInCode("Resources/reference-smp.yml"),
        .embedInCode("Resources/locklab.schema.json"),
        .embedInCode("Resources/Markers/locklab.h"), .embedInCode("Resources/Markers/locklab.rs"),
        .embedInCode("Resources/Markers/locklab.inc"), .embedInCode("Resources/Markers/locklab.S"),
        .embedInCode("Resources/Markers/LockLabMarkers.swift.txt"),
      ],
      swiftSettings: ours),
    // Not among the products: `make bench` builds and runs it.
    .executableTarget(
      name: "locklab-bench",
      dependencies: [
        "Emulator", "KernelCore",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Benchmarks/Bench", swiftSettings: ours),
    .testTarget(
      name: "EmulatorTests", dependencies: ["Emulator"], exclude: ["Images"], swiftSettings: ours),
    .testTarget(
      name: "KernelCoreTests", dependencies: ["KernelCore", "Emulator"],
      exclude: ["boot-in-qemu.sh"], swiftSettings: ours),
    .testTarget(name: "ModelTests", dependencies: ["Model", "Emulator"], swiftSettings: ours),
    .testTarget(name: "DebugInfoTests", dependencies: ["DebugInfo", "Model"], swiftSettings: ours),
    // Stores until it is killed.
    .executableTarget(
      name: "store-writer", dependencies: ["Database", "Model"], path: "Tests/StoreWriter",
      swiftSettings: ours),
    .testTarget(
      name: "DebuggerTests",
      dependencies: ["Debugger", "Model", "Emulator", "DebugInfo", "KernelCore"],
      swiftSettings: ours),
    .testTarget(
      name: "DatabaseTests",
      dependencies: [
        "Database", "Model", "store-writer", .product(name: "GRDB", package: "GRDB.swift"),
      ],
      swiftSettings: ours),
    .testTarget(
      name: "LockLabTests", dependencies: ["LockLab", "Database", "Model", "Debugger"],
      swiftSettings: ours),
  ]
)
