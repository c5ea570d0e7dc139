// SPDX-License-Identifier: MIT
#include "util/reset_kind.h"

const char *reset_kind_name(enum reset_kind kind)
{
	static const char *const names[RESET_KINDS] = {
		[RESET_POWER_ON] = "power-on",
		[RESET_HARD] = "hard",
		[RESET_SOFT] = "soft",
		[RESET_KBC] = "kbc",
		[RESET_TRIPLE_FAULT] = "triple-fault",
		[RESET_INIT] = "init",
		[RESET_HOST] = "host",
	};

	return names[kind];
}
