// Sizes of words and stacks.

#ifndef SIZES_H
#define SIZES_H

#define WORD_BYTES 8
#define POINTER .quad

#include "numbers.h"

#endif
