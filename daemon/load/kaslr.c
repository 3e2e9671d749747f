// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel address space layout randomization, as the code of a bzImage does it
 * (arch/x86/boot/compressed/misc.c, handle_relocations(), and kaslr.c): the kernel gets another
 * virtual address. Where it is in physical memory is the host's choice.
 *
 * Behind the ELF file of a kernel with CONFIG_RANDOMIZE_BASE are the places that must be corrected,
 * as 32-bit words, in lists that each begin with a 0:
 *
 *	until 6.14	0, 64-bit values, 0, 32-bit values relative to the per-CPU area, 0, 32-bit values
 *	since		0, 64-bit values, 0, 32-bit values
 *
 * A word is the low half of a virtual address at which the kernel is linked, and none is 0.
 */
#include <elf.h>
#include <inttypes.h>
#include <string.h>
#include <sys/param.h>
#include <sys/random.h>

#include "../../common/log.h"
#include "load.h"

#define KERNEL_MAP		0x80000000U	/* __START_KERNEL_map, the low half */
#define KERNEL_IMAGE_SIZE	((uint64_t)1 << 30)	/* what a kernel with CONFIG_RANDOMIZE_BASE maps */

static uint32_t word_at(const struct kernel *kernel, size_t at)
{
	uint32_t word;

	memcpy(&word, kernel->data + at, sizeof(word));
	return word;
}

/* The end of the ELF file, whose section headers are the last that it has */
static size_t elf_end(const struct kernel *kernel)
{
	Elf64_Ehdr elf;
	uint64_t end;

	memcpy(&elf, kernel->data, sizeof(elf));
	if (elf.e_shentsize != sizeof(Elf64_Shdr) || elf.e_shoff > kernel->size)
		return 0;
	end = elf.e_shoff + (uint64_t)elf.e_shnum * sizeof(Elf64_Shdr);
	for (unsigned int i = 0; i < kernel->nr_segments; i++)
		end = MAX(end, kernel->segment[i].from + kernel->segment[i].size);
	return end <= kernel->size ? end : 0;
}

/* Where the kernel has the value that this word stands for: an offset from its start */
static uint64_t target(const struct kernel *kernel, uint32_t word)
{
	return (uint64_t)(uint32_t)(word - KERNEL_MAP) - kernel->linked_at;
}

static bool targets_are_inside(const struct kernel *kernel, const struct kernel_relocs *relocs,
			       size_t size)
{
	for (size_t i = 0; i < relocs->nr; i++) {
		uint64_t at = target(kernel, word_at(kernel, relocs->at + i * sizeof(uint32_t)));

		if (kernel->init_size < size || at > kernel->init_size - size)
			return false;
	}
	return true;
}

/* Find the lists from @at to the end of the file. Return: they are as above */
static bool read_lists(struct kernel *kernel, size_t at)
{
	struct kernel_relocs lists[3] = { 0 };
	unsigned int nr = 0;

	if ((kernel->size - at) % sizeof(uint32_t))
		return false;
	for (; at < kernel->size; at += sizeof(uint32_t)) {
		if (word_at(kernel, at)) {
			if (!nr)
				return false;
			lists[nr - 1].nr++;
		} else {
			if (nr == sizeof(lists) / sizeof(*lists))
				return false;
			lists[nr++].at = at + sizeof(uint32_t);
		}
	}
	if (nr < 2)
		return false;
	kernel->relocs64 = lists[0];
	if (nr == 3)
		kernel->relocs_percpu = lists[1];
	kernel->relocs32 = lists[nr - 1];
	return targets_are_inside(kernel, &kernel->relocs64, sizeof(uint64_t)) &&
	       targets_are_inside(kernel, &kernel->relocs_percpu, sizeof(uint32_t)) &&
	       targets_are_inside(kernel, &kernel->relocs32, sizeof(uint32_t));
}

void kaslr_find(struct kernel *kernel, const char *path)
{
	size_t end = elf_end(kernel);

	if (end == kernel->size)
		return;		/* without CONFIG_RANDOMIZE_BASE */
	kernel->can_move = end && read_lists(kernel, end);
	if (!kernel->can_move)
		log_warning("%s: the list of its relocations cannot be read; the kernel runs at the address that it is linked for, without KASLR",
			    path);
}

/* find_random_virt_addr(): any of the addresses at which the kernel is aligned and has room */
uint64_t kaslr_choose(const struct kernel *kernel)
{
	uint64_t size = MAX(kernel->init_size, kernel->size), random;

	if (!kernel->can_move || kernel->linked_at + size > KERNEL_IMAGE_SIZE ||
	    getrandom(&random, sizeof(random), 0) != sizeof(random))
		return 0;
	return random % ((KERNEL_IMAGE_SIZE - kernel->linked_at - size) / kernel->alignment + 1) *
	       kernel->alignment;
}

/* Add @delta to values of @size bytes, at most 8, of a CPU that is little-endian */
static void add(const struct kernel *kernel, const struct kernel_relocs *relocs, size_t size,
		uint8_t *to, uint64_t delta)
{
	for (size_t i = 0; i < relocs->nr; i++) {
		uint8_t *at = to + target(kernel, word_at(kernel, relocs->at + i * sizeof(uint32_t)));
		uint64_t value = 0;

		memcpy(&value, at, size);
		value += delta;
		memcpy(at, &value, size);
	}
}

void kaslr_move(const struct kernel *kernel, uint8_t *to, uint64_t delta)
{
	if (!kernel->can_move)
		return;
	add(kernel, &kernel->relocs64, sizeof(uint64_t), to, delta);
	add(kernel, &kernel->relocs32, sizeof(uint32_t), to, delta);
	add(kernel, &kernel->relocs_percpu, sizeof(uint32_t), to, -delta);
}
