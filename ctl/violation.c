// SPDX-License-Identifier: GPL-2.0
/*
 * Reads why a guard stopped its guest, from the text that sigma.ko makes (kmod/guard/report.c). The
 * first line says what the guest did, the second one where. The other lines have the registers,
 * each as "NAME HEX".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "violation.h"

int violation_read(struct violation *violation, const char *name)
{
	char path[256];
	ssize_t len;
	int fd;

	memset(violation, 0, sizeof(*violation));
	snprintf(path, sizeof(path), "/sys/class/sigma/%s/violation", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -ENOENT;
	len = read(fd, violation->text, sizeof(violation->text) - 1);
	close(fd);
	return len > 0 ? violation_parse(violation) : -ENOENT;
}

/* The number after @key; 0 if there is none */
static uint64_t number_of(const char *text, const char *key, int base)
{
	const char *at = strstr(text, key);

	return at ? strtoull(at + strlen(key), NULL, base) : 0;
}

int violation_parse(struct violation *violation)
{
	static const char *const names[VIOLATION_REGISTERS] = {
		"rip", "rflags", "cr0", "cr2", "cr3", "cr4", "efer",
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
	};
	const char *where = strchr(violation->text, '\n');

	if (!where || !strstr(where, "RIP "))
		return -EINVAL;
	where++;
	violation->cpu = number_of(where, "cpu ", 10);
	violation->guest_cpu = number_of(where, "(the guest's CPU ", 10);
	violation->cpl = number_of(where, "CPL ", 10);
	for (unsigned int i = 0; i < VIOLATION_REGISTERS; i++) {
		char key[16];

		snprintf(key, sizeof(key), i ? "%s " : "RIP ", names[i]);
		violation->registers[i].name = names[i];
		violation->registers[i].value = number_of(where, key, 16);
	}
	return 0;
}

uint64_t violation_register(const struct violation *violation, const char *name)
{
	for (unsigned int i = 0; i < VIOLATION_REGISTERS; i++)
		if (!strcmp(violation->registers[i].name, name))
			return violation->registers[i].value;
	abort();
}
