/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest's memory as an ELF core for vmcore-dmesg, makedumpfile and crash, like /proc/vmcore of a
 * kernel that crashed. The guest may run while it is written; then pages are of different moments.
 */
#ifndef SIGMA_VMCORE_H
#define SIGMA_VMCORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/procfs.h>

#include "../common/memory.h"
#include "../common/vmcoreinfo.h"

/**
 * struct vmcore - the contents of the file
 * @mem: the guest's memory
 * @low: its low memory, SIGMA_LOW_SIZE bytes at the physical address @low_phys
 * @info: its kernel; NULL: the file will have no virtual addresses
 * @cpus: registers of each of @nr_cpus CPUs; zeros if they are not known
 * @progress: called now and then with the bytes done and the size; false ends the write
 * @data: for @progress
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
 * vmcore_write - write the core to @fd, from its present offset on
 * @sparse: @fd is a file that can have holes, so pages of zeros are left out
 * @failed: out: number of pages with a memory error, which are zeros in the file
 *
 * Return: 0 or -errno, not reported; -EINTR if @progress ended it. What is written so far stays.
 */
int vmcore_write(const struct vmcore *core, int fd, bool sparse, uint64_t *failed);

#endif
