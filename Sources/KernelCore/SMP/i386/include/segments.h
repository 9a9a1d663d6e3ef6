// Selectors and offsets that assembly and Swift share: those of the core for one CPU, and what is a
// CPU's own.

#ifndef SMP_SEGMENTS_H
#define SMP_SEGMENTS_H

#include_next <segments.h>

#include "sizes.h"

// GS in the kernel. Each CPU has a descriptor table of its own, in which the same selector leads to
// the CPU's own block, as TSS_SELECTOR leads to its own task state segment.
#define KERNEL_CPU 0x30

// struct CPU
#define CPU_TSS 12
#define CPU_BYTES 28

// A page of 4 KiB that the kernel maps now to one frame, now to another.
#define WINDOW 0x800000

#endif
