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

func writeFile(_ path: String, _ text: String) throws {
  guard let handle = fopen(path, "wb") else { throw Failure("\(path): \(reason(errno))") }
  let isWritten = fputs(text, handle) >= 0
  guard fclose(handle) == 0, isWritten else { throw Failure("\(path): \(reason(errno))") }
}

private func reason(_ code: Int32) -> String { String(cString: strerror(code)).lowercased() }
