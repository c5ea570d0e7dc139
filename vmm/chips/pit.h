/* SPDX-License-Identifier: MIT */
#ifndef SIPI_CHIPS_PIT_H
#define SIPI_CHIPS_PIT_H
#endif
