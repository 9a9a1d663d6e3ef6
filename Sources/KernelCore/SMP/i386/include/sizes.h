// Sizes of words and stacks.

#ifndef SIZES_H
#define SIZES_H

#define WORD_BYTES 4
#define POINTER .long

#include "numbers.h"

#endif
