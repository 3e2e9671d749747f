// SPDX-License-Identifier: GPL-2.0
/*
 * Reads a bzImage and checks that it can be started by the 64-bit boot protocol
 * (Documentation/arch/x86/boot.rst) at any address. The file is a real-mode part of
 * setup_sects + 1 sectors, which holds the setup header and is not run here, then the
 * protected-mode part, whose 64-bit entry is BZIMAGE_ENTRY_64 bytes into it.
 *
 * People give all sorts of files as a kernel: what is no bzImage is named as what it is.
 */
#include <asm/bootparam.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../log.h"
#include "load.h"

#define SECTOR_SIZE		512
#define SETUP_SECTS_DEFAULT	4		/* what a setup_sects of 0 stands for */
#define PARAGRAPH_SIZE		16		/* unit of syssize */
#define BOOT_FLAG		0xaa55
#define HEADER_MAGIC		"HdrS"
#define PROTOCOL_MIN		0x020c		/* 2.12: xloadflags, from Linux 3.8 on */
#define STRINGS_OFFSET		0x200		/* kernel_version counts from here */
#define IMAGE_SIZE_MAX		(1UL << 30)
#define PAGE_SIZE		4096

/* The oldest kernel that SIGMA knows how to keep away from the host's hardware. */
#define KERNEL_MAJOR_MIN	6
#define KERNEL_MINOR_MIN	1

/* All of setup_header that protocol 2.12 defines */
#define HEADER_END	(offsetof(struct boot_params, hdr) + \
			 offsetof(struct setup_header, kernel_info_offset))

static const struct {
	size_t offset;
	const char *magic;
	size_t len;
	const char *what;
} other_files[] = {
	{ 0, "\x7f" "ELF", 4,
	  "an ELF file (vmlinux?); give the bzImage built beside it, arch/x86/boot/bzImage" },
	{ 0, "\x1f\x8b", 2,
	  "gzip data (vmlinux.gz, or an initrd?); give the bzImage, usually /boot/vmlinuz-*" },
	{ 0, "\xfd" "7zXZ", 5,
	  "xz data; give the bzImage, usually /boot/vmlinuz-*" },
	{ 0, "\x28\xb5\x2f\xfd", 4,
	  "zstd data (an initrd?); give the bzImage, usually /boot/vmlinuz-*" },
	{ 0, "070701", 6,
	  "a cpio archive; that belongs in Initrd=, Kernel= needs a bzImage" },
	{ 56, "ARM\x64", 4,
	  "an arm64 kernel; a guest runs on this machine's x86-64 cores" },
	{ 0, "MZ", 2,
	  "an EFI program without a Linux header; out of a unified image take .linux, with objcopy" },
};

static int not_a_bzimage(const struct bzimage *image, const char *path)
{
	for (size_t i = 0; i < sizeof(other_files) / sizeof(*other_files); i++)
		if (image->size >= other_files[i].offset + other_files[i].len &&
		    !memcmp(image->data + other_files[i].offset, other_files[i].magic,
			    other_files[i].len))
			return log_error(-EINVAL, "%s: not a bzImage but %s", path,
					 other_files[i].what);

	return log_error(-EINVAL,
			 "%s: not a Linux kernel image; give a bzImage, usually /boot/vmlinuz-*",
			 path);
}

static int read_file(struct bzimage *image, const char *path)
{
	struct stat st;
	int fd, error;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return log_error(-errno, "%s: cannot open the kernel: %m", path);

	error = -EINVAL;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		log_error(error, "%s: not a regular file; Kernel= needs a bzImage", path);
		goto close;
	}
	if (!st.st_size || (size_t)st.st_size > IMAGE_SIZE_MAX) {
		log_error(error, "%s: %lld bytes cannot be a bzImage", path,
			  (long long)st.st_size);
		goto close;
	}

	image->size = st.st_size;
	image->data = malloc(image->size);
	if (!image->data) {
		error = log_error(-ENOMEM, "%s: no memory for its %zu bytes", path, image->size);
		goto close;
	}

	for (size_t done = 0; done < image->size; ) {
		ssize_t n = read(fd, image->data + done, image->size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			error = log_error(n ? -errno : -EIO, "%s: cannot read: %s", path,
					  n ? strerror(errno) : "it became shorter meanwhile");
			goto free;
		}
		done += n;
	}
	close(fd);
	return 0;

free:
	bzimage_close(image);
close:
	close(fd);
	return error;
}

/* kernel_version points at "6.1.0-50-amd64 (builder@host) #1 SMP ..." in the real-mode part */
static int read_version(struct bzimage *image, const struct setup_header *hdr,
			const char *path)
{
	size_t at = hdr->kernel_version + STRINGS_OFFSET, len = 0;
	const char *text = (const char *)image->data + at;

	if (!hdr->kernel_version || at >= image->setup_size)
		return log_error(-EINVAL,
				 "%s: damaged: it does not say which kernel version it is; install the kernel again",
				 path);

	/* It becomes part of paths: nothing but what a release name is made of */
	while (len < image->setup_size - at && len < sizeof(image->version) - 1 &&
	       (isalnum((unsigned char)text[len]) || strchr("._+~-", text[len])) && text[len])
		len++;
	memcpy(image->version, text, len);
	image->version[len] = '\0';

	if (sscanf(image->version, "%u.%u", &image->major, &image->minor) != 2)
		return log_error(-EINVAL,
				 "%s: damaged: \"%s\" is no kernel version; install the kernel again",
				 path, image->version);

	if (image->major < KERNEL_MAJOR_MIN ||
	    (image->major == KERNEL_MAJOR_MIN && image->minor < KERNEL_MINOR_MIN))
		return log_error(-EINVAL, "%s: Linux %s is too old for a guest; use %u.%u or newer",
				 path, image->version, KERNEL_MAJOR_MIN, KERNEL_MINOR_MIN);
	return 0;
}

static int check_header(struct bzimage *image, const struct setup_header *hdr,
			const char *path)
{
	uint64_t code = (uint64_t)hdr->syssize * PARAGRAPH_SIZE;

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

	image->setup_size = ((hdr->setup_sects ?: SETUP_SECTS_DEFAULT) + 1) * SECTOR_SIZE;
	if (image->setup_size >= image->size || code > image->size - image->setup_size)
		return log_error(-EINVAL,
				 "%s: truncated: %zu bytes, %llu are expected; install the kernel again",
				 path, image->size, (unsigned long long)(image->setup_size + code));

	image->init_size = hdr->init_size;
	image->pref_address = hdr->pref_address;
	image->alignment = hdr->kernel_alignment;
	image->cmdline_max = hdr->cmdline_size;
	if (!code || image->init_size < image->size - image->setup_size ||
	    image->alignment < PAGE_SIZE || image->alignment & (image->alignment - 1))
		return log_error(-EINVAL,
				 "%s: damaged: its header contradicts itself (init_size %#x, kernel_alignment %#x); install the kernel again",
				 path, hdr->init_size, hdr->kernel_alignment);

	return read_version(image, hdr, path);
}

int bzimage_open(struct bzimage *image, const char *path)
{
	struct setup_header hdr = { 0 };
	int error;

	memset(image, 0, sizeof(*image));
	error = read_file(image, path);
	if (error)
		return error;

	if (image->size < HEADER_END) {
		error = not_a_bzimage(image, path);
		goto close;
	}
	memcpy(&hdr, image->data + offsetof(struct boot_params, hdr),
	       HEADER_END - offsetof(struct boot_params, hdr));
	if (hdr.boot_flag != BOOT_FLAG || memcmp(&hdr.header, HEADER_MAGIC, 4)) {
		error = not_a_bzimage(image, path);
		goto close;
	}

	error = check_header(image, &hdr, path);
	if (error)
		goto close;
	return 0;

close:
	bzimage_close(image);
	return error;
}

void bzimage_close(struct bzimage *image)
{
	free(image->data);
	image->data = NULL;
}
