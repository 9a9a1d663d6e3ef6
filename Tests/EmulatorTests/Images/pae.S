/* PAE paging without IA-32e mode: three levels, page sizes, rights, execute-disable, accessed and dirty
   flags. */
#include "support.h"

  .set PAGES, 0x40000000

/* Entry `index` of the test's page table. */
  .macro PAGE index, address, low, high=0
  movl $\address + \low, pages + \index * 8
  movl $\high, pages + \index * 8 + 4
  invlpg PAGES + \index * 4096
  .endm

  .macro SHOW_PAGE index
  HEX pages + \index * 8 + 4
  HEX pages + \index * 8
  LINE
  .endm

main:
  movl $directory + 1, pointers
  movl $test_directory + 1, pointers + 8
  movl $pages + 7, test_directory
  movl $0x87, test_directory + 8
  movl $directory, %edi
  movl $0x87, %eax
  movl $32, %ecx
1:
  movl %eax, (%edi)
  addl $0x200000, %eax
  addl $8, %edi
  loop 1b
  movl %cr4, %eax
  orl $0x20, %eax
  movl %eax, %cr4
  movl $pointers, %eax
  movl %eax, %cr3
  movl $0xC0000080, %ecx
  rdmsr
  orl $0x800, %eax
  wrmsr
  movl %cr0, %eax
  orl $0x80010000, %eax
  movl %eax, %cr0

  TEST "not present"
  ON_FAULT 1f
  movl PAGES, %eax
1:
  ON_FAULT 1f
  movl %eax, PAGES
1:
  ON_FAULT 1f
  movl 0x80000000, %eax
1:
  ON_FAULT 1f
  movl $PAGES, %ebx
  call *%ebx
1:
  ON_FAULT 1f
  FROM_USER 2, "movl PAGES, %eax"
1:

  TEST "accessed, dirty"
  PAGE 1, scratch, 7
  movl PAGES + 0x1000, %eax
  SHOW_PAGE 1
  movl $5, PAGES + 0x1000
  SHOW_PAGE 1
  HEX test_directory
  LINE

  TEST "rights"
  PAGE 2, scratch, 3
  ON_FAULT 1f
  FROM_USER 2, "movl PAGES + 0x2000, %eax"
1:
  PAGE 3, scratch, 5
  ON_FAULT 1f
  movl $5, PAGES + 0x3000
1:
  ON_FAULT 1f
  FROM_USER 2, "movl $5, PAGES + 0x3000"
1:

  TEST "execute-disable"
  movb $0xC3, scratch
  PAGE 4, scratch, 7, 0x80000000
  HEX PAGES + 0x4000
  ON_FAULT 1f
  movl $PAGES + 0x4000, %ebx
  call *%ebx
1:
  PAGE 4, scratch, 7
  movl $PAGES + 0x4000, %ebx
  call *%ebx
  SAY "executed\n"

  TEST "2 MiB pages"
  HEX PAGES + 0x200000 + scratch
  movl $0x1234, PAGES + 0x200000 + scratch
  HEX scratch
  HEX test_directory + 8
  LINE
  movl $0x80000000, test_directory + 12
  movl %cr3, %eax
  movl %eax, %cr3
  ON_FAULT 1f
  movl $PAGES + 0x200000 + scratch, %ebx
  call *%ebx
1:
  movl %cr0, %eax
  andl $0x7FFEFFFF, %eax
  movl %eax, %cr0
  ret

gate_entry:
  lret

  .bss
  .align 4096
directory:
  .skip 4096
test_directory:
  .skip 4096
pages:
  .skip 4096
scratch:
  .skip 4096
pointers:
  .skip 32
  .text
