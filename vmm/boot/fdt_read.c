// SPDX-License-Identifier: MIT
#include "boot/fdt_read.h"

#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PATH_MAX_SHOWN 100

/* A node's path fit for a terminal; a very long one is cut down to the node's name. */
static void show_path(const struct tree_reader *r, int node, char *out, size_t size)
{
	if (fdt_get_path(r->fdt, node, out, (int)size)) {
		const char *name = fdt_get_name(r->fdt, node, NULL);

		snprintf(out, size, ".../%s", name ? name : "");
	}
	for (; *out; out++)
		if (*out < 0x20 || *out > 0x7e)
			*out = '?';
}

void tree_refuse_fill(const struct tree_reader *r, int node, const char *fmt, ...)
{
	char path[PATH_MAX_SHOWN], text[200];
	va_list ap;

	show_path(r, node, path, sizeof(path));
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	error_fill(r->err, EXIT_SETUP, "device tree: %s: %s", path, text);
}

int tree_find(const struct tree_reader *r, int node, const char *name, const void **data, int *len)
{
	int found = 0;
	int prop;

	fdt_for_each_property_offset(prop, r->fdt, node)
	{
		const char *is;
		int l;
		const void *d = fdt_getprop_by_offset(r->fdt, prop, &is, &l);

		if (!d || strcmp(is, name))
			continue;
		if (found)
			return tree_refuse(r, node, "%s is given twice", name);
		found = 1;
		*data = d;
		*len = l;
	}
	return found;
}

int tree_cells(const struct tree_reader *r, int node, const char *name, uint32_t *out,
	       unsigned count)
{
	const void *data;
	int len;
	int found = tree_find(r, node, name, &data, &len);

	if (found < 0)
		return -1;
	if (!found)
		return tree_refuse(r, node, "%s is missing", name);
	if (len != (int)(count * sizeof(fdt32_t)))
		return tree_refuse(r, node, "%s has %d bytes; expected %zu", name, len,
				   count * sizeof(fdt32_t));
	for (unsigned i = 0; i < count; i++)
		out[i] = fdt32_ld((const fdt32_t *)data + i);
	return 0;
}

int tree_expect(const struct tree_reader *r, int node, const char *name, uint32_t value)
{
	uint32_t is;

	if (tree_cells(r, node, name, &is, 1))
		return -1;
	if (is != value)
		return tree_refuse(r, node, "%s is %u; expected %u", name, is, value);
	return 0;
}

int tree_string(const struct tree_reader *r, int node, const char *name, const char **out)
{
	const void *data;
	int len;
	int found = tree_find(r, node, name, &data, &len);

	if (found <= 0)
		return found;
	if (len < 1 || memchr(data, 0, (size_t)len) != (const char *)data + len - 1)
		return tree_refuse(r, node, "%s is not one string", name);
	*out = data;
	return 1;
}

int tree_compatible(const struct tree_reader *r, int node, const char *name)
{
	const void *data;
	int len;
	int found = tree_find(r, node, "compatible", &data, &len);

	if (found <= 0)
		return found;
	if (len < 1 || ((const char *)data)[len - 1])
		return tree_refuse(r, node, "compatible is not a list of strings");
	return fdt_stringlist_contains(data, len, name);
}

int tree_enabled(const struct tree_reader *r, int node)
{
	const char *status;
	int found = tree_string(r, node, "status", &status);

	if (found < 0)
		return -1;
	/* Devicetree Specification 0.4, 2.3.4: no status means okay; "ok" is older than it. */
	if (!found || !strcmp(status, "okay") || !strcmp(status, "ok"))
		return 1;
	if (!strcmp(status, "disabled"))
		return 0;
	return tree_refuse(r, node, "status is neither \"okay\" nor \"disabled\"");
}

bool tree_is_named(const struct tree_reader *r, int node, const char *base)
{
	const char *name = fdt_get_name(r->fdt, node, NULL);
	size_t len = strlen(base);

	return name && !strncmp(name, base, len) && (!name[len] || name[len] == '@');
}
