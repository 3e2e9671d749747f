// SPDX-License-Identifier: GPL-2.0
/* Files that are not raw disks: see format.h. */
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "format.h"

#define CONVERT		"qemu-img convert -O raw"
#define HEAD_SIZE	512

/*
 * A fixed VHD has its magic at the end, and in front of it all that a raw disk has. An ISO image is
 * a raw disk.
 */
static const struct {
	unsigned int at, len;
	const char *magic;
	struct format format;
} formats[] = {
	{ 0, 8, "QFI\xfb\0\0\0\1", { "a qcow image", CONVERT, true, false } },
	{ 0, 4, "QFI\xfb", { "a qcow2 image", CONVERT, true, true } },
	{ 0, 4, "KDMV", { "a VMDK image", CONVERT, true, false } },
	{ 0, 4, "COWD", { "a VMDK image", CONVERT, true, false } },
	{ 0, 21, "# Disk DescriptorFile",
	  { "the descriptor of a VMDK image", CONVERT, true, false } },
	{ 64, 4, "\x7f\x10\xda\xbe", { "a VDI image", CONVERT, true, false } },
	{ 0, 8, "conectix", { "a VHD image", CONVERT, true, false } },
	{ 0, 8, "vhdxfile", { "a VHDX image", CONVERT, true, false } },
	{ 0, 3, "\x1f\x8b\x08", { "a gzip file", "gzip -d", false, false } },
	{ 0, 6, "\xfd\x37zXZ\0", { "an xz file", "xz -d", false, false } },
	{ 0, 4, "\x28\xb5\x2f\xfd", { "a zstd file", "zstd -d", false, false } },
	/* Behind "BZh" and a digit */
	{ 4, 6, "1AY&SY", { "a bzip2 file", "bzip2 -d", false, false } },
};

#define NR_FORMATS	(sizeof(formats) / sizeof(*formats))

const struct format *format_recognise(int fd)
{
	char head[HEAD_SIZE] = "";

	/* A disk that cannot be read is left to the guest, which gets the error, too */
	if (pread(fd, head, sizeof(head), 0) < 0)
		return NULL;
	for (size_t i = 0; i < NR_FORMATS; i++)
		if (!memcmp(head + formats[i].at, formats[i].magic, formats[i].len))
			return &formats[i].format;
	return NULL;
}
