/* SPDX-License-Identifier: GPL-2.0 */
/* Guests that a test program makes by the ioctls of sigma.ko. */
#ifndef SIGMA_TEST_GUEST_H
#define SIGMA_TEST_GUEST_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../kmod/uapi/sigma.h"

#define PAGE		0x1000ULL
#define MIB		(1ULL << 20)
#define MEMORY		(4 * MIB)

/* A guest and its memory as mapped by this program */
struct guest {
	int fd, memory;
	uint8_t *map;
	uint64_t phys;			/* where its memory begins */
	struct sigma_info info;
};

static int control;
static enum sigma_guard_kind kind;

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf(": %s\n", strerror(errno));
	exit(1);
}

/* The guests */

static void make(struct guest *guest, const char *name, unsigned int cpu)
{
	struct sigma_create args = { .memory = MEMORY, .nr_cpus = 1, .cpus = { cpu },
				     .guard = kind };
	char path[64];

	snprintf(args.name, sizeof(args.name), "%s", name);
	if (ioctl(control, SIGMA_CREATE, &args))
		die("%s: not made, reason %u", name, args.why.reason);
	snprintf(path, sizeof(path), "/dev/sigma/%s", name);
	guest->fd = open(path, O_RDWR | O_CLOEXEC);
	if (guest->fd < 0 || ioctl(guest->fd, SIGMA_GET_INFO, &guest->info))
		die("%s", path);
	guest->memory = ioctl(guest->fd, SIGMA_MEMORY_FD);
	guest->map = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, guest->memory, 0);
	if (guest->map == MAP_FAILED)
		die("%s: its memory", name);
	guest->phys = guest->info.segments[0].phys;
}

static void destroy(struct guest *guest)
{
	struct sigma_destroy args;

	memcpy(args.name, guest->info.name, sizeof(args.name));
	munmap(guest->map, MEMORY);
	close(guest->memory);
	close(guest->fd);
	if (ioctl(control, SIGMA_DESTROY, &args))
		die("%s: cannot be destroyed", args.name);
}

static uint32_t state(struct guest *guest)
{
	if (ioctl(guest->fd, SIGMA_GET_INFO, &guest->info))
		die("%s: its state cannot be read", guest->info.name);
	return guest->info.state;
}

#endif
