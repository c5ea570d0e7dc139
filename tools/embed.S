/* SPDX-License-Identifier: MIT */
/* Carries the file BLOB inside the executable, from NAME to NAME_end. */
#define CAT_(a, b) a##b
#define CAT(a, b)  CAT_(a, b)
	.section .rodata
	.balign	4096
	.global	NAME
NAME:
	.incbin	BLOB
	.global	CAT(NAME, _end)
CAT(NAME, _end):
