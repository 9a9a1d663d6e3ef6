// Selectors, offsets and numbers that assembly and Swift share: those of the core for one CPU, and what is
// a CPU's own.

#ifndef SMP_SEGMENTS_H
#define SMP_SEGMENTS_H

#include_next <segments.h>

#include "sizes.h"

// struct CPU
#define CPU_TSS 24
#define CPU_BYTES 56

// A page of 4 KiB that the kernel maps now to one frame, now to another.
#define WINDOW 0x600000

#endif
