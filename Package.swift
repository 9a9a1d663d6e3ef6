// swift-tools-version: 6.2
import PackageDescription

let ours: [SwiftSetting] = [.treatAllWarnings(as: .error)]

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
    .target(name: "Emulator", dependencies: ["CZydis"], swiftSettings: ours),
    .target(
      name: "KernelCore", exclude: ["Kernel", "i386", "Variants"], sources: ["Portable"],
      swiftSettings: ours, plugins: ["KernelImages"]),
    .plugin(name: "KernelImages", capability: .buildTool()),
    .target(name: "DebugInfo", dependencies: ["CDwarf", "Model"], swiftSettings: ours),
    .target(name: "Model", dependencies: ["Emulator"], swiftSettings: ours),
    .target(
      name: "Database",
      dependencies: ["Model", .product(name: "GRDB", package: "GRDB.swift")],
      path: "Database",
      resources: [.copy("Migrations"), .copy("Queries")],
      swiftSettings: ours),
    .executableTarget(
      name: "LockLab",
      dependencies: [
        "Model", "Database", "DebugInfo", "KernelCore",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Yams", package: "Yams"),
      ],
      resources: [.embedInCode("Resources/reference.yml")],
      swiftSettings: ours),
    .testTarget(
      name: "EmulatorTests", dependencies: ["Emulator"], exclude: ["Images"], swiftSettings: ours),
    .testTarget(name: "KernelCoreTests", dependencies: ["KernelCore", "Emulator"], swiftSettings: ours),
    .testTarget(name: "ModelTests", dependencies: ["Model", "Emulator"], swiftSettings: ours),
    .testTarget(name: "DatabaseTests", dependencies: ["Database"], swiftSettings: ours),
    .testTarget(name: "LockLabTests", dependencies: ["LockLab"], swiftSettings: ours),
  ]
)
