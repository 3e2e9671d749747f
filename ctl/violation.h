/* SPDX-License-Identifier: GPL-2.0 */
/* Why a guard stopped a guest, and where. */
#ifndef SIGMACTL_VIOLATION_H
#define SIGMACTL_VIOLATION_H

#include <stdint.h>

#define VIOLATION_REGISTERS	23

/**
 * struct violation - what /sys/class/sigma/NAME/violation says
 * @text: all of it, for people, in lines; the first one is what the guest did
 * @cpu: of the host
 * @guest_cpu: the same one as the guest counts
 * @cpl: privilege level
 * @registers: rip, rflags, cr0 to efer and rax to r15
 */
struct violation {
	char text[4096];
	unsigned int cpu, guest_cpu, cpl;
	struct {
		const char *name;
		uint64_t value;
	} registers[VIOLATION_REGISTERS];
};

/** violation_read - 0, or -ENOENT, without a message: there is none, or it is not for us to see */
int violation_read(struct violation *violation, const char *name);

/** violation_parse - fill in the rest from @text; 0, or -EINVAL where that is something else */
int violation_parse(struct violation *violation);

/** violation_register - by one of the names of struct violation.registers */
uint64_t violation_register(const struct violation *violation, const char *name);

#endif
