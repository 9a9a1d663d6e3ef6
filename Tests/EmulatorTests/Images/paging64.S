/* The walk of 4-level tables: page sizes, rights, execute-disable, SMEP, SMAP, error codes, accessed and
   dirty flags, and addresses that are not canonical. */
#include "support64.h"

/* Entry `index` of the test's page table. */
  .macro PAGE index, address, bits
  movabsq $\address, %rax
  movabsq $\bits, %rdx
  orq %rdx, %rax
  movq %rax, pages + \index * 8
  movabsq $PAGES + \index * 4096, %rax
  invlpg (%rax)
  .endm

  .macro SHOW_PAGE index
  HEX pages + \index * 8
  LINE
  .endm

  .macro READ address
  movabsq $\address, %rbx
  movq (%rbx), %rax
  .endm

  .macro WRITE address
  movabsq $\address, %rbx
  movl $0x55, (%rbx)
  .endm

  .macro EXECUTE address
  movabsq $\address, %rbx
  call *%rbx
  .endm

main:
  TEST "registers"
  movq %cr0, %rax
  andl $0x80010001, %eax
  call print_hex
  READ_MSR 0xC0000080
  call print_hex
  HEX pml4 + 256 * 8
  LINE

  TEST "not present"
  EXPECT_FAULT READ PAGES
  EXPECT_FAULT WRITE PAGES
  EXPECT_FAULT EXECUTE PAGES
  EXPECT_FAULT FROM_USER 2, READ PAGES
  EXPECT_FAULT FROM_USER 2, WRITE PAGES
  EXPECT_FAULT READ 0x0000700000000000
  EXPECT_FAULT READ 0x0000008080000000
  EXPECT_FAULT READ 0x0000008000200000
  EXPECT_FAULT READ 0x0000008000800000

  TEST "4 KiB: accessed, dirty"
  PAGE 1, scratch, 7
  movabsq $PAGES + 4096, %rbx
  movl (%rbx), %eax
  SHOW_PAGE 1
  movl $1, (%rbx)
  SHOW_PAGE 1
  HEX user_directory + 16
  HEX user_pdpt
  HEX pml4 + 8
  LINE

  TEST "supervisor page"
  PAGE 2, scratch, 3
  READ PAGES + 0x2000
  EXPECT_FAULT FROM_USER 2, READ PAGES + 0x2000
  EXPECT_FAULT FROM_USER 2, WRITE PAGES + 0x2000

  TEST "read-only page, CR0.WP set and clear"
  PAGE 3, scratch, 5
  EXPECT_FAULT WRITE PAGES + 0x3000
  EXPECT_FAULT FROM_USER 2, WRITE PAGES + 0x3000
  movq %cr0, %rax
  andl $~0x10000, %eax
  movq %rax, %cr0
  WRITE PAGES + 0x3000
  SHOW_PAGE 3
  EXPECT_FAULT FROM_USER 2, WRITE PAGES + 0x3000
  movq %cr0, %rax
  orl $0x10000, %eax
  movq %rax, %cr0

  TEST "rights of the upper levels"
  andb $~2, user_directory + 16
  movq %cr3, %rax
  movq %rax, %cr3
  EXPECT_FAULT WRITE PAGES + 0x1000
  orb $2, user_directory + 16
  andb $~4, user_pdpt
  movq %cr3, %rax
  movq %rax, %cr3
  EXPECT_FAULT FROM_USER 2, nop
  orb $4, user_pdpt
  movq %cr3, %rax
  movq %rax, %cr3

  TEST "execute-disable"
  movb $0xC3, scratch
  PAGE 4, scratch, 0x8000000000000007
  READ PAGES + 0x4000
  EXPECT_FAULT EXECUTE PAGES + 0x4000
  EXPECT_FAULT FROM_USER 2, EXECUTE PAGES + 0x4000
  PAGE 4, scratch, 7
  EXECUTE PAGES + 0x4000
  SAY "executed\n"
  btsq $63, user_pdpt
  movq %cr3, %rax
  movq %rax, %cr3
  EXPECT_FAULT EXECUTE PAGES + 0x4000
  btrq $63, user_pdpt

  TEST "without EFER.NXE"
  READ_MSR 0xC0000080
  andl $~0x800, %eax
  wrmsr
  PAGE 4, scratch, 5
  EXPECT_FAULT WRITE PAGES + 0x4000
  EXPECT_FAULT EXECUTE PAGES + 0x5000
  READ_MSR 0xC0000080
  orl $0x800, %eax
  wrmsr

  TEST "2 MiB and 1 GiB pages"
  movq $0x12345678, scratch
  movl $scratch, %ebx
  movabsq $USER, %rax
  HEX (%rax,%rbx)
  movabsq $GIGABYTE, %rax
  HEX (%rax,%rbx)
  movl $0x9ABC, (%rax,%rbx)
  movabsq $HIGH_HALF, %rax
  HEX (%rax,%rbx)
  HEX user_directory
  HEX user_pdpt + 8
  LINE

  TEST "SMEP"
  movb $0xC3, scratch
  PAGE 6, scratch, 7
  SET_CR4 0x100000
  EXPECT_FAULT EXECUTE PAGES + 0x6000
  EXPECT_FAULT FROM_USER 2, READ 0x0000700000000000
  PAGE 6, scratch, 3
  EXECUTE PAGES + 0x6000
  SAY "executed\n"
  CLEAR_CR4 0x100000

  TEST "SMAP"
  PAGE 6, scratch, 7
  SET_CR4 0x200000
  EXPECT_FAULT READ PAGES + 0x6000
  EXPECT_FAULT WRITE PAGES + 0x6000
  stac
  READ PAGES + 0x6000
  WRITE PAGES + 0x6000
  clac
  EXPECT_FAULT READ PAGES + 0x6000
  FROM_USER 2, WRITE PAGES + 0x6000
  SAY "from user\n"
  pushq $0x40002
  popfq
  READ PAGES + 0x6000
  SAY "read with AC\n"
  pushq $2
  popfq
  EXPECT_FAULT READ PAGES + 0x6000
  EXPECT_FAULT FROM_USER 2, stac
  EXPECT_FAULT FROM_USER 2, clac
  CLEAR_CR4 0x200000

  TEST "not canonical"
  EXPECT_FAULT READ 0x0000800000000000
  EXPECT_FAULT WRITE 0xFFFF7FFFFFFFFFFF
  EXPECT_FAULT FROM_USER 2, READ 0x8000000000000000
  ret

gate_entry:
  lretq
