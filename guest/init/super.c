// SPDX-License-Identifier: GPL-2.0
/*
 * Superblocks of the file systems that most roots have. Their fields are at fixed offsets:
 *
 *	ext2, ext3, ext4	Documentation/filesystems/ext4/super.rst
 *	xfs			struct xfs_dsb, fs/xfs/libxfs/xfs_format.h
 *	btrfs			struct btrfs_super_block, include/uapi/linux/btrfs_tree.h
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "init.h"

#define UUID_TEXT 37

static const struct layout {
	const char *type;
	off_t magic_at;
	const char *magic;
	size_t magic_len;
	off_t uuid_at, label_at;
	size_t label_len;		/* padded with NULs */
} layouts[] = {
	{ "ext4", 1024 + 0x38, "\x53\xef", 2, 1024 + 0x68, 1024 + 0x78, 16 },
	{ "xfs", 0, "XFSB", 4, 32, 108, 12 },
	{ "btrfs", 0x10040, "_BHRfS_M", 8, 0x10020, 0x1012b, SUPER_LABEL_MAX },
};

bool read_at(int fd, off_t at, void *to, size_t len)
{
	return pread(fd, to, len, at) == (ssize_t)len;
}

bool super_read(struct super *super, int fd)
{
	memset(super, 0, sizeof(*super));
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
		const struct layout *layout = &layouts[i];
		char magic[8];

		if (!read_at(fd, layout->magic_at, magic, layout->magic_len) ||
		    memcmp(magic, layout->magic, layout->magic_len) ||
		    !read_at(fd, layout->uuid_at, super->uuid, sizeof(super->uuid)) ||
		    !read_at(fd, layout->label_at, super->label, layout->label_len))
			continue;
		super->type = layout->type;
		return true;
	}
	return false;
}

static void format_uuid(char text[UUID_TEXT], const uint8_t uuid[16])
{
	for (unsigned int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*text++ = '-';
		text += sprintf(text, "%02x", uuid[i]);
	}
}

bool super_matches(const struct super *super, const char *spec)
{
	const char *value;
	char uuid[UUID_TEXT];

	value = value_of(spec, "LABEL");
	if (value)
		return *value && !strcmp(value, super->label);
	value = value_of(spec, "UUID");
	if (!value)
		return false;
	format_uuid(uuid, super->uuid);
	return !strcasecmp(value, uuid);
}
