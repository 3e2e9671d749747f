// SPDX-License-Identifier: GPL-2.0
/* A guest's memory, mapped here: see memory.h. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"
#include "memory.h"

#define PAGE	UINT64_C(4096)

/* For the signal handler, which has no other way to them */
static struct guest_memory *survivor;
static int survivor_event;

/* The segment with all of [@phys, @phys + @len); @offset: out: where in the memory file */
static bool find(const struct guest_memory *mem, uint64_t phys, uint64_t len, uint64_t *offset)
{
	for (unsigned int i = 0; i < mem->nr; i++) {
		const struct memory_segment *seg = &mem->segment[i];

		if (phys >= seg->phys && phys - seg->phys < seg->size) {
			uint64_t at = phys - seg->phys;

			*offset = seg->offset + at;
			return len && len <= seg->size - at;
		}
	}
	return false;
}

unsigned int memory_failed(const struct guest_memory *mem)
{
	return __atomic_load_n(&mem->nr_failed, __ATOMIC_ACQUIRE);
}

static bool has_failed(const struct guest_memory *mem, uint64_t offset, uint64_t len)
{
	unsigned int nr = memory_failed(mem);

	for (unsigned int i = 0; i < nr; i++) {
		uint64_t page = __atomic_load_n(&mem->failed[i], __ATOMIC_RELAXED);

		if (page < offset + len && offset < page + PAGE)
			return true;
	}
	return false;
}

void *memory_at(const struct guest_memory *mem, uint64_t phys, uint64_t len)
{
	uint64_t offset;

	return find(mem, phys, len, &offset) && !has_failed(mem, offset, len) ?
		mem->base + offset : NULL;
}

int memory_read(const struct guest_memory *mem, uint64_t phys, void *buffer, size_t len)
{
	uint8_t *to = buffer;
	uint64_t offset;
	ssize_t done;

	if (!find(mem, phys, len, &offset))
		return -EFAULT;
	while (len) {
		done = pread(mem->fd, to, len, offset);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done ? -errno : -EIO;
		to += done;
		offset += done;
		len -= done;
	}
	return 0;
}

/* Several threads may be here at a time. The same page twice does no harm */
static bool replace(struct guest_memory *mem, uint64_t offset)
{
	static bool busy;
	unsigned int nr;
	void *at;

	while (__atomic_exchange_n(&busy, true, __ATOMIC_ACQUIRE))
		;
	nr = mem->nr_failed;
	at = nr < MEMORY_FAILED_MAX ?
	     mmap(mem->base + offset, PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) : MAP_FAILED;
	if (at != MAP_FAILED) {
		__atomic_store_n(&mem->failed[nr], offset, __ATOMIC_RELAXED);
		__atomic_store_n(&mem->nr_failed, nr + 1, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&busy, false, __ATOMIC_RELEASE);
	return at != MAP_FAILED;
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	struct guest_memory *mem = survivor;
	uint64_t offset = mem ? (uint8_t *)info->si_addr - mem->base : 0;
	int error = errno;

	/* One that a process sent (si_code), or one of other memory, ends this process after all */
	if (mem && info->si_code > 0 && offset < mem->size && replace(mem, offset / PAGE * PAGE)) {
		eventfd_write(survivor_event, 1);
	} else {
		signal(SIGBUS, SIG_DFL);
		raise(SIGBUS);
	}
	errno = error;
}

int memory_survive(struct guest_memory *mem, int event)
{
	struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };

	survivor = mem;
	survivor_event = event;
	return sigaction(SIGBUS, &action, NULL) ? -errno : 0;
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
	if (survivor == mem) {
		signal(SIGBUS, SIG_DFL);
		survivor = NULL;
	}
	munmap(mem->base, mem->size);
	close(mem->fd);
	mem->base = NULL;
}
