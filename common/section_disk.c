// SPDX-License-Identifier: GPL-2.0
/* [Disk] of a guest file: a disk in a file or block device, or served by another program. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guestparser.h"

static struct guest_disk *this_disk(struct parser *parser)
{
	return &parser->config->disk[parser->slot];
}

/* guest_disk_finish() tests the path, since the test depends on ReadOnly=, which may come later */
static void set_path(struct parser *parser, const char *value)
{
	guestkeys_string(parser, &this_disk(parser)->path, value);
}

static void set_socket(struct parser *parser, const char *value)
{
	struct stat st;

	if (*value != '/')
		wrong(parser, -EINVAL, "Socket=%s: not an absolute path; begin it with /", value);
	else if (parser->running)
		;	/* blk_socket.c says what is wrong with it */
	else if (stat(value, &st))
		guestfile_absent(parser, parser->line, -errno, "Socket=", value,
				 "start the program that serves it");
	else if (!S_ISSOCK(st.st_mode))
		wrong(parser, -EINVAL, "Socket=%s: no socket; correct the path", value);
	guestkeys_string(parser, &this_disk(parser)->socket, value);
}

static void set_format(struct parser *parser, const char *value)
{
	if (!strcmp(value, "auto"))
		this_disk(parser)->format = FORMAT_AUTO;
	else if (!strcmp(value, "raw"))
		this_disk(parser)->format = FORMAT_RAW;
	else if (!strcmp(value, "qcow2"))
		this_disk(parser)->format = FORMAT_QCOW2;
	else
		wrong(parser, -EINVAL, "Format=%s: none of auto, raw and qcow2; give one of them, or leave it out",
		      value);
}

static void set_backing(struct parser *parser, const char *value)
{
	guestkeys_usable(parser, parser->line, "Backing=", value, false, R_OK);
	guestkeys_string(parser, &this_disk(parser)->backing, value);
}

static void set_read_only(struct parser *parser, const char *value)
{
	guestkeys_bool(parser, "ReadOnly", &this_disk(parser)->read_only, value);
}

static void set_direct(struct parser *parser, const char *value)
{
	guestkeys_bool(parser, "DirectIO", &this_disk(parser)->direct, value);
}

static void set_block_size(struct parser *parser, const char *value)
{
	if (!strcmp(value, "512"))
		this_disk(parser)->block_size = 512;
	else if (!strcmp(value, "4096"))
		this_disk(parser)->block_size = 4096;
	else
		wrong(parser, -EINVAL, "BlockSize=%s: neither 512 nor 4096; give one of them, or leave it out",
		      value);
}

/* A serial number must be fit for a file name, which udev makes of it */
static void set_serial(struct parser *parser, const char *value)
{
	bool valid = strlen(value) <= GUEST_SERIAL_MAX;

	for (const char *at = value; *at; at++)
		valid = valid && (isalnum((unsigned char)*at) || strchr("_.-", *at));
	if (!valid) {
		wrong(parser, -EINVAL, "Serial=%s: a serial number has at most %u letters, digits, '_', '.' and '-'; change it",
		      value, GUEST_SERIAL_MAX);
		return;
	}
	strcpy(this_disk(parser)->serial, value);
}

const struct guest_key guest_disk_keys[SECTION_KEYS_MAX] = {
	{ "Path", set_path, KEY_ONCE },
	{ "Socket", set_socket, KEY_ONCE },
	{ "Format", set_format, KEY_ONCE },
	{ "Backing", set_backing, KEY_ONCE },
	{ "ReadOnly", set_read_only, KEY_ONCE },
	{ "DirectIO", set_direct, KEY_ONCE },
	{ "BlockSize", set_block_size, KEY_ONCE },
	{ "Serial", set_serial, KEY_ONCE },
};

void guest_disk_reset(struct guest_disk *disk)
{
	free(disk->path);
	free(disk->socket);
	free(disk->backing);
	*disk = (struct guest_disk) { .direct = true };
}

void guest_disk_finish(struct parser *parser)
{
	const struct guest_config *config = parser->config;

	for (unsigned int i = 0; i < config->nr_disks; i++) {
		const struct guest_disk *disk = &config->disk[i];
		int mode = disk->read_only ? R_OK : R_OK | W_OK;

		if (!guestdevices_new(parser, i, disk->keys))
			continue;
		if (!disk->path == !disk->socket)
			guestfile_mistake(parser, disk->line, -EINVAL, disk->path ?
					  "a [Disk] with both Path= and Socket=; give one of them" :
					  "a [Disk] without Path=; name the image or block device");
		else if (disk->socket && (disk->format || disk->backing || disk->read_only ||
					  !disk->direct || disk->block_size || *disk->serial))
			guestfile_mistake(parser, disk->line, -EINVAL,
					  "a [Disk] with Socket= has no other key; leave the others out, and set them in the program that serves the disk");
		else if (disk->backing && disk->format != FORMAT_QCOW2)
			guestfile_mistake(parser, disk->line, -EINVAL,
					  "a [Disk] with Backing= and without Format=qcow2; add Format=qcow2, or leave Backing= out");
		else if (*disk->serial && disk->format == FORMAT_QCOW2)
			guestfile_mistake(parser, disk->line, -EINVAL,
					  "a [Disk] with Serial= and Format=qcow2; leave Serial= out, since qemu-storage-daemon gives all disks the same one");
		else if (disk->path)
			guestkeys_usable(parser, disk->line, "Path=", disk->path, false, mode);
		for (unsigned int j = 0; *disk->serial && j < config->nr_disks; j++) {
			const struct guest_disk *other = &config->disk[j];

			if (guestdevices_rivals(parser, i, j, other->keys) &&
			    !strcmp(other->serial, disk->serial))
				guestfile_mistake(parser, disk->line, -EINVAL,
						  "the same Serial= as that of the [Disk] %s; change one",
						  guestdevices_where(parser, other->line).text);
		}
	}
}
