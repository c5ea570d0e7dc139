/* SPDX-License-Identifier: MIT */
/* COUNT EOIs in xAPIC mode with nothing in service, which is unbacked memory to `floor IMAGE user`. */
#define ADDRESS 0xfee000b0
#define ACCESS movl %eax, (%ebx)
#include "tools/bench/mmio.S"
