// SPDX-License-Identifier: GPL-2.0
/*
 * Calls an ioctl of sigma.ko with the arguments that are given, however wrong they are. When it
 * fails, prints the error and sigma.ko's reason. For bad-input.sh.
 *
 *	ioctls create NAME MEMORY FLAGS GUARD NR_CPUS [CPU...]
 *	ioctls destroy NAME
 *	ioctls wild			SIGMA_CREATE with an address that is not mapped
 *	ioctls unknown			a number that sigma.ko does not have
 *	ioctls start NAME [ENTRY]	SIGMA_START, by default where the guest's memory begins
 *	ioctls kick|call NAME DOORBELL	SIGMA_SET_KICK or SIGMA_SET_CALL of file descriptor 0
 *	ioctls map NAME SIZE		mmap() of the guest's device
 *	ioctls where NAME		prints PLACES of a guest: IOSC LOW APIC_ID ADDRESS SIZE...
 *	ioctls create-at NAME PLACES	SIGMA_CREATE_AT, with one CPU
 *	ioctls restore NAME BYTE [PAGE]	SIGMA_RESTORE with a window full of BYTE. With PAGE it says of itself
 *					that it is of a guest which is asleep and wants to wake there
 *	ioctls wake NAME		SIGMA_WAKE
 *	ioctls use NAME DOORBELL	with good arguments all that takes something from the kernel, in
 *					turn, and gives it back; for faults.sh
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "../../common/reason.h"
#include "../../kmod/uapi/iosc.h"
#include "../../kmod/uapi/sigma.h"

static int failed(void)
{
	printf("%s\n", strerror(errno));
	return 1;
}

static int open_device(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/sigma/%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		printf("%s: %s\n", path, strerror(errno));
		exit(1);
	}
	return fd;
}

static int create(char **args)
{
	struct sigma_create create = {};
	char text[REASON_TEXT_MAX];
	unsigned int i;

	/* A name that is too long leaves no room for the NUL */
	memcpy(create.name, args[0], strnlen(args[0], sizeof(create.name)));
	create.memory = strtoull(args[1], NULL, 0);
	create.flags = strtoul(args[2], NULL, 0);
	create.guard = strtoul(args[3], NULL, 0);
	create.nr_cpus = strtoul(args[4], NULL, 0);
	for (i = 0; args[5 + i] && i < SIGMA_CPUS_MAX; i++)
		create.cpus[i] = strtoul(args[5 + i], NULL, 0);
	if (!ioctl(open_device("control"), SIGMA_CREATE, &create))
		return 0;
	reason_text(&create.why, create.memory, text);
	printf("%s: %s\n", strerror(errno), text);
	return 1;
}

static int where(const char *name)
{
	struct sigma_info info;

	if (ioctl(open_device(name), SIGMA_GET_INFO, &info))
		return failed();
	printf("0x%llx 0x%llx %u", info.iosc_phys, info.low_phys, info.apic_ids[0]);
	for (unsigned int i = 0; i < info.nr_segments; i++)
		printf(" 0x%llx 0x%llx", info.segments[i].phys, info.segments[i].size);
	putchar('\n');
	return 0;
}

static int create_at(const char *name, char **places)
{
	struct sigma_create_at at = { .create.nr_cpus = 1 };
	char text[REASON_TEXT_MAX];

	snprintf(at.create.name, sizeof(at.create.name), "%s", name);
	at.iosc_phys = strtoull(*places++, NULL, 0);
	at.low_phys = strtoull(*places++, NULL, 0);
	at.apic_ids[0] = strtoul(*places++, NULL, 0);
	for (; places[0] && places[1] && at.nr_segments < SIGMA_SEGMENTS_MAX; places += 2) {
		struct sigma_segment *seg = &at.segments[at.nr_segments++];

		seg->phys = strtoull(places[0], NULL, 0);
		seg->size = strtoull(places[1], NULL, 0);
		at.create.memory += seg->size;
	}
	if (!ioctl(open_device("control"), SIGMA_CREATE_AT, &at))
		return 0;
	reason_text(&at.create.why, at.create.memory, text);
	printf("%s: %s\n", strerror(errno), text);
	return 1;
}

static int restore(const char *name, const char *byte, const char *page)
{
	static __u8 window[SIGMA_IOSC_SIZE], low[SIGMA_LOW_SIZE];
	struct sigma_iosc_header *header = (void *)(window + SIGMA_IOSC_HEADER_OFF);
	const struct sigma_restore args = { .window = (uintptr_t)window, .low = (uintptr_t)low };

	memset(window, strtoul(byte, NULL, 0), sizeof(window));
	memset(low, strtoul(byte, NULL, 0), sizeof(low));
	if (page) {
		header->magic = SIGMA_IOSC_MAGIC;
		header->version = SIGMA_IOSC_VERSION;
		header->guest.state = SIGMA_GUEST_ASLEEP;
		header->guest.wake_page = strtoull(page, NULL, 0);
		header->guest.wake_flags = 0;
	}
	return ioctl(open_device(name), SIGMA_RESTORE, &args) ? failed() : 0;
}

static int wake(const char *name)
{
	struct sigma_wake args = {};

	return ioctl(open_device(name), SIGMA_WAKE, &args) ? failed() : 0;
}

static int destroy_named(const char *name)
{
	struct sigma_destroy args = {};

	memcpy(args.name, name, strnlen(name, sizeof(args.name)));
	return ioctl(open_device("control"), SIGMA_DESTROY, &args) ? failed() : 0;
}

static int start(const char *name, const char *entry)
{
	int fd = open_device(name);
	struct sigma_info info;
	struct sigma_start args;

	if (ioctl(fd, SIGMA_GET_INFO, &info))
		return failed();
	args.boot_params = info.segments[0].phys;
	args.entry = entry ? strtoull(entry, NULL, 0) : args.boot_params;
	return ioctl(fd, SIGMA_START, &args) ? failed() : 0;
}

static int bind_eventfd(const char *name, unsigned long request, const char *doorbell)
{
	struct sigma_eventfd args = { .doorbell = strtoul(doorbell, NULL, 0) };

	return ioctl(open_device(name), request, &args) ? failed() : 0;
}

static int map_device(const char *name, const char *size)
{
	void *map = mmap(NULL, strtoull(size, NULL, 0), PROT_READ | PROT_WRITE, MAP_SHARED,
			 open_device(name), 0);

	return map == MAP_FAILED ? failed() : 0;
}

static int use(const char *name, const char *doorbell)
{
	static __u8 low[SIGMA_LOW_SIZE];
	struct sigma_low read_low = { .buffer = (uintptr_t)low };
	int fd = open_device(name), event = eventfd(0, EFD_CLOEXEC);
	struct sigma_eventfd args = { .doorbell = strtoul(doorbell, NULL, 0), .fd = event };
	struct sigma_nodes nodes;
	struct sigma_info info;

	return event < 0 || ioctl(fd, SIGMA_GET_INFO, &info) || ioctl(fd, SIGMA_GET_NODES, &nodes) ||
	       ioctl(fd, SIGMA_READ_LOW, &read_low) || ioctl(fd, SIGMA_MEMORY_FD) < 0 ||
	       ioctl(fd, SIGMA_SET_KICK, &args) || ioctl(fd, SIGMA_SET_CALL, &args) ? failed() : 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	if (!strcmp(verb, "create") && argc > 6)
		return create(argv + 2);
	if (!strcmp(verb, "destroy") && argc == 3)
		return destroy_named(argv[2]);
	if (!strcmp(verb, "wild"))
		return ioctl(open_device("control"), SIGMA_CREATE, (void *)8) ? failed() : 0;
	if (!strcmp(verb, "unknown"))
		return ioctl(open_device("control"), _IO(SIGMA_IOC, 0x7f), NULL) ? failed() : 0;
	if (!strcmp(verb, "start") && argc >= 3)
		return start(argv[2], argv[3]);
	if (!strcmp(verb, "kick") && argc == 4)
		return bind_eventfd(argv[2], SIGMA_SET_KICK, argv[3]);
	if (!strcmp(verb, "call") && argc == 4)
		return bind_eventfd(argv[2], SIGMA_SET_CALL, argv[3]);
	if (!strcmp(verb, "map") && argc == 4)
		return map_device(argv[2], argv[3]);
	if (!strcmp(verb, "where") && argc == 3)
		return where(argv[2]);
	if (!strcmp(verb, "create-at") && argc > 5)
		return create_at(argv[2], argv + 3);
	if (!strcmp(verb, "restore") && argc > 3)
		return restore(argv[2], argv[3], argv[4]);
	if (!strcmp(verb, "wake") && argc == 3)
		return wake(argv[2]);
	if (!strcmp(verb, "use") && argc == 4)
		return use(argv[2], argv[3]);
	printf("ioctls: see the top of its source for its arguments\n");
	return 2;
}
