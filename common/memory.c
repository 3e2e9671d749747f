// SPDX-License-Identifier: GPL-2.0
/* A guest's memory, mapped here: see memory.h. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"
#include "memory.h"

void *memory_at(const struct guest_memory *mem, uint64_t phys, uint64_t len)
{
	for (unsigned int i = 0; i < mem->nr; i++) {
		const struct memory_segment *seg = &mem->segment[i];

		if (phys >= seg->phys && phys - seg->phys < seg->size) {
			uint64_t at = phys - seg->phys;

			return len && len <= seg->size - at ?
				mem->base + seg->offset + at : NULL;
		}
	}
	return NULL;
}

int memory_open(struct guest_memory *mem, int guest_fd, const struct sigma_info *info)
{
	uint64_t offset = 0;
	int fd;

	memset(mem, 0, sizeof(*mem));
	for (unsigned int i = 0; i < info->nr_segments; i++) {
		mem->segment[i] = (struct memory_segment) {
			.phys = info->segments[i].phys,
			.size = info->segments[i].size,
			.offset = offset,
		};
		offset += info->segments[i].size;
	}
	mem->nr = info->nr_segments;
	mem->size = offset;

	fd = ioctl(guest_fd, SIGMA_MEMORY_FD);
	if (fd < 0)
		return log_error(-errno, "cannot get the guest's memory file: %s",
				 strerror(errno));

	mem->base = mmap(NULL, mem->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mem->base == MAP_FAILED) {
		int error = -errno;

		close(fd);
		return log_error(error, "cannot map %llu bytes of guest memory: %s",
				 (unsigned long long)mem->size, strerror(-error));
	}
	/* Neither a child process nor a core dump of this process gets the guest's memory */
	madvise(mem->base, mem->size, MADV_DONTFORK);
	madvise(mem->base, mem->size, MADV_DONTDUMP);
	mem->fd = fd;
	return 0;
}

void memory_close(struct guest_memory *mem)
{
	if (!mem->base)
		return;
	munmap(mem->base, mem->size);
	close(mem->fd);
	mem->base = NULL;
}
