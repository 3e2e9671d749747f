// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Memory objects: see iosc.h for programs, and ../kmod/uapi/object.h for what the devices do. An
 * object is mapped once, all of it, for as long as it lives.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kmod/uapi/object.h"
#include "channel.h"
#include "iosc.h"

struct iosc_memory {
	int fd;
	void *at;
	size_t size;
	bool writable;
};

/* A channel without a device has no objects */
static int control(struct iosc *channel, unsigned long request, void *arg)
{
	if (!channel->pair)
		return ioctl(channel->fd, request, arg);
	errno = EOPNOTSUPP;
	return -1;
}

/* Takes @fd, which may be -1 with errno set */
static struct iosc_memory *map(int fd, size_t size, bool writable)
{
	struct iosc_memory *memory = fd < 0 ? NULL : malloc(sizeof(*memory));
	int error;

	if (memory) {
		*memory = (struct iosc_memory){ .fd = fd, .size = size, .writable = writable };
		memory->at = mmap(NULL, size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED,
				  fd, 0);
		if (memory->at != MAP_FAILED)
			return memory;
	}
	error = errno;
	free(memory);
	if (fd >= 0)
		close(fd);
	errno = error;
	return NULL;
}

struct iosc_memory *iosc_memory_new(struct iosc *channel, size_t size)
{
	struct sigma_object_new args = { .size = size };
	size_t rest = size % SIGMA_OBJECT_ALIGN;
	int fd = control(channel, SIGMA_CHANNEL_NEW_OBJECT, &args);

	return map(fd, rest ? size - rest + SIGMA_OBJECT_ALIGN : size, true);
}

int iosc_memory_grant(struct iosc *channel, struct iosc_memory *memory, size_t offset, size_t size,
		      int flags, unsigned int *grant)
{
	struct sigma_object_grant args = {
		.offset = offset, .size = size, .fd = memory->fd,
		.rights = flags & IOSC_MEMORY_WRITE ? SIGMA_OBJECT_WRITE : 0,
	};

	if (control(channel, SIGMA_CHANNEL_GRANT, &args))
		return -1;
	*grant = args.number;
	return 0;
}

int iosc_memory_revoke(struct iosc *channel, unsigned int grant)
{
	__u32 number = grant;
	int ret;

	do
		ret = control(channel, SIGMA_CHANNEL_REVOKE, &number);
	while (ret && errno == EINTR);
	return ret && errno == EBADF ? 0 : ret;
}

struct iosc_memory *iosc_memory_take(struct iosc *channel, unsigned int grant, int flags)
{
	struct sigma_object_take args = {
		.number = grant, .flags = flags & IOSC_MEMORY_ZEROES ? SIGMA_TAKE_ZEROES : 0,
	};
	int fd = control(channel, SIGMA_CHANNEL_TAKE, &args);

	return map(fd, args.size, args.rights & SIGMA_OBJECT_WRITE);
}

void *iosc_memory_at(const struct iosc_memory *memory)
{
	return memory->at;
}

size_t iosc_memory_size(const struct iosc_memory *memory)
{
	return memory->size;
}

int iosc_memory_is_writable(const struct iosc_memory *memory)
{
	return memory->writable;
}

int iosc_memory_fd(const struct iosc_memory *memory)
{
	return memory->fd;
}

void iosc_memory_free(struct iosc_memory *memory)
{
	if (!memory)
		return;
	munmap(memory->at, memory->size);
	close(memory->fd);
	free(memory);
}
