// SPDX-License-Identifier: MIT
/* The words of the command line. */
#include "lib/board.h"
#include "lib/console.h"
#include "lib/string.h"

static size_t word_len(const char *w)
{
	size_t n = 0;

	while (w[n] && w[n] != ' ')
		n++;
	return n;
}

/* What follows "key" in its word ("" or "=value..."); NULL where no word has this key. */
static const char *find(const char *key)
{
	size_t len = strlen(key);

	for (const char *w = board.bootargs; *w; w += word_len(w)) {
		while (*w == ' ')
			w++;
		if (!strncmp(w, key, len) && (w[len] == 0 || w[len] == ' ' || w[len] == '='))
			return w + len;
	}
	return NULL;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

uint64_t arg_u64(const char *key, uint64_t otherwise)
{
	const char *at = find(key), *s;
	unsigned base = 10;
	uint64_t v = 0;

	if (!at || *at != '=')
		return otherwise;
	s = at + 1;
	if (s[0] == '0' && (s[1] | 0x20) == 'x') {
		base = 16;
		s += 2;
	}
	if (!word_len(s))
		panic("bootargs: %s wants a number", key);
	for (; *s && *s != ' '; s++) {
		if ((unsigned)digit(*s) >= base)
			panic("bootargs: %s wants a number", key);
		v = v * base + (unsigned)digit(*s);
	}
	return v;
}

bool arg_is(const char *key, const char *value)
{
	const char *at = find(key);

	return at && *at == '=' && word_len(at + 1) == strlen(value) &&
	       !strncmp(at + 1, value, strlen(value));
}

bool arg_flag(const char *key)
{
	const char *at = find(key);

	return at && !arg_is(key, "0");
}
