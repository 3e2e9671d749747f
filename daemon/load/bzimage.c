// SPDX-License-Identifier: GPL-2.0
/*
 * A bzImage, started by the 64-bit boot protocol (Documentation/arch/x86/boot.rst) at any
 * address. The file begins with a real-mode part of setup_sects + 1 sectors, which has the setup
 * header and is not run here. Then follows the protected-mode part, which decompresses the kernel.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/param.h>

#include "../../common/log.h"
#include "load.h"

#define SECTOR_SIZE		512
#define SETUP_SECTS_DEFAULT	4		/* if setup_sects is 0 */
#define PARAGRAPH_SIZE		16		/* unit of syssize */
#define PROTOCOL_MIN		0x020c		/* 2.12: xloadflags, from Linux 3.8 on */
#define STRINGS_OFFSET		0x200		/* the field kernel_version is relative to this */
#define ENTRY_64		0x200		/* offset in the protected-mode part */
#define PAGE_SIZE		4096

#define HEADER_START	offsetof(struct boot_params, hdr)
/* End of the fields of setup_header that protocol 2.12 defines */
#define HEADER_END	(HEADER_START + offsetof(struct setup_header, kernel_info_offset))

bool bzimage_matches(const struct kernel *kernel)
{
	struct setup_header hdr;

	if (kernel->size < HEADER_END)
		return false;
	memcpy(&hdr, kernel->data + HEADER_START, HEADER_END - HEADER_START);
	return hdr.boot_flag == BOOT_FLAG && hdr.header == BOOT_HEADER_MAGIC;
}

/* The setup header ends at the target of the jump at its start (boot.rst, "Details") */
static void copy_setup_header(struct kernel *kernel)
{
	size_t jump = HEADER_START + offsetof(struct setup_header, jump);
	size_t size = jump + 2 + kernel->data[jump + 1] - HEADER_START;

	memset(&kernel->hdr, 0, sizeof(kernel->hdr));
	memcpy(&kernel->hdr, kernel->data + HEADER_START, MIN(size, sizeof(kernel->hdr)));
}

static int check_size(const struct kernel *kernel, size_t setup_size, const char *path)
{
	uint64_t code = (uint64_t)kernel->hdr.syssize * PARAGRAPH_SIZE;

	if (setup_size >= kernel->size || code > kernel->size - setup_size)
		return log_error(-EINVAL,
				 "%s: truncated: %zu bytes, %llu are expected; install the kernel again",
				 path, kernel->size, (unsigned long long)(setup_size + code));
	if (!code || kernel->init_size < kernel->size - setup_size ||
	    kernel->alignment < PAGE_SIZE || kernel->alignment & (kernel->alignment - 1))
		return log_error(-EINVAL,
				 "%s: damaged: its header contradicts itself (init_size %#x, kernel_alignment %#x); install the kernel again",
				 path, kernel->hdr.init_size, kernel->hdr.kernel_alignment);
	return 0;
}

int bzimage_parse(struct kernel *kernel, const char *path)
{
	struct setup_header *hdr = &kernel->hdr;
	size_t setup_size;
	int error;

	/* check_size() checks that the real-mode part, which contains the header, is in the file */
	memcpy(hdr, kernel->data + HEADER_START, HEADER_END - HEADER_START);
	if (hdr->version < PROTOCOL_MIN)
		return log_error(-EINVAL,
				 "%s: boot protocol %u.%02u, at least %u.%02u is needed; use Linux %u.%u or newer",
				 path, hdr->version >> 8,
				 hdr->version & 0xff, PROTOCOL_MIN >> 8, PROTOCOL_MIN & 0xff,
				 KERNEL_MAJOR_MIN, KERNEL_MINOR_MIN);
	if (!(hdr->xloadflags & XLF_KERNEL_64))
		return log_error(-EINVAL, "%s: a 32-bit kernel; a guest needs an x86-64 one", path);
	if (!hdr->relocatable_kernel)
		return log_error(-EINVAL,
				 "%s: runs at one fixed address only; use a kernel with CONFIG_RELOCATABLE=y",
				 path);
	if (!(hdr->xloadflags & XLF_CAN_BE_LOADED_ABOVE_4G))
		return log_error(-EINVAL,
				 "%s: cannot be loaded above 4 GiB, where guest memory usually is; use a kernel with CONFIG_RELOCATABLE=y",
				 path);

	setup_size = ((hdr->setup_sects ?: SETUP_SECTS_DEFAULT) + 1) * SECTOR_SIZE;
	kernel->init_size = hdr->init_size;
	kernel->pref_address = hdr->pref_address;
	kernel->alignment = hdr->kernel_alignment;
	kernel->cmdline_max = hdr->cmdline_size;
	error = check_size(kernel, setup_size, path);
	if (error)
		return error;

	kernel->nr_segments = 1;
	kernel->segment[0] = (struct kernel_segment) {
		.from = setup_size, .size = kernel->size - setup_size,
	};
	kernel->entry = ENTRY_64;
	/* The text "6.1.0-50-amd64 (builder@host) #1 SMP ..." is in the real-mode part */
	if (hdr->kernel_version) {
		size_t at = hdr->kernel_version + STRINGS_OFFSET;

		if (at < setup_size) {
			kernel->version_at = at;
			kernel->version_end = setup_size;
		}
	}
	copy_setup_header(kernel);
	return 0;
}
