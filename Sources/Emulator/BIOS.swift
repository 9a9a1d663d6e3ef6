/// The BIOS calls that boot loaders make. IBM PC/AT Technical Reference, "System BIOS"; BIOS Enhanced Disk Drive
/// Specification 3.0 (INT 13h, functions 41h to 48h); ACPI 6.4 §15 (INT 15h, E820h). What is not known here stops the
/// run with its name, except where the BIOS's own answer is that it does not know it.

extension Machine {
  /// Registers as a BIOS call uses them.
  private struct Call {
    let c: CPU

    private func get(_ register: Int, _ shift: UInt64, _ mask: UInt64) -> UInt64 {
      c[register] >> shift & mask
    }
    private func set(_ register: Int, _ shift: UInt64, _ mask: UInt64, _ value: UInt64) {
      c[register] = c[register] & ~(mask << shift) | (value & mask) << shift
    }
    var ax: UInt64 {
      get { get(CPU.Register.ax, 0, 0xFFFF) }
      nonmutating set { set(CPU.Register.ax, 0, 0xFFFF, newValue) }
    }
    var bx: UInt64 {
      get { get(CPU.Register.bx, 0, 0xFFFF) }
      nonmutating set { set(CPU.Register.bx, 0, 0xFFFF, newValue) }
    }
    var cx: UInt64 {
      get { get(CPU.Register.cx, 0, 0xFFFF) }
      nonmutating set { set(CPU.Register.cx, 0, 0xFFFF, newValue) }
    }
    var dx: UInt64 {
      get { get(CPU.Register.dx, 0, 0xFFFF) }
      nonmutating set { set(CPU.Register.dx, 0, 0xFFFF, newValue) }
    }
    var al: UInt64 {
      get { ax & 0xFF }
      nonmutating set { ax = ax & 0xFF00 | newValue & 0xFF }
    }
    var ah: UInt64 {
      get { ax >> 8 }
      nonmutating set { ax = ax & 0xFF | (newValue & 0xFF) << 8 }
    }
    var carry: Bool {
      get { c.rflags & CPU.Flag.cf != 0 }
      nonmutating set {
        c.rflags = newValue ? c.rflags | CPU.Flag.cf : c.rflags & ~CPU.Flag.cf
      }
    }
    func set(_ register: Int, _ value: UInt64) { set(register, 0, 0xFFFF_FFFF, value) }
    func address(_ segment: Int, _ register: Int) -> UInt64 {
      c.base(segment) &+ c[register] & 0xFFFF
    }
  }

  /// Does what the BIOS's handler of a vector does. False: not modelled.
  func serveBIOS(_ cpu: Int, _ vector: Int, _ kind: DeliveryKind) -> Bool {
    switch kind {
    case .software, .int3: break
    case .external: return serveInterrupt(vector)
    default:
      return notModelled(
        "exception \(vector) in real mode, for which the loader has no handler of its own")
    }
    let call = Call(c: cpus[cpu])
    switch vector {
    case 0x10: return serveVideo(call)
    case 0x11: call.ax = memory.value(at: BIOSData.equipment, size: 2)
    case 0x12: call.ax = memory.value(at: BIOSData.memoryKilobytes, size: 2)
    case 0x13: return serveDisk(call)
    case 0x14: return serveSerial(call)
    case 0x15: return serveSystem(call)
    case 0x16: return serveKeyboard(call)
    case 0x17: call.ah = 0x01
    case 0x1A: return serveTime(call)
    default: return unknownCall(vector, call)
    }
    return true
  }

  private func unknownCall(_ vector: Int, _ call: Call) -> Bool {
    notModelled("BIOS call INT \(hex(UInt64(vector)))h with AX=\(hex(call.ax))h")
  }

  /// The BIOS's handlers of devices: the timer counts, the keyboard is read away; then the end of the interrupt.
  private func serveInterrupt(_ vector: Int) -> Bool {
    switch vector {
    case 0x08:
      put((memory.value(at: BIOSData.ticks, size: 4) + 1) & 0xFFFF_FFFF, 4, at: BIOSData.ticks)
    case 0x09: _ = readPort(0x60, size: 1)
    case 0x70...0x77: writePort(0xA0, size: 1, 0x20)
    default: break
    }
    return writePort(0x20, size: 1, 0x20)
  }

  // MARK: INT 10h

  private func serveVideo(_ call: Call) -> Bool {
    let screen: UInt64 = 0xB_8000
    switch call.ah {
    case 0x00:
      guard call.al & 0x7F <= 3 else {
        return notModelled("BIOS call INT 10h: video mode \(hex(call.al))h")
      }
      clearScreen()
      call.al = 0x30
    case 0x01: break
    case 0x02: if call.bx >> 8 == 0 { setCursor(call.dx) }
    case 0x03:
      call.dx = cursor
      call.cx = 0x0607
    case 0x05: break
    case 0x06, 0x07:
      guard call.al == 0 || call.al >= 25 else { return unknownCall(0x10, call) }
      let (top, left) = (call.cx >> 8, call.cx & 0xFF)
      let (bottom, right) = (min(call.dx >> 8, 24), min(call.dx & 0xFF, 79))
      guard top <= bottom, left <= right else { return true }
      for row in top...bottom {
        for column in left...right {
          put(call.bx & 0xFF00 | 0x20, 2, at: screen + (row * 80 + column) * 2)
        }
      }
    case 0x08:
      call.ax = memory.value(
        at: screen + ((cursor >> 8) * 80 + (cursor & 0xFF)) * 2, size: 2)
    case 0x09, 0x0A:
      let first = (cursor >> 8) * 80 + (cursor & 0xFF)
      guard first < 2000 else { return true }
      for cell in first..<min(2000, first + call.cx) {
        memory.setByte(at: screen + cell * 2, UInt8(call.al))
        if call.ah == 9 {
          memory.setByte(at: screen + cell * 2 + 1, UInt8(truncatingIfNeeded: call.bx))
        }
      }
    case 0x0E: teletype(UInt8(call.al))
    case 0x0F:
      call.ax = 0x5003
      call.bx &= 0xFF
    case 0x13:
      setCursor(call.dx)
      var at = call.address(CPU.Segment.es, CPU.Register.bp)
      for _ in 0..<call.cx {
        teletype(memory.byte(at: at))
        at += call.al & 2 != 0 ? 2 : 1
      }
    // No VESA, no other adapter: AL stays, which says so.
    case 0x10, 0x11, 0x12, 0x1A, 0x1B, 0x4F: break
    default: return unknownCall(0x10, call)
    }
    return true
  }

  // MARK: INT 13h

  private func serveDisk(_ call: Call) -> Bool {
    let disk = Int(call.dx & 0xFF) - 0x80
    func end(_ status: UInt64) -> Bool {
      call.ah = status
      call.carry = status != 0
      memory.setByte(at: 0x474, UInt8(status))
      return true
    }
    if call.ah == 0x01 { return end(UInt64(memory.byte(at: 0x474))) }
    guard memory.disks.indices.contains(disk) else { return end(call.ah == 0x15 ? 0 : 1) }
    let sectors = UInt64((memory.disks[disk].count + 511) / 512)
    switch call.ah {
    case 0x00, 0x09, 0x0D, 0x10, 0x11, 0x47: return end(0)
    case 0x02, 0x03, 0x04:
      let cylinder = call.cx >> 8 | (call.cx & 0xC0) << 2
      let head = call.dx >> 8
      let first = (cylinder * Machine.diskHeads + head) * Machine.diskTrack
      let count = call.al
      guard count > 0, call.cx & 0x3F > 0, head < Machine.diskHeads else { return end(1) }
      let sector = first + (call.cx & 0x3F) - 1
      guard sector + count <= sectors else { return end(4) }
      if call.ah != 0x04 {
        transfer(
          disk, sector, count, at: call.address(CPU.Segment.es, CPU.Register.bx),
          writes: call.ah == 0x03)
      }
      return end(0)
    case 0x08:
      let last = min(Machine.cylinders(ofSectors: sectors), 1024) - 1
      call.cx = (last & 0xFF) << 8 | (last >> 2 & 0xC0) | Machine.diskTrack
      call.dx = (Machine.diskHeads - 1) << 8 | UInt64(memory.disks.count)
      call.al = 0
      return end(0)
    case 0x15:
      call.cx = sectors >> 16
      call.dx = sectors & 0xFFFF
      call.ah = 3
      call.carry = false
      return true
    case 0x41:
      guard call.bx == 0x55AA else { return end(1) }
      call.bx = 0xAA55
      call.cx = 1
      _ = end(0)
      call.ah = 0x30
      return true
    case 0x42, 0x43, 0x44:
      let packet = call.address(CPU.Segment.ds, CPU.Register.si)
      let count = memory.value(at: packet + 2, size: 2)
      let target =
        memory.value(at: packet + 4, size: 2) + memory.value(at: packet + 6, size: 2) << 4
      let sector = memory.value(at: packet + 8, size: 8)
      guard memory.byte(at: packet) >= 16 else { return end(1) }
      guard sector <= sectors, count <= sectors - sector else { return end(4) }
      if call.ah != 0x44 {
        transfer(disk, sector, count, at: target, writes: call.ah == 0x43)
      }
      return end(0)
    case 0x48:
      let at = call.address(CPU.Segment.ds, CPU.Register.si)
      guard memory.value(at: at, size: 2) >= 26 else { return end(1) }
      put(26, 2, at: at)
      put(2, 2, at: at + 2)
      put(Machine.cylinders(ofSectors: sectors), 4, at: at + 4)
      put(Machine.diskHeads, 4, at: at + 8)
      put(Machine.diskTrack, 4, at: at + 12)
      put(sectors, 8, at: at + 16)
      put(512, 2, at: at + 24)
      return end(0)
    default: return end(1)
    }
  }

  /// Copies sectors between a disk and memory.
  private func transfer(
    _ disk: Int, _ sector: UInt64, _ count: UInt64, at physical: UInt64, writes: Bool
  ) {
    let place = memory.diskBase(disk) + sector * 512
    let (from, to) = writes ? (physical, place) : (place, physical)
    var offset: UInt64 = 0
    while offset < count * 512 && physical + offset < memory.hiddenBase {
      if physical & 7 == 0 {
        memory.setWord(at: to + offset, memory.word(at: from + offset))
        offset += 8
      } else {
        memory.setByte(at: to + offset, memory.byte(at: from + offset))
        offset += 1
      }
    }
  }

  // MARK: INT 14h, 15h, 16h, 1Ah

  private func serveSerial(_ call: Call) -> Bool {
    guard call.dx <= 1 else { return true }
    let port: UInt16 = call.dx == 0 ? 0x3F8 : 0x2F8
    switch call.ah {
    case 0x00, 0x03: call.ax = 0x6030
    case 0x01:
      writePort(port, size: 1, UInt32(call.al))
      call.ah = 0x60
    case 0x02: call.ah = 0x80
    default: return unknownCall(0x14, call)
    }
    return true
  }

  private func serveSystem(_ call: Call) -> Bool {
    let ram = memory.hiddenBase
    let above1M = ram > 0x10_0000 ? (ram - 0x10_0000) / 1024 : 0
    call.carry = false
    switch call.ax {
    case 0xE820:
      let map = memoryMap.filter { $0.size > 0 }
      let index = Int(truncatingIfNeeded: call.c[CPU.Register.bx] & 0xFFFF_FFFF)
      guard call.c[CPU.Register.dx] & 0xFFFF_FFFF == 0x534D_4150, map.indices.contains(index),
        call.c[CPU.Register.cx] & 0xFFFF_FFFF >= 20
      else {
        call.ah = 0x86
        call.carry = true
        return true
      }
      let at = call.address(CPU.Segment.es, CPU.Register.di)
      put(map[index].start, 8, at: at)
      put(map[index].size, 8, at: at + 8)
      put(map[index].type, 4, at: at + 16)
      call.set(CPU.Register.ax, 0x534D_4150)
      call.set(CPU.Register.bx, index + 1 < map.count ? UInt64(index + 1) : 0)
      call.set(CPU.Register.cx, 20)
    case 0xE801:
      call.ax = min(above1M, 0x3C00)
      call.bx = above1M > 0x3C00 ? min((above1M - 0x3C00) / 64, 0xFFFF) : 0
      call.cx = call.ax
      call.dx = call.bx
    case 0x2400, 0x2401: call.ah = 0
    case 0x2402: call.ax = 0x0001
    case 0x2403:
      call.ah = 0
      call.bx = 3
    case _ where call.ah == 0x88: call.ax = min(above1M, 0xFC00)
    case _ where call.ah == 0x86 || call.ah == 0x4F: break
    case _ where call.ah == 0x87:
      let table = call.address(CPU.Segment.es, CPU.Register.si)
      func base(_ at: UInt64) -> UInt64 {
        memory.value(at: at + 2, size: 3) | memory.value(at: at + 7, size: 1) << 24
      }
      let (from, to) = (base(table + 16), base(table + 24))
      for i in 0..<(call.cx * 2) where to + i < ram && from + i < ram {
        memory.setByte(at: to + i, memory.byte(at: from + i))
      }
      call.ah = 0
    default:
      // The BIOS's own way to say that it has no such function.
      call.ah = 0x86
      call.carry = true
    }
    return true
  }

  private func serveKeyboard(_ call: Call) -> Bool {
    switch call.ah {
    case 0x01, 0x11: call.c.rflags |= CPU.Flag.zf
    case 0x02, 0x12: call.al = 0
    case 0x03, 0x05: break
    case 0x00, 0x10: return notModelled("a wait for a key (BIOS call INT 16h) during the boot")
    default: return unknownCall(0x16, call)
    }
    return true
  }

  private func serveTime(_ call: Call) -> Bool {
    // 18.2 ticks a second: one for each 65536 pulses of the timer.
    let ticks = (clock / Machine.clocksPerPulse) >> 16
    let seconds = ticks * 10 / 182
    func decimal(_ value: UInt64) -> UInt64 { (value / 10) << 4 | value % 10 }
    switch call.ah {
    case 0x00:
      noteClockRead()
      call.cx = ticks >> 16
      call.dx = ticks & 0xFFFF
      call.al = 0
    case 0x02:
      noteClockRead()
      call.cx = decimal(seconds / 3600 % 24) << 8 | decimal(seconds / 60 % 60)
      call.dx = decimal(seconds % 60) << 8
      call.carry = false
    case 0x04:
      call.cx = 0x2024
      call.dx = 0x0101
      call.carry = false
    // PCI BIOS: not present.
    case 0xB1:
      call.ah = 0x81
      call.carry = true
    default: return unknownCall(0x1A, call)
    }
    return true
  }
}
