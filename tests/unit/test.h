/* SPDX-License-Identifier: MIT */
/* What every unit test includes: cmocka, with TAP on stdout for prove. */
#ifndef SIPI_TESTS_TEST_H
#define SIPI_TESTS_TEST_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>

#define TEST_MAIN(...)                                                                             \
	int main(void)                                                                             \
	{                                                                                          \
		const struct CMUnitTest all_tests[] = {__VA_ARGS__};                               \
                                                                                                   \
		cmocka_set_message_output(CM_OUTPUT_TAP);                                          \
		return cmocka_run_group_tests(all_tests, NULL, NULL) != 0;                         \
	}

#endif
