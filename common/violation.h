/* SPDX-License-Identifier: GPL-2.0 */
/* A violation: what a guest did when its guard stopped it, and where. In words and numbers. */
#ifndef SIGMA_VIOLATION_H
#define SIGMA_VIOLATION_H

#include <stddef.h>
#include <stdint.h>

#include "../kmod/uapi/sigma.h"

/* Indices of sigma_violation.gpr */
enum { GPR_RAX, GPR_RCX, GPR_RDX, GPR_RBX, GPR_RSP, GPR_RBP, GPR_RSI, GPR_RDI, GPR_R8 };

#define VIOLATION_REGISTERS	23
#define VIOLATION_WHAT_MAX	128	/* bytes that violation_what() needs */
#define VIOLATION_TEXT_MAX	1024	/* bytes that violation_text() needs */

/** struct violation_register - one of the guest's registers, with its name as in gdb */
struct violation_register {
	const char *name;
	uint64_t value;
};

/**
 * violation_get - SIGMA_GET_VIOLATION
 * @guest_fd: /dev/sigma/NAME
 *
 * Return: 0; -ENOENT: the guard did not stop the guest; another -errno. Not reported.
 */
int violation_get(int guest_fd, struct sigma_violation *violation);

/** violation_what - describe in one line, without a newline, what the guest did */
void violation_what(const struct sigma_violation *violation, char text[VIOLATION_WHAT_MAX]);

/** violation_text - describe in lines what the guest did, where, and with which registers */
void violation_text(const struct sigma_violation *violation, char text[VIOLATION_TEXT_MAX]);

/** violation_registers - list rip, rflags, cr0 to efer, and rax to r15 */
void violation_registers(const struct sigma_violation *violation,
			 struct violation_register registers[VIOLATION_REGISTERS]);

#endif
