import Foundation
import PackagePlugin

/// Builds the reference kernel core as bare-metal images, and a Swift file that carries
/// them, whenever one of the kernel's sources has changed.
@main
struct KernelImages: BuildToolPlugin {
  func createBuildCommands(context: PluginContext, target: Target) throws -> [Command] {
    let package = context.package.directoryURL
    let core = package.appending(path: "Sources/KernelCore")
    let scripts = package.appending(path: "Plugins/KernelImages")
    let source = context.pluginWorkDirectoryURL.appending(path: "GeneratedImages.swift")

    var inputs = [
      scripts.appending(path: "build-image.sh"), scripts.appending(path: "embed-images.sh"),
    ]
    for folder in ["Portable", "Kernel", "User", "Headers", "i386", "x86_64", "Variants", "SMP"] {
      inputs += try files(under: core.appending(path: folder))
    }
    return [
      .buildCommand(
        displayName: "Building the kernel core's images",
        executable: scripts.appending(path: "embed-images.sh"),
        arguments: [
          package.path, context.pluginWorkDirectoryURL.appending(path: "images").path,
          source.path,
        ],
        environment: tools(context),
        inputFiles: inputs,
        outputFiles: [source])
    ]
  }

  /// The compilers beside the one that runs the build. The scripts look in PATH for those
  /// that are not found here.
  private func tools(_ context: PluginContext) -> [String: String] {
    var environment = ProcessInfo.processInfo.environment.filter { $0.key == "PATH" }
    for (variable, tool) in [("SWIFTC", "swiftc"), ("CLANG", "clang"), ("LD_LLD", "ld.lld")] {
      if let path = try? context.tool(named: tool).url.path { environment[variable] = path }
    }
    return environment
  }

  /// All files below `folder`, in a fixed order.
  private func files(under folder: URL) throws -> [URL] {
    let names = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
    return names.sorted().map { folder.appending(path: $0) }.filter { url in
      var isFolder: ObjCBool = false
      return FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
        && !isFolder.boolValue
    }
  }
}
