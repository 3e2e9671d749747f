// SPDX-License-Identifier: GPL-2.0
/*
 * Reads a kernel image and finds its format.
 *
 * People give all sorts of files as a kernel. If a file is no kernel, the message says what it is.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/log.h"
#include "../../common/whole.h"
#include "load.h"

#define IMAGE_SIZE_MAX		(1UL << 30)

/* Kernels from this version on handle the host's boot CPU in the MADT */
#define BSP_MAJOR		6
#define BSP_MINOR		9

static const struct {
	size_t offset;
	const char *magic;
	size_t len;
	const char *what;
} other_files[] = {
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
	  "an EFI program without a Linux header; extract .linux from a unified image with objcopy" },
};

static int not_a_kernel(const struct kernel *kernel, const char *path)
{
	for (size_t i = 0; i < sizeof(other_files) / sizeof(*other_files); i++)
		if (kernel->size >= other_files[i].offset + other_files[i].len &&
		    !memcmp(kernel->data + other_files[i].offset, other_files[i].magic,
			    other_files[i].len))
			return log_error(-EINVAL, "%s: not a bzImage but %s", path,
					 other_files[i].what);

	return log_error(-EINVAL,
			 "%s: not a Linux kernel image; give a bzImage, usually /boot/vmlinuz-*",
			 path);
}

int kernel_read(struct kernel *kernel, int fd, size_t size)
{
	int error;

	kernel->size = size;
	kernel->data = malloc(size);
	if (!kernel->data)
		return -ENOMEM;

	error = read_whole(fd, kernel->data, size);
	if (error)
		kernel_close(kernel);
	return error;
}

static int read_file(struct kernel *kernel, struct stat *st, const char *path)
{
	int fd, error;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return log_error(-errno, "%s: cannot open the kernel: %m", path);

	error = -EINVAL;
	if (fstat(fd, st) || !S_ISREG(st->st_mode)) {
		log_error(error, "%s: not a regular file; Kernel= needs a bzImage or vmlinux",
			  path);
		goto close;
	}
	if (!st->st_size || (size_t)st->st_size > IMAGE_SIZE_MAX) {
		log_error(error, "%s: %lld bytes cannot be a kernel%s", path,
			  (long long)st->st_size,
			  st->st_size ? "; take debug information out with strip --strip-debug" : "");
		goto close;
	}

	error = kernel_read(kernel, fd, st->st_size);
	if (error == -ENOMEM)
		log_error(error, "%s: no memory for its %zu bytes", path, kernel->size);
	else if (error == -ENODATA)
		error = log_error(-EIO, "%s: cannot read: it became shorter meanwhile", path);
	else if (error)
		log_error(error, "%s: cannot read: %s", path, strerror(-error));
close:
	close(fd);
	return error;
}

static int read_version(struct kernel *kernel, const char *path)
{
	const char *text = (const char *)kernel->data + kernel->version_at;
	size_t max = kernel->version_end - kernel->version_at, len = 0;

	if (!kernel->version_at)
		return log_error(-EINVAL,
				 "%s: damaged: it does not say which kernel version it is; install the kernel again",
				 path);

	/* The version becomes part of paths, so take only the characters of a release name */
	while (len < max && len < sizeof(kernel->version) - 1 &&
	       (isalnum((unsigned char)text[len]) || strchr("._+~-", text[len])) && text[len])
		len++;
	memcpy(kernel->version, text, len);
	kernel->version[len] = '\0';

	if (sscanf(kernel->version, "%u.%u", &kernel->major, &kernel->minor) != 2)
		return log_error(-EINVAL,
				 "%s: damaged: \"%s\" is no kernel version; install the kernel again",
				 path, kernel->version);

	if (kernel->major < KERNEL_MAJOR_MIN ||
	    (kernel->major == KERNEL_MAJOR_MIN && kernel->minor < KERNEL_MINOR_MIN))
		return log_error(-EINVAL, "%s: Linux %s is too old for a guest; use %u.%u or newer",
				 path, kernel->version, KERNEL_MAJOR_MIN, KERNEL_MINOR_MIN);
	return 0;
}

int kernel_open(struct kernel *kernel, const char *path)
{
	struct stat st;
	int error;

	memset(kernel, 0, sizeof(*kernel));
	error = read_file(kernel, &st, path);
	if (error)
		return error;

	if (bzimage_matches(kernel))
		error = bzimage_parse(kernel, path);
	else if (vmlinux_matches(kernel))
		error = vmlinux_parse(kernel, path);
	else
		error = not_a_kernel(kernel, path);
	if (!error)
		error = read_version(kernel, path);
	if (!error && bzimage_matches(kernel))
		error = payload_open(kernel, &st, path);
	if (error)
		kernel_close(kernel);
	return error;
}

bool kernel_lists_bsp(const struct kernel *kernel)
{
	return kernel->major > BSP_MAJOR ||
	       (kernel->major == BSP_MAJOR && kernel->minor >= BSP_MINOR);
}

void kernel_copy(const struct kernel *kernel, uint8_t *to)
{
	for (unsigned int i = 0; i < kernel->nr_segments; i++)
		memcpy(to + kernel->segment[i].to, kernel->data + kernel->segment[i].from,
		       kernel->segment[i].size);
}

void kernel_close(struct kernel *kernel)
{
	free(kernel->data);
	kernel->data = NULL;
}
