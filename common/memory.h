/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest's memory in the address space of a process: one mapping of the memory file, in which the
 * guest's segments follow each other, and a table that translates guest physical addresses.
 */
#ifndef SIGMA_MEMORY_H
#define SIGMA_MEMORY_H

#include <stdint.h>
#include <stddef.h>

#include "../kmod/uapi/sigma.h"

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
 */
struct guest_memory {
	int fd;
	uint8_t *base;
	uint64_t size;
	unsigned int nr;
	struct memory_segment segment[SIGMA_SEGMENTS_MAX];
};

/**
 * memory_at - translate a guest physical address to a pointer
 *
 * Return: a pointer to @len bytes, or NULL unless all of [@phys, @phys + @len) lies in
 * one segment. A range that wraps gives NULL, and so does a @len of 0. A running guest shares the
 * memory: read every value from it once.
 */
void *memory_at(const struct guest_memory *mem, uint64_t phys, uint64_t len);

/** memory_open - map the memory of the guest whose device is @guest_fd; 0 or a reported -errno */
int memory_open(struct guest_memory *mem, int guest_fd, const struct sigma_info *info);
void memory_close(struct guest_memory *mem);

#endif
