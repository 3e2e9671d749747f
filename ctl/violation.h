/* SPDX-License-Identifier: GPL-2.0 */
/* A violation: what a guest did when its guard stopped it, and where. */
#ifndef SIGMACTL_VIOLATION_H
#define SIGMACTL_VIOLATION_H

#include <stdint.h>

#define VIOLATION_REGISTERS	23

/**
 * struct violation - the contents of /sys/class/sigma/NAME/violation
 * @text: all of the text, for people, in lines; the first line says what the guest did
 * @cpu: the host's number of the CPU
 * @guest_cpu: the guest's number of the same CPU
 * @cpl: current privilege level, 0 to 3
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

/** violation_read - read and parse; a negative errno, not reported: there is none, or not for us */
int violation_read(struct violation *violation, const char *name);

/** violation_parse - set the other members from @text; 0, or -EINVAL if it is no such text */
int violation_parse(struct violation *violation);

/** violation_register - the value of a register, by its name in struct violation.registers */
uint64_t violation_register(const struct violation *violation, const char *name);

#endif
