/* A kernel that fills 224 MB of free pages with junk and links them, as some do; then looks at a few. */
#include "support.h"

gate_entry:
  ret

  .globl main
main:
  cld
  TEST "pages of one byte, linked"
  movl $0x400000, %ebx
  xorl %edx, %edx
1:
  movl %ebx, %edi
  movl $0x01010101, %eax
  movl $1024, %ecx
  rep stosl
  movl %edx, (%ebx)
  movl %ebx, %edx
  addl $4096, %ebx
  cmpl $0xE000000, %ebx
  jb 1b
  /* Their number, by the links; and one in 4096 of them whole. */
  xorl %ecx, %ecx
  xorl %esi, %esi
2:
  testl $0xFFF000, %edx
  jnz 4f
  xorl %eax, %eax
3:
  addl (%edx, %eax), %esi
  roll $1, %esi
  addl $4, %eax
  cmpl $4096, %eax
  jb 3b
4:
  incl %ecx
  movl (%edx), %edx
  testl %edx, %edx
  jnz 2b
  HEX %ecx
  HEX %esi
  LINE
  TEST "a copy of such a page, a change of the copy"
  movl $0x1234000, %esi
  movl $0x300000, %edi
  movl $4096, %ecx
  rep movsb
  movb $0x77, 0x300123
  HEX 0x300120
  HEX 0x1234120
  HEX 0x300000
  LINE
  .irp n, 0x500000, 0xDFFF000, 0x8000000
  HEX \n
  HEX \n + 4092
  movl $0xAAAAAAAA, \n + 2048
  HEX \n + 2048
  HEX \n + 2052
  LINE
  .endr
  .rept 16
  SAY "."
  LINE
  .endr
  ret
