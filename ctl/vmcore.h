/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest's memory as an ELF core, as /proc/vmcore shows a kernel that crashed: for vmcore-dmesg,
 * makedumpfile and crash. The guest may run meanwhile: then pages are of different moments.
 */
#ifndef SIGMA_VMCORE_H
#define SIGMA_VMCORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/procfs.h>

#include "../common/memory.h"
#include "../common/vmcoreinfo.h"

/**
 * struct vmcore - what goes into the file
 * @mem: the guest's memory
 * @low: SIGMA_LOW_SIZE bytes, its memory at @low_phys
 * @info: its kernel, or NULL: then there are no virtual addresses in the file
 * @cpus: one for each of @nr_cpus; zeros where nothing is known
 * @progress: called now and then with how many of how many bytes are done; false ends it
 */
struct vmcore {
	const struct guest_memory *mem;
	const uint8_t *low;
	uint64_t low_phys;
	const struct vmcoreinfo *info;
	const struct elf_prstatus *cpus;
	unsigned int nr_cpus;
	bool (*progress)(void *data, uint64_t done, uint64_t size);
	void *data;
};

/**
 * vmcore_write - write it to @fd, from where that is
 * @sparse: @fd is a file that can have holes: pages of zeros are left out
 *
 * Return: 0 or -errno, not reported; -EINTR when @progress ended it. What was written stays.
 */
int vmcore_write(const struct vmcore *core, int fd, bool sparse);

#endif
