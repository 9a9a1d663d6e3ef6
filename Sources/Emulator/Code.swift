/// The cases of the interpreter's switch.
///
/// The first block is executed in the loop itself and exists only in flat modes (`DecodeMode`),
/// with 32-bit operands unless the name says otherwise; of those, the ones that do not depend on the width
/// of addresses are those of 64-bit mode, too. Names: R register, M memory, I immediate,
/// destination first. The second block is one case per instruction family, any operand size, any segmentation.
public enum Code: UInt8, Sendable {
  /// Not an instruction: find the micro-op of `rip`, decoding if need be. The zero value.
  case lookup
  /// Not an instruction: like `lookup`, then remember the result in the branch that came here.
  case link
  /// Not an instruction: continue at pool index `extra`.
  case goto

  case nop
  case movRR, movRI, movRM, movMR, movMI
  case movRR8, movRI8, movRM8, movMR8, movMI8
  case movMR16, movMI16
  case movzxR8, movzxR16, movzxM8, movzxM16
  case movsxR8, movsxR16, movsxM8, movsxM16
  case lea
  case addRR, addRI, addRM, addMR, addMI
  case subRR, subRI, subRM, subMR, subMI
  case cmpRR, cmpRI, cmpRM, cmpMR, cmpMI
  case andRR, andRI, andRM, andMR, andMI
  case orRR, orRI, orRM, orMR, orMI
  case xorRR, xorRI, xorRM, xorMR, xorMI
  case testRR, testRI, testMR, testMI
  case adcRR, adcRI, adcRM
  case sbbRR, sbbRI, sbbRM
  case cmpRR8, cmpRI8, cmpRM8, cmpMR8, cmpMI8
  case testRR8, testRI8, testMR8, testMI8
  case andRI8, orRI8, addRI8, xorRR8, orRR8, andRR8
  case addSPI, subSPI
  case incR, decR, incM, decM, negR, notR
  case shlRI, shrRI, sarRI, shlRC, shrRC, sarRC, rolRI, rorRI
  case imulRR, imulRM, imulRRI, imulRMI
  case cdq
  case xchgRR
  case pushR, pushI, pushM, popR, leave
  case jmp, jmpR, jmpM, call, callR, callM, ret, retI
  case jo, jno, jb, jnb, jz, jnz, jbe, jnbe, js, jns, jp, jnp, jl, jnl, jle, jnle
  case setR, cmovRR, cmovRM

  // The same with 64-bit operands (Q), in 64-bit mode alone.
  case movQRR, movQRI, movQRM, movQMR, movQMI, movsxdR, movsxdM
  case addQRR, addQRI, addQRM
  case subQRR, subQRI, subQRM
  case cmpQRR, cmpQRI, cmpQRM, cmpQMR, cmpQMI
  case andQRR, andQRI, andQRM
  case orQRR, orQRI, orQRM
  case xorQRR, xorQRI, xorQRM
  case testQRR, testQRI
  case addQSPI, subQSPI
  case incQR, decQR, shlQRI, shrQRI, sarQRI, imulQRR, imulQRRI, cmovQRR
  case pushQR, pushQI, popQR, leaveQ, callQ, callQR, retQ, jmpQR

  // One case per family: the CPU block is complete, the operands are described by `form`.
  case move, extend, exchange, flagBit, address, accumulate
  case arithmetic, unary, shift, doubleShift, multiply, divide, bitTest, bitScan, byteSwap
  case decimal, conditional, string, stack, branch, atomic
  /// Executed by `executeSystem`.
  case system
  /// Raises #UD. Intel SDM Vol. 2, "UD".
  case undefined
  /// Longer than 15 bytes: #GP(0). Intel SDM Vol. 3A §6.15, "Interrupt 13".
  case tooLong
  /// x87, MMX and SSE: #NM or #UD as CR0 says, else not modelled.
  case vector
  case unmodelled
  /// A hook of a plain run.
  case breakpoint
}

/// What a decoded instruction depends on besides its bytes.
package enum DecodeMode {
  package static let flat32 = 0
  /// 32-bit code while CS, SS, DS or ES is not flat.
  package static let segmented32 = 1
  package static let segmented16 = 2
  package static let long64 = 3
  package static let count = 4
}
