/* A boot sector, with more behind it: loads that by INT 13h, tries BIOS calls, prints over COM1, ends in protected
   mode. Each sector of the disk but the first 8 begins with its number. */
  .code16
  .text
  .globl start
start:
  cli
  xorw %ax, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  movw $0x7000, %sp
  sti
  cld
  movb %dl, drive
  /* Seven sectors behind this one, by cylinder, head and sector. */
  movw $0x0207, %ax
  movw $0x7E00, %bx
  movw $0x0002, %cx
  xorb %dh, %dh
  int $0x13
  jc failed
  jmp second
failed:
  movb $'!', %al
  call put
  jmp failed

put:
  pushw %dx
  movw $0x3F8, %dx
  outb %al, %dx
  popw %dx
  ret

/* Prints AX. */
hex:
  pushaw
  movw $4, %cx
  movw %ax, %bx
1:
  rolw $4, %bx
  movb %bl, %al
  andb $15, %al
  addb $48, %al
  cmpb $58, %al
  jb 2f
  addb $39, %al
2:
  call put
  loop 1b
  movb $32, %al
  call put
  popaw
  ret

line:
  pushw %ax
  movb $10, %al
  call put
  popw %ax
  ret

/* Prints the carry flag. */
carry:
  pushaw
  movw $0, %ax
  adcw $0, %ax
  call hex
  popaw
  ret

drive:
  .byte 0
  .org 510
  .word 0xAA55

second:
  movzbw drive, %ax
  call hex
  /* Memory below 640K in kilobytes is QEMU's own; that there is some is not. */
  int $0x12
  cmpw $600, %ax
  seta %al
  movzbw %al, %ax
  call hex
  call line
  /* Extensions. */
  movb $0x41, %ah
  movw $0x55AA, %bx
  movb drive, %dl
  int $0x13
  call carry
  movw %bx, %ax
  call hex
  movw %cx, %ax
  andw $1, %ax
  call hex
  call line
  movb $0x42, %ah
  movb drive, %dl
  movw $packet, %si
  int $0x13
  call carry
  movb %ah, %al
  movb $0, %ah
  call hex
  movw 0x9000, %ax
  call hex
  movw 0x9200, %ax
  call hex
  call line
  /* Beyond the end. */
  movl $0x10000000, packet + 8
  movb $0x42, %ah
  movb drive, %dl
  movw $packet, %si
  int $0x13
  call carry
  call line
  /* Geometry: the last head, the sectors of a track, the disks. */
  movb $0x08, %ah
  movb drive, %dl
  xorw %di, %di
  int $0x13
  call carry
  movw %cx, %ax
  andw $0x3F, %ax
  call hex
  movw %dx, %ax
  call hex
  xorw %ax, %ax
  movw %ax, %es
  call line
  /* A disk that is not there. */
  movw $0x0201, %ax
  movw $0x9000, %bx
  movw $0x0001, %cx
  movw $0x0085, %dx
  int $0x13
  call carry
  call line
  /* By cylinder and head. */
  movw $0x0201, %ax
  movw $0x9000, %bx
  movw $0x0105, %cx
  movb $2, %dh
  movb drive, %dl
  int $0x13
  call carry
  movw 0x9000, %ax
  call hex
  call line
  /* Memory map: signature, first entry's start and kind; some entry starts at 1 MB. */
  xorl %ebx, %ebx
  movw $0, found
1:
  movl $0xE820, %eax
  movl $0x534D4150, %edx
  movl $24, %ecx
  movw $0x9000, %di
  int $0x15
  jc 3f
  cmpl $0x534D4150, %eax
  jne 3f
  cmpl $0x100000, 0x9000
  jne 2f
  cmpl $1, 0x9010
  jne 2f
  incw found
2:
  testl %ebx, %ebx
  jnz 1b
3:
  movw found, %ax
  call hex
  movw $0xE801, %ax
  xorw %cx, %cx
  xorw %dx, %dx
  int $0x15
  call carry
  call hex
  movb $0x88, %ah
  int $0x15
  call carry
  movw $0x2401, %ax
  int $0x15
  call carry
  movb $0, %al
  xchgb %al, %ah
  call hex
  call line
  /* A function that no BIOS has. */
  movw $0x7777, %ax
  int $0x15
  call carry
  movb %ah, %al
  movb $0, %ah
  call hex
  call line
  /* The screen: teletype, its cell and the cursor. */
  movw $0x0003, %ax
  int $0x10
  movw $0x0E41, %ax
  movw $7, %bx
  int $0x10
  movw $0x0E42, %ax
  int $0x10
  movb $0x0F, %ah
  int $0x10
  call hex
  movb $3, %ah
  xorw %bx, %bx
  int $0x10
  movw %dx, %ax
  call hex
  movw $0xB800, %ax
  movw %ax, %es
  movw %es:0, %ax
  call hex
  movw %es:2, %ax
  call hex
  xorw %ax, %ax
  movw %ax, %es
  call line
  /* No key. */
  movb $1, %ah
  int $0x16
  setz %al
  movb $0, %ah
  call hex
  call line
  /* A handler of one's own, INT and IRET. */
  movw $handler, 0x60 * 4
  movw $0, 0x60 * 4 + 2
  movw $0x1234, %ax
  stc
  int $0x60
  call carry
  call hex
  pushfw
  popw %ax
  andw $0x200, %ax
  call hex
  call line
  /* Protected mode and back, and segments that keep their limits. */
  cli
  lgdt pointer
  movl %cr0, %eax
  orb $1, %al
  movl %eax, %cr0
  movw $0x10, %bx
  movw %bx, %fs
  andb $0xFE, %al
  movl %eax, %cr0
  movl $0x200000, %ebx
  movl $0xCAFE1234, %fs:(%ebx)
  movw %fs:2(%ebx), %ax
  call hex
  call line
  movl %cr0, %eax
  orb $1, %al
  movl %eax, %cr0
  ljmpl $0x08, $1f
  .code32
1:
  movw $0x10, %ax
  movw %ax, %ds
  movl 0x200000, %eax
  cmpl $0xCAFE1234, %eax
  sete %al
  addb $48, %al
  movw $0x3F8, %dx
  outb %al, %dx
  movw $0xF4, %dx
  movl $0x10, %eax
  outl %eax, %dx
2:
  hlt
  jmp 2b

  .code16
handler:
  pushw %bp
  movw %sp, %bp
  orw $1, 6(%bp)
  popw %bp
  notw %ax
  iretw

  .align 4
packet:
  .byte 16, 0
  .word 2, 0x9000, 0
  .quad 21
found:
  .word 0
  .align 8
gdt:
  .quad 0, 0x00CF9A000000FFFF, 0x00CF92000000FFFF
pointer:
  .word 23
  .long gdt
  .org 4096
