// SPDX-License-Identifier: GPL-2.0
/* A violation in words and numbers: see violation.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "violation.h"

#define GPRS		16
#define OTHERS		(VIOLATION_REGISTERS - GPRS)
#define GPRS_A_LINE	4

int violation_get(int guest_fd, struct sigma_violation *violation)
{
	if (ioctl(guest_fd, SIGMA_GET_VIOLATION, violation))
		return -errno;
	return violation->reason == SIGMA_VIOLATION_NONE ? -ENOENT : 0;
}

void violation_what(const struct sigma_violation *violation, char text[VIOLATION_WHAT_MAX])
{
	const size_t size = VIOLATION_WHAT_MAX;
	const uint64_t info = violation->info;

	switch (violation->reason) {
	case SIGMA_VIOLATION_MEMORY:
		snprintf(text, size, "%s address 0x%" PRIx64 ", which is not the guest's",
			 violation->fetch ? "ran code at" : violation->write ? "wrote to" :
			 "read from", info);
		break;
	case SIGMA_VIOLATION_SHUTDOWN:
		snprintf(text, size, "triple fault");
		break;
	case SIGMA_VIOLATION_IPI:
		snprintf(text, size, "sent an interrupt that it may not send, ICR 0x%" PRIx64, info);
		break;
	case SIGMA_VIOLATION_STATE:
		snprintf(text, size, "invalid CPU state");
		break;
	case SIGMA_VIOLATION_MACHINE_CHECK:
		snprintf(text, size, "machine check, status 0x%" PRIx64, info);
		break;
	case SIGMA_VIOLATION_GUARD:
		snprintf(text, size, "fault in the guard itself at 0x%" PRIx64 ", please report it",
			 info);
		break;
	default:
		snprintf(text, size, "caused a VM exit that the guard does not handle, code 0x%" PRIx64,
			 info);
	}
}

void violation_registers(const struct sigma_violation *violation,
			 struct violation_register registers[VIOLATION_REGISTERS])
{
	static const char *const gprs[GPRS] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
	};
	const struct violation_register others[OTHERS] = {
		{ "rip", violation->rip }, { "rflags", violation->rflags },
		{ "cr0", violation->cr0 }, { "cr2", violation->cr2 }, { "cr3", violation->cr3 },
		{ "cr4", violation->cr4 }, { "efer", violation->efer },
	};

	memcpy(registers, others, sizeof(others));
	for (unsigned int i = 0; i < GPRS; i++)
		registers[OTHERS + i] = (struct violation_register){ gprs[i], violation->gpr[i] };
}

void violation_text(const struct sigma_violation *violation, char text[VIOLATION_TEXT_MAX])
{
	struct violation_register registers[VIOLATION_REGISTERS];
	FILE *out = fmemopen(text, VIOLATION_TEXT_MAX, "w");
	char what[VIOLATION_WHAT_MAX];

	*text = '\0';
	if (!out)
		return;
	violation_what(violation, what);
	fprintf(out, "%s\ncpu %u (the guest's CPU %u), CPL %u, RIP 0x%" PRIx64 "\n", what, violation->cpu,
		violation->guest_cpu, violation->cpl, (uint64_t)violation->rip);
	violation_registers(violation, registers);
	for (unsigned int i = 1; i < OTHERS; i++)
		fprintf(out, "%s %" PRIx64 "%c", registers[i].name, registers[i].value,
			i == OTHERS - 1 ? '\n' : ' ');
	for (unsigned int i = 0; i < GPRS; i++)
		fprintf(out, "%s %016" PRIx64 "%c", registers[OTHERS + i].name,
			registers[OTHERS + i].value, i % GPRS_A_LINE == GPRS_A_LINE - 1 ? '\n' : ' ');
	fclose(out);
}
