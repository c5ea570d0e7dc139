// SPDX-License-Identifier: MIT
#include "lib/fdt.h"
#include "lib/string.h"

/* Devicetree Specification 0.4, 5.2 (header) and 5.4 (structure block) */
#define FDT_MAGIC	 0xd00dfeed
#define FDT_VERSION	 17
#define FDT_HEADER	 40
#define FDT_SIZE_MAX	 (16u << 20)
#define TOKEN_BEGIN_NODE 1
#define TOKEN_END_NODE	 2
#define TOKEN_PROP	 3
#define TOKEN_NOP	 4
#define TOKEN_END	 9

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

uint32_t fdt_cell(const uint8_t *data, uint32_t len, uint32_t i)
{
	return i < len / 4 ? be32(data + i * 4) : 0;
}

/* Whether [off, off + len) lies within a blob of this size. */
static bool within(uint32_t size, uint32_t off, uint32_t len)
{
	return off <= size && len <= size - off;
}

bool fdt_open(struct fdt *fdt, const void *blob)
{
	const uint8_t *h = blob;
	uint32_t structs, structs_len, strings, strings_len;

	if (be32(h) != FDT_MAGIC || be32(h + 20) < FDT_VERSION || be32(h + 24) > FDT_VERSION)
		return false;
	fdt->base = h;
	fdt->size = be32(h + 4);
	structs = be32(h + 8);
	strings = be32(h + 12);
	strings_len = be32(h + 32);
	structs_len = be32(h + 36);
	if (fdt->size < FDT_HEADER || fdt->size > FDT_SIZE_MAX || structs % 4 ||
	    !within(fdt->size, structs, structs_len) || !within(fdt->size, strings, strings_len))
		return false;
	fdt->structs = structs;
	fdt->structs_end = structs + structs_len;
	fdt->strings = strings;
	fdt->strings_end = strings + strings_len;
	return true;
}

/* The string at `off`, which must end before `end`; NULL if it does not. */
static const char *string_at(const struct fdt *fdt, uint32_t off, uint32_t end)
{
	for (uint32_t i = off; i < end; i++)
		if (!fdt->base[i])
			return (const char *)fdt->base + off;
	return NULL;
}

static uint32_t align4(uint32_t off)
{
	return (off + 3) & ~3u;
}

/* Both return the offset of the next token, or 0 where this one is broken. at: after the token's
 * word. */
static uint32_t node_token(const struct fdt *fdt, uint32_t at, struct fdt_event *ev)
{
	ev->token = FDT_NODE;
	ev->name = string_at(fdt, at, fdt->structs_end);
	return ev->name ? align4(at + (uint32_t)strlen(ev->name) + 1) : 0;
}

static uint32_t prop_token(const struct fdt *fdt, uint32_t at, struct fdt_event *ev)
{
	uint32_t name;

	if (!within(fdt->structs_end, at, 8))
		return 0;
	ev->token = FDT_PROP;
	ev->len = be32(fdt->base + at);
	name = be32(fdt->base + at + 4);
	at += 8;
	if (!within(fdt->structs_end, at, ev->len) || name >= fdt->strings_end - fdt->strings)
		return 0;
	ev->data = fdt->base + at;
	ev->name = string_at(fdt, fdt->strings + name, fdt->strings_end);
	return ev->name ? align4(at + ev->len) : 0;
}

void fdt_next(const struct fdt *fdt, uint32_t *pos, struct fdt_event *ev)
{
	uint32_t at = *pos ? *pos : fdt->structs, next = 0;

	*ev = (struct fdt_event){.token = FDT_BROKEN};
	while (within(fdt->structs_end, at, 4) && be32(fdt->base + at) == TOKEN_NOP)
		at += 4;
	if (!within(fdt->structs_end, at, 4))
		return;
	switch (be32(fdt->base + at)) {
	case TOKEN_BEGIN_NODE:
		next = node_token(fdt, at + 4, ev);
		break;
	case TOKEN_PROP:
		next = prop_token(fdt, at + 4, ev);
		break;
	case TOKEN_END_NODE:
		ev->token = FDT_NODE_END;
		next = at + 4;
		break;
	case TOKEN_END:
		ev->token = FDT_DONE;
		next = at + 4;
		break;
	}
	if (!next)
		ev->token = FDT_BROKEN;
	*pos = next;
}

bool fdt_has_string(const uint8_t *data, uint32_t len, const char *s)
{
	uint32_t n = (uint32_t)strlen(s) + 1;

	for (uint32_t start = 0, i = 0; i < len; i++) {
		if (data[i])
			continue;
		if (i + 1 - start == n && !memcmp(data + start, s, n))
			return true;
		start = i + 1;
	}
	return false;
}
