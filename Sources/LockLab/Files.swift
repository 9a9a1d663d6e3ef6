import Foundation

/// A file's bytes; the error says which file and what is the matter.
func readFile(_ path: String, limit: Int) throws -> [UInt8] {
  var status = stat()
  guard stat(path, &status) == 0 else {
    throw Failure("\(path): \(errno == ENOENT ? "no such file" : reason(errno))")
  }
  switch status.st_mode & S_IFMT {
  case S_IFREG: break
  case S_IFDIR: throw Failure("\(path): is a folder, not a file")
  default: throw Failure("\(path): is not a regular file")
  }
  guard status.st_size <= limit else {
    throw Failure("\(path): larger than \(limit >> 20) MB")
  }
  guard let handle = fopen(path, "rb") else { throw Failure("\(path): \(reason(errno))") }
  defer { fclose(handle) }
  var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
  let count = fread(&bytes, 1, bytes.count, handle)
  guard count == bytes.count else { throw Failure("\(path): \(reason(errno))") }
  return bytes
}

/// Writes a file as a whole or not at all: under another name first, which then takes its place. A
/// device or a pipe is written to as it is.
func writeFile(_ path: String, _ text: String) throws {
  let target = try Target(path)
  switch target {
  case .stream:
    guard let handle = fopen(path, "wb") else { throw Failure("\(path): \(reason(errno))") }
    try write(text, to: handle, path)
  case .file(let real):
    let (handle, name) = try temporary(beside: real, for: path)
    do {
      try write(text, to: handle, path)
      guard rename(name, real) == 0 else { throw Failure("\(path): \(reason(errno))") }
    } catch {
      unlink(name)
      throw error
    }
  }
}

/// Adds to the end of a file.
func appendFile(_ path: String, _ text: String) throws {
  guard let handle = fopen(path, "ab") else { throw Failure("\(path): \(reason(errno))") }
  try write(text, to: handle, path)
}

/// Throws what `writeFile` would throw for a path that cannot be written.
func checkWritable(_ path: String) throws {
  switch try Target(path) {
  case .stream:
    guard access(path, W_OK) == 0 else { throw Failure("\(path): \(reason(errno))") }
  case .file(let real):
    let (handle, name) = try temporary(beside: real, for: path)
    fclose(handle)
    unlink(name)
  }
}

/// What stands, or will stand, behind a path that is to be written.
private enum Target {
  case stream
  /// Without symbolic links, so that a link stays one.
  case file(String)

  init(_ path: String) throws {
    var status = stat()
    guard stat(path, &status) == 0 else {
      guard errno == ENOENT else { throw Failure("\(path): cannot be written: \(reason(errno))") }
      self = .file(path)
      return
    }
    switch status.st_mode & S_IFMT {
    case S_IFDIR: throw Failure("\(path): is a folder, not a file")
    case S_IFREG:
      guard let real = realpath(path, nil) else { throw Failure("\(path): \(reason(errno))") }
      defer { free(real) }
      self = .file(String(cString: real))
    default: self = .stream
    }
  }
}

/// A new file in the same folder.
private func temporary(
  beside real: String, for path: String
) throws -> (handle: UnsafeMutablePointer<FILE>, name: String) {
  var name = Array("\(real).XXXXXX".utf8CString)
  let descriptor = mkstemp(&name)
  guard descriptor >= 0 else {
    let why = errno == ENOENT ? "its folder does not exist" : reason(errno)
    throw Failure("\(path): cannot be written: \(why)")
  }
  // `mkstemp` lets nobody else read; a report is for others.
  let mask = umask(0)
  umask(mask)
  fchmod(descriptor, 0o666 & ~mask)
  guard let handle = fdopen(descriptor, "wb") else {
    throw Failure("\(path): cannot be written: \(reason(errno))")
  }
  return (handle, name.withUnsafeBufferPointer { String(cString: $0.baseAddress!) })
}

private func write(
  _ text: String, to handle: UnsafeMutablePointer<FILE>, _ path: String
) throws {
  let bytes = Array(text.utf8)
  let isWritten = fwrite(bytes, 1, bytes.count, handle) == bytes.count && fflush(handle) == 0
  let why = errno
  guard fclose(handle) == 0, isWritten else { throw Failure("\(path): \(reason(why))") }
}

func reason(_ code: Int32) -> String { String(cString: strerror(code)).lowercased() }
