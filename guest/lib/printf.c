// SPDX-License-Identifier: MIT
#include <stdbool.h>
#include <stddef.h>

#include "lib/console.h"
#include "lib/string.h"

struct out {
	char *buf;
	size_t size, len; /* len may grow beyond size */
};

struct spec {
	bool left, zero;
	unsigned width;
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void pad(struct out *o, char c, size_t n)
{
	while (n--)
		put(o, c);
}

static void put_text(struct out *o, const struct spec *sp, const char *s, size_t n)
{
	size_t fill = sp->width > n ? sp->width - n : 0;

	if (!sp->left)
		pad(o, ' ', fill);
	for (size_t i = 0; i < n; i++)
		put(o, s[i]);
	if (sp->left)
		pad(o, ' ', fill);
}

static void put_number(struct out *o, struct spec sp, uint64_t v, unsigned base, const char *prefix,
		       const char *digits)
{
	char text[24];
	size_t n = sizeof(text), plen = strlen(prefix);

	do
		text[--n] = digits[v % base];
	while (v /= base);
	if (sp.zero && !sp.left) {
		for (; *prefix; prefix++)
			put(o, *prefix);
		while (sizeof(text) - n + plen < sp.width && n > 0)
			text[--n] = '0';
		sp.width = 0;
	} else {
		while (plen)
			text[--n] = prefix[--plen];
	}
	put_text(o, &sp, text + n, sizeof(text) - n);
}

static uint64_t number_arg(va_list *ap, unsigned longs, bool is_signed)
{
	if (longs)
		return va_arg(*ap, uint64_t);
	if (is_signed)
		return (uint64_t)(int64_t)va_arg(*ap, int);
	return va_arg(*ap, unsigned);
}

static void put_signed(struct out *o, const struct spec *sp, uint64_t v)
{
	bool minus = (int64_t)v < 0;

	put_number(o, *sp, minus ? 0 - v : v, 10, minus ? "-" : "", "0123456789");
}

static void convert(struct out *o, char c, const struct spec *sp, unsigned longs, va_list *ap)
{
	const char *s;
	char ch;

	switch (c) {
	case 'd':
	case 'i':
		put_signed(o, sp, number_arg(ap, longs, true));
		break;
	case 'u':
		put_number(o, *sp, number_arg(ap, longs, false), 10, "", "0123456789");
		break;
	case 'x':
		put_number(o, *sp, number_arg(ap, longs, false), 16, "", "0123456789abcdef");
		break;
	case 'X':
		put_number(o, *sp, number_arg(ap, longs, false), 16, "", "0123456789ABCDEF");
		break;
	case 'p':
		put_number(o, *sp, va_arg(*ap, uint64_t), 16, "0x", "0123456789abcdef");
		break;
	case 'c':
		ch = (char)va_arg(*ap, int);
		put_text(o, sp, &ch, 1);
		break;
	case 's':
		s = va_arg(*ap, const char *);
		if (!s)
			s = "(null)";
		put_text(o, sp, s, strlen(s));
		break;
	default:
		put(o, c);
	}
}

int vsnprintf(char *buf, unsigned long size, const char *fmt, va_list args)
{
	struct out o = {buf, size, 0};
	va_list ap;

	va_copy(ap, args);
	for (; *fmt; fmt++) {
		struct spec sp = {0};
		unsigned longs = 0;

		if (*fmt != '%') {
			put(&o, *fmt);
			continue;
		}
		for (fmt++; *fmt == '-' || *fmt == '0'; fmt++) {
			sp.left |= *fmt == '-';
			sp.zero |= *fmt == '0';
		}
		for (; *fmt >= '0' && *fmt <= '9'; fmt++)
			sp.width = sp.width * 10 + (unsigned)(*fmt - '0');
		for (; *fmt == 'l' || *fmt == 'z'; fmt++)
			longs++;
		if (!*fmt)
			break;
		convert(&o, *fmt, &sp, longs, &ap);
	}
	va_end(ap);
	if (size)
		buf[o.len < size ? o.len : size - 1] = 0;
	return (int)o.len;
}

int snprintf(char *buf, unsigned long size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
