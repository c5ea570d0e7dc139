/* SPDX-License-Identifier: MIT */
#ifndef SIPI_MACHINE_INSN_H
#define SIPI_MACHINE_INSN_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The name of the instruction that starts at these bytes, for the ones that KVM's emulator is known
 * to refuse or that commonly end a guest; NULL for all others. Not a disassembler. Any bytes, any
 * length.
 */
const char *insn_name(const uint8_t *bytes, unsigned len, bool long_mode);

#endif
