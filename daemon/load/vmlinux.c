// SPDX-License-Identifier: GPL-2.0
/*
 * A vmlinux: the kernel's own ELF file, as a build makes it. A bzImage contains it compressed
 * (payload.c); a build's file has no list of relocations behind it, so there is no KASLR. It is
 * entered as the code of a bzImage does it: at e_entry, in 64-bit mode, with RSI pointing to the boot
 * parameters and all of it identity mapped (arch/x86/kernel/head_64.S, startup_64).
 *
 * The segments have physical addresses, but the kernel runs at any distance from them that is a
 * multiple of 2 MiB (arch/x86/boot/startup/map_kernel.c, __startup_64).
 */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <sys/param.h>

#include "../../common/log.h"
#include "load.h"

#define ALIGNMENT	0x200000
#define EXTENT_MAX	((uint64_t)1 << 30)	/* KERNEL_IMAGE_SIZE: a kernel maps no more */
#define CMDLINE_MAX	2047			/* COMMAND_LINE_SIZE without the NUL */
#define PROTOCOL	0x020f
#define BANNER		"Linux version "

bool vmlinux_matches(const struct kernel *kernel)
{
	return kernel->size >= SELFMAG && !memcmp(kernel->data, ELFMAG, SELFMAG);
}

static int damaged(const char *path, const char *what)
{
	return log_error(-EINVAL, "%s: damaged: %s; build or install the kernel again", path, what);
}

static int check_header(const struct kernel *kernel, const Elf64_Ehdr *elf, const char *path)
{
	if (elf->e_ident[EI_CLASS] != ELFCLASS64 || elf->e_ident[EI_DATA] != ELFDATA2LSB ||
	    elf->e_machine != EM_X86_64)
		return log_error(-EINVAL,
				 "%s: an ELF file, but not for x86-64; a guest runs on this machine's cores",
				 path);
	if (elf->e_type != ET_EXEC && elf->e_type != ET_DYN)
		return log_error(-EINVAL,
				 "%s: an ELF file, but not a program; give the vmlinux or bzImage of a kernel",
				 path);
	if (elf->e_phentsize != sizeof(Elf64_Phdr) || !elf->e_phnum ||
	    elf->e_phoff > kernel->size ||
	    elf->e_phnum * sizeof(Elf64_Phdr) > kernel->size - elf->e_phoff)
		return damaged(path, "its program headers are not in the file");
	return 0;
}

/* Add the segment with its physical address; read_segments() makes that an offset later */
static int add_segment(struct kernel *kernel, const Elf64_Phdr *header, const char *path)
{
	if (kernel->nr_segments == KERNEL_SEGMENTS_MAX)
		return damaged(path, "it has more segments than a kernel");
	if (header->p_offset > kernel->size || header->p_filesz > kernel->size - header->p_offset)
		return log_error(-EINVAL, "%s: truncated: %zu bytes, at least %" PRIu64
				 " are expected; build or install the kernel again", path,
				 kernel->size, header->p_offset + header->p_filesz);
	if (header->p_filesz > header->p_memsz || header->p_memsz > EXTENT_MAX ||
	    header->p_paddr > UINT64_MAX - EXTENT_MAX)
		return damaged(path, "a segment is larger than a kernel");

	kernel->segment[kernel->nr_segments++] = (struct kernel_segment) {
		.from = header->p_offset,
		.size = header->p_filesz,
		.to = header->p_paddr,
	};
	return 0;
}

/*
 * Find the kernel's banner, "Linux version 6.1.0-50-amd64 (builder@host) ...". A format string has
 * the same words, so a digit must follow them.
 */
static void find_version(struct kernel *kernel)
{
	const uint8_t *end = kernel->data + kernel->size, *at = kernel->data;

	while ((at = memmem(at, end - at, BANNER, strlen(BANNER)))) {
		at += strlen(BANNER);
		if (at < end && *at >= '0' && *at <= '9') {
			kernel->version_at = at - kernel->data;
			kernel->version_end = kernel->size;
			return;
		}
	}
}

static int read_segments(struct kernel *kernel, const Elf64_Ehdr *elf, const char *path)
{
	uint64_t start = UINT64_MAX, end = 0;

	for (unsigned int i = 0; i < elf->e_phnum; i++) {
		Elf64_Phdr header;
		int error;

		memcpy(&header, kernel->data + elf->e_phoff + i * sizeof(header), sizeof(header));
		if (header.p_type != PT_LOAD || !header.p_memsz)
			continue;
		error = add_segment(kernel, &header, path);
		if (error)
			return error;
		start = MIN(start, header.p_paddr);
		end = MAX(end, header.p_paddr + header.p_memsz);
	}
	if (start >= end || end - start > EXTENT_MAX || start % ALIGNMENT ||
	    elf->e_entry < start || elf->e_entry >= end)
		return log_error(-EINVAL,
				 "%s: an ELF file, but not a kernel's; give its vmlinux or bzImage",
				 path);

	for (unsigned int i = 0; i < kernel->nr_segments; i++)
		kernel->segment[i].to -= start;
	kernel->entry = elf->e_entry - start;
	kernel->linked_at = start;
	kernel->init_size = end - start;
	return 0;
}

int vmlinux_parse(struct kernel *kernel, const char *path)
{
	Elf64_Ehdr elf = { 0 };
	int error;

	memcpy(&elf, kernel->data, MIN(kernel->size, sizeof(elf)));
	error = check_header(kernel, &elf, path);
	if (!error)
		error = read_segments(kernel, &elf, path);
	if (error)
		return error;

	find_version(kernel);
	kernel->alignment = ALIGNMENT;
	kernel->cmdline_max = CMDLINE_MAX;
	kernel->hdr = (struct setup_header) {
		.boot_flag = BOOT_FLAG,
		.header = BOOT_HEADER_MAGIC,
		.version = PROTOCOL,
		.loadflags = LOADED_HIGH,
		.kernel_alignment = ALIGNMENT,
		.relocatable_kernel = 1,
		.cmdline_size = CMDLINE_MAX,
	};
	return 0;
}
