/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest's memory in the address space of a process: one mapping of the memory file, in which the
 * guest's segments follow each other, and a table that translates guest physical addresses.
 *
 * A page may have a memory error. An access to it is a SIGBUS, which memory_survive() makes harmless.
 * memory_read() reads without the mapping, and fails. What looks at all of the memory uses that: on
 * some machines an access to the failing cells stops everything.
 */
#ifndef SIGMA_MEMORY_H
#define SIGMA_MEMORY_H

#include <stdint.h>
#include <stddef.h>

#include "../kmod/uapi/sigma.h"

#define MEMORY_FAILED_MAX	64	/* pages; with more the memory is good for nothing */

struct memory_segment {
	uint64_t phys;		/* guest physical = host physical */
	uint64_t size;		/* bytes */
	uint64_t offset;	/* in the memory file */
};

/**
 * struct guest_memory - a mapped memory file
 * @fd: the memory file
 * @base: where offset 0 is mapped
 * @size: bytes mapped
 * @nr: segments, ascending @phys, not overlapping; the low memory is not among them
 * @shared: the end of a segment that is the area of memory objects, and not the kernel's; size 0:
 *	there is none. load_place_shared() sets it
 * @nr_failed: number of @failed. Both are atomic
 * @failed: offsets of pages that memory_survive() has replaced by zeros
 */
struct guest_memory {
	int fd;
	uint8_t *base;
	uint64_t size;
	unsigned int nr;
	struct memory_segment segment[SIGMA_SEGMENTS_MAX];
	struct sigma_shared shared;
	unsigned int nr_failed;
	uint64_t failed[MEMORY_FAILED_MAX];
};

/**
 * memory_at - translate a guest physical address to a pointer
 *
 * Return: a pointer to @len bytes, or NULL unless all of [@phys, @phys + @len) lies in
 * one segment, without a page that memory_survive() replaced. A range that wraps gives NULL, and so
 * does a @len of 0. A running guest shares the memory: read every value from it once.
 */
void *memory_at(const struct guest_memory *mem, uint64_t phys, uint64_t len);

/**
 * memory_read - copy guest physical memory, without the mapping
 *
 * Return: 0; -EFAULT unless all of it is the guest's; -EIO at a page with a memory error.
 */
int memory_read(const struct guest_memory *mem, uint64_t phys, void *buffer, size_t len);

/**
 * memory_survive - let this process survive an access to a page with a memory error
 * @event: an eventfd, signalled after each such page. Its value is the number of pages
 *
 * The page is replaced by zeros, for this process alone, so that the access finds them, or is lost;
 * from then on memory_at() refuses the page. Return: 0 or -errno. It ends with memory_close().
 */
int memory_survive(struct guest_memory *mem, int event);

/** memory_failed - number of pages that memory_survive() has replaced */
unsigned int memory_failed(const struct guest_memory *mem);

/** memory_open - map the memory of the guest whose device is @guest_fd; 0 or a reported -errno */
int memory_open(struct guest_memory *mem, int guest_fd, const struct sigma_info *info);
void memory_close(struct guest_memory *mem);

#endif
