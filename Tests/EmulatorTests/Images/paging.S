/* Page faults: error codes, CR2, write protection, accessed and dirty bits, 4 MiB pages, and faults
   during delivery. Intel SDM Vol. 3A §4.3, §4.6–4.8, §4.10, §6.15. */
#include "support.h"

  .set PAGE, 0x00800000          /* linear page that the tests map as they like */

gate_entry:
  ret

  .macro USE instruction:vararg
  ON_FAULT 9f
  \instruction
  SAY "no fault\n"
9:
  .endm

/* The table entry of PAGE (of the next page, with `next`), then a fresh translation. */
  .macro MAP entry, next=0
  movl $\entry, table2 + 4 * \next
  invlpg PAGE + 4096 * \next
  .endm

  .macro USER body
  movl %esp, user_stack
  movl $7f, user_return
  TO_USER 6f, 0x2
6:
  \body
  int $0x81
7:
  .endm

  .globl main
main:
  /* 0–4 MiB by 4 KiB pages for all rings, 4–8 MiB by a large page, 8–12 MiB by table2. */
  movl $table1, %edi
  movl $7, %eax
  movl $1024, %ecx
1:
  stosl
  addl $0x1000, %eax
  loop 1b
  movl $table1 + 7, directory
  movl $0x400087, directory + 4
  movl $table2 + 7, directory + 8
  movl %cr4, %eax
  orl $0x10, %eax
  movl %eax, %cr4
  movl $directory, %eax
  movl %eax, %cr3
  movl %cr0, %eax
  orl $0x80000000, %eax
  movl %eax, %cr0
  GATE 0x80, KCODE, report_handler, USER_GATE

  TEST "ring 0: page not present, read and write"
  USE movl PAGE + 0x123, %eax
  USE movl %eax, PAGE + 0x124
  USE movl 0x00C00000, %eax
  TEST "ring 3: the same, and of the supervisor"
  MAP 0
  ON_FAULT 1f
  USER "movl PAGE, %eax"
1:
  ON_FAULT 1f
  USER "movl %eax, PAGE"
1:
  MAP 0x500003
  ON_FAULT 1f
  USER "movl PAGE, %eax"
1:
  ON_FAULT 1f
  USER "movl %eax, PAGE + 8"
1:
  TEST "ring 3: write to a read-only page"
  MAP 0x500005
  ON_FAULT 1f
  USER "movl PAGE, %eax; movl %eax, PAGE + 12"
1:
  ON_FAULT 1f
  USER "xchgl %eax, PAGE + 12"
1:
  ON_FAULT 1f
  USER "cmpxchgl %eax, PAGE + 16"
1:
  TEST "ring 0: read-only page without and with CR0.WP"
  USE movl %eax, PAGE
  movl %cr0, %eax
  orl $0x10000, %eax
  movl %eax, %cr0
  USE movl %eax, PAGE
  USE incl PAGE
  movl $0x500000, directory + 4
  movl $0x400085, directory + 4
  movl %cr3, %eax
  movl %eax, %cr3
  USE movl %eax, 0x400000
  movl $0x400087, directory + 4
  TEST "rights of the directory count, too"
  movl $table2 + 5, directory + 8
  MAP 0x500007
  USE movl %eax, PAGE
  movl $table2 + 3, directory + 8
  MAP 0x500007
  ON_FAULT 1f
  USER "movl PAGE, %eax"
1:
  movl $table2 + 7, directory + 8
  invlpg PAGE
  TEST "fetch from a page that is not present, in rings 0 and 3"
  MAP 0
  ON_FAULT 1f
  movl $PAGE + 0x10, %eax
  jmp *%eax
1:
  ON_FAULT 1f
  USER "movl $PAGE + 0x14, %eax; jmp *%eax"
1:
  MAP 0x500003
  ON_FAULT 1f
  USER "movl $PAGE + 0x14, %eax; jmp *%eax"
1:
  TEST "instruction that goes on in a missing page"
  MAP 0x500007
  MAP 0, 1
  movb $0xB8, PAGE + 0xFFE
  ON_FAULT 1f
  movl $PAGE + 0xFFE, %eax
  jmp *%eax
1:
  TEST "access across pages: CR2 is in the missing one"
  USE movl PAGE + 0xFFE, %eax
  USE movl %eax, PAGE + 0xFFD
  MAP 0
  MAP 0x501007, 1
  USE movl PAGE + 0xFFE, %eax
  USE movl %eax, PAGE + 0xFFD
  TEST "accessed and dirty bits"
  MAP 0x500007
  movl $0x7, table2
  movl $table2 + 7, directory + 8
  movl $0x500007, table2
  movl %cr3, %eax
  movl %eax, %cr3
  HEX table2
  HEX directory + 8
  movl PAGE, %eax
  HEX table2
  HEX directory + 8
  movl %eax, PAGE
  HEX table2
  movl $0x400087, directory + 4
  movl %cr3, %eax
  movl %eax, %cr3
  movl 0x400000, %eax
  HEX directory + 4
  movl %eax, 0x400000
  HEX directory + 4
  LINE
  TEST "large page: high bits of the address"
  movl $0xCAFE, 0x501234
  MAP 0x501007
  HEX PAGE + 0x234
  LINE
  TEST "PUSH into a missing page leaves ESP"
  MAP 0
  movl $0x501007, table2 + 4
  invlpg PAGE + 4096
  ON_FAULT 1f
  USER "movl $PAGE + 0x1002, %esp; pushl $1"
1:
  TEST "REP MOVS stops at the missing page with its registers"
  MAP 0x500007
  MAP 0, 1
  movl $PAGE + 0xFF4, %edi
  movl $start, %esi
  movl $8, %ecx
  ON_FAULT 1f
  rep movsl
1:
  movl %ecx, saved
  movl %edi, saved + 4
  HEX saved
  HEX saved + 4
  LINE
  TEST "INT n whose stack is missing: #PF in its place"
  movl $PAGE + 0x1000, tss1 + 12
  movl $DATA1, tss1 + 16
  MAP 0
  GATE 0x84, CODE1, start, USER_GATE
  ON_FAULT 1f
  USER "int $0x84"
1:
  TEST "paging off again"
  movl %cr0, %eax
  andl $0x7FFFFFFF, %eax
  movl %eax, %cr0
  HEX 0x501234
  LINE
  ret

  .data
  .align 4
saved:
  .long 0, 0
  .bss
  .align 4096
directory:
  .skip 4096
table1:
  .skip 4096
table2:
  .skip 4096
  .text
