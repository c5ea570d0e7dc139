// SPDX-License-Identifier: MIT
#include "machine/insn.h"

#include <stddef.h>

/* Opcodes of SDM vol. 2, appendix A. reg: the ModRM reg field that selects, or -1 for any. */
struct opcode {
	uint8_t first, last;
	int8_t reg;
	const char *name;
};

static const struct opcode one_byte[] = {
	{0x9b, 0x9b, -1, "fwait"}, {0xcc, 0xcc, -1, "int3"}, {0xcd, 0xcd, -1, "int n"},
	{0xce, 0xce, -1, "into"},  {0xcf, 0xcf, -1, "iret"}, {0xd8, 0xdf, -1, "x87"},
	{0xf1, 0xf1, -1, "int1"},  {0xf4, 0xf4, -1, "hlt"},
};

static const struct opcode two_byte[] = {
	{0x00, 0x00, 0, "sldt"},
	{0x00, 0x00, 1, "str"},
	{0x00, 0x00, 2, "lldt"},
	{0x00, 0x00, 3, "ltr"},
	{0x00, 0x00, 4, "verr"},
	{0x00, 0x00, 5, "verw"},
	{0x01, 0x01, 2, "lgdt"},
	{0x01, 0x01, 3, "lidt"},
	{0x02, 0x02, -1, "lar"},
	{0x03, 0x03, -1, "lsl"},
	{0x05, 0x05, -1, "syscall"},
	{0x07, 0x07, -1, "sysret"},
	{0x08, 0x08, -1, "invd"},
	{0x09, 0x09, -1, "wbinvd"},
	{0x0b, 0x0b, -1, "ud2"},
	{0x10, 0x17, -1, "SSE move"},
	{0x28, 0x29, -1, "SSE move (movaps)"},
	{0x2a, 0x2f, -1, "SSE"},
	{0x30, 0x30, -1, "wrmsr"},
	{0x31, 0x31, -1, "rdtsc"},
	{0x32, 0x32, -1, "rdmsr"},
	{0x33, 0x33, -1, "rdpmc"},
	{0x34, 0x34, -1, "sysenter"},
	{0x35, 0x35, -1, "sysexit"},
	{0x50, 0x7f, -1, "MMX/SSE"},
	{0xa2, 0xa2, -1, "cpuid"},
	{0xae, 0xae, 0, "fxsave"},
	{0xae, 0xae, 1, "fxrstor"},
	{0xae, 0xae, 2, "ldmxcsr"},
	{0xae, 0xae, 3, "stmxcsr"},
	{0xae, 0xae, 4, "xsave"},
	{0xae, 0xae, 5, "xrstor"},
	{0xae, 0xae, 6, "xsaveopt"},
	{0xb8, 0xb8, -1, "popcnt"},
	{0xc2, 0xc6, -1, "SSE"},
	{0xc7, 0xc7, 3, "xrstors"},
	{0xc7, 0xc7, 4, "xsavec"},
	{0xc7, 0xc7, 5, "xsaves"},
	{0xc7, 0xc7, 6, "rdrand"},
	{0xc7, 0xc7, 7, "rdseed"},
	{0xd0, 0xff, -1, "MMX/SSE"},
};

static const char *look_up(const struct opcode *table, unsigned n, const uint8_t *b, unsigned len)
{
	for (unsigned i = 0; i < n; i++) {
		if (b[0] < table[i].first || b[0] > table[i].last)
			continue;
		if (table[i].reg < 0 || (len > 1 && ((b[1] >> 3) & 7) == table[i].reg))
			return table[i].name;
	}
	return NULL;
}

static bool is_prefix(uint8_t b, bool long_mode)
{
	switch (b) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64 ... 0x67:
	case 0xf0:
	case 0xf2:
	case 0xf3:
		return true;
	default:
		return long_mode && b >= 0x40 && b <= 0x4f;
	}
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

const char *insn_name(const uint8_t *b, unsigned len, bool long_mode)
{
	bool rex_w = false;

	while (len && is_prefix(*b, long_mode)) {
		rex_w = (*b & 0xf8) == 0x48;
		b++;
		len--;
	}
	if (!len)
		return NULL;
	/* C4, C5 and 62 are VEX and EVEX unless they are LES, LDS or BOUND of a 32-bit mode. */
	if ((b[0] == 0xc4 || b[0] == 0xc5 || b[0] == 0x62) &&
	    (long_mode || (len > 1 && b[1] >= 0xc0)))
		return b[0] == 0x62 ? "AVX-512" : "AVX/BMI";
	if (b[0] != 0x0f)
		return look_up(one_byte, COUNT(one_byte), b, len);
	if (len < 2)
		return NULL;
	if (b[1] == 0x38 || b[1] == 0x3a)
		return "SSSE3/SSE4/AES/BMI";
	if (b[1] == 0xc7 && len > 2 && ((b[2] >> 3) & 7) == 1)
		return rex_w ? "cmpxchg16b" : "cmpxchg8b";
	return look_up(two_byte, COUNT(two_byte), b + 1, len - 1);
}
