// SPDX-License-Identifier: GPL-2.0
/*
 * Makes the initrd by which a stock kernel finds its SIGMA devices. initrd_build() in load.h says
 * what is in it.
 *
 * modules.c finds the modules. libarchive decompresses them, since not every kernel can do that, and
 * packs everything as newc cpio.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <libkmod.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../../common/log.h"
#include "load.h"
#include "modules.h"

#define SIGNATURE_MARK		"~Module signature appended~\n"	/* kernel/module_signature.c */
#define MODULE_SIZE_MAX		(64UL << 20)	/* unpacked */
#define UNPACK_CHUNK		(1UL << 20)
#define READ_CHUNK		(1 << 16)
#define INITRD_ALIGN		4		/* alignment of the start of each archive */

/* Write one entry; @data is for regular files */
static int pack(struct archive *out, const char *name, mode_t mode, dev_t dev, const void *data,
		size_t size)
{
	struct archive_entry *entry = archive_entry_new();
	int error = 0;

	if (!entry)
		return log_error(-ENOMEM, "no memory for the initrd");
	archive_entry_set_pathname(entry, name);
	archive_entry_set_mode(entry, mode);
	archive_entry_set_rdev(entry, dev);
	archive_entry_set_nlink(entry, 1);
	archive_entry_set_size(entry, size);
	if (archive_write_header(out, entry) != ARCHIVE_OK ||
	    (size && archive_write_data(out, data, size) != (ssize_t)size))
		error = log_error(-EIO, "cannot pack %s into the initrd: %s", name,
				  archive_error_string(out));
	archive_entry_free(entry);
	return error;
}

/* Read a whole file, and decompress it if it is compressed */
static int unpack(const char *path, uint8_t **data, size_t *size)
{
	size_t room = 0, used = 0;
	struct archive *in = archive_read_new();
	struct archive_entry *entry;
	uint8_t *buffer = NULL;
	ssize_t n;

	if (!in)
		return log_error(-ENOMEM, "%s: no memory to read it", path);
	unpacked_filters(in);
	archive_read_support_format_raw(in);
	if (archive_read_open_filename(in, path, READ_CHUNK) != ARCHIVE_OK ||
	    archive_read_next_header(in, &entry) != ARCHIVE_OK)
		goto failed;

	do {
		if (used == room) {
			uint8_t *more;

			room = room ? room * 2 : UNPACK_CHUNK;
			more = room <= MODULE_SIZE_MAX ? realloc(buffer, room) : NULL;
			if (!more) {
				archive_set_error(in, ENOMEM, "it is too large");
				goto failed;
			}
			buffer = more;
		}
		n = archive_read_data(in, buffer + used, room - used);
		if (n < 0)
			goto failed;
		used += n;
	} while (n);

	archive_read_free(in);
	*data = buffer;
	*size = used;
	return 0;

failed:
	log_error(-EIO, "%s: cannot read: %s", path, archive_error_string(in) ?: "it is empty");
	free(buffer);
	archive_read_free(in);
	return -EIO;
}

/* Pack a program that comes with SIGMA */
static int pack_program(struct archive *out, const char *name, const char *program)
{
	char path[PATH_MAX];
	uint8_t *data;
	size_t size;
	int error;

	snprintf(path, sizeof(path), "%s/%s", modules_libdir(), program);
	if (access(path, R_OK))
		return log_error(-errno,
				 "%s: %m; it runs in the guest and comes with SIGMA: install SIGMA again, or give an Initrd=",
				 path);
	error = unpack(path, &data, &size);
	if (error)
		return error;
	error = pack(out, name, S_IFREG | 0755, 0, data, size);
	free(data);
	return error;
}

/* Pack /init and what it needs, when there is no initrd of the user */
static int pack_init(struct archive *out)
{
	static const char *const folders[] = { "dev", "proc", "sys", "newroot" };
	int error;

	error = pack_program(out, "init", "guest-init");
	if (!error)
		error = pack_program(out, "sigma-agent", "sigma-agent");
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders) && !error; i++)
		error = pack(out, folders[i], S_IFDIR | 0755, 0, NULL, 0);
	return error ?: pack(out, "dev/console", S_IFCHR | 0600, makedev(5, 1), NULL, 0);
}

static bool is_signed(const uint8_t *data, size_t size)
{
	const size_t len = strlen(SIGNATURE_MARK);

	return size >= len && !memcmp(data + size - len, SIGNATURE_MARK, len);
}

static int pack_module(struct archive *out, struct module_list *list, const char *name,
		       struct kmod_module *mod)
{
	uint8_t *data;
	size_t size;
	int error;

	error = unpack(kmod_module_get_path(mod), &data, &size);
	if (error)
		return error;
	if (!strcmp(kmod_module_get_name(mod), GUEST_MODULE))
		list->driver_signed = is_signed(data, size);
	error = pack(out, name, S_IFREG | 0644, 0, data, size);
	free(data);
	return error;
}

static bool is_packed(const struct module_list *list, unsigned int i)
{
	for (unsigned int j = 0; j < i; j++)
		if (list->module[j] == list->module[i])
			return true;
	return false;
}

/* Pack the modules of a group that no group before has, and the list of them all */
static int pack_group(struct archive *out, struct module_list *list,
		      const struct module_group *group)
{
	char name[PATH_MAX], *load = NULL;
	size_t size = 0;
	FILE *order;
	int error = 0;

	order = open_memstream(&load, &size);
	if (!order)
		return log_error(-ENOMEM, "no memory for the initrd");

	for (unsigned int i = group->from; i < group->end && !error; i++) {
		snprintf(name, sizeof(name), "modules/%s.ko",
			 kmod_module_get_name(list->module[i]));
		fprintf(order, "/%s\n", name);
		if (!is_packed(list, i))
			error = pack_module(out, list, name, list->module[i]);
	}
	if (fclose(order) && !error)
		error = log_error(-ENOMEM, "no memory for the initrd");
	snprintf(name, sizeof(name), "modules.%s", group->name);
	if (!error)
		error = pack(out, name, S_IFREG | 0644, 0, load, size);
	free(load);
	return error;
}

static int pack_modules(struct archive *out, struct module_list *list)
{
	int error = pack(out, "modules", S_IFDIR | 0755, 0, NULL, 0);

	for (unsigned int i = 0; i < list->nr_groups && !error; i++)
		error = pack_group(out, list, &list->group[i]);
	return error;
}

static int pack_all(FILE *stream, struct module_list *list, const char *network, bool init)
{
	struct archive *out = archive_write_new();
	int error = 0;

	if (!out)
		return log_error(-ENOMEM, "no memory for the initrd");
	archive_write_set_format_cpio_newc(out);
	archive_write_set_bytes_in_last_block(out, 1);
	if (archive_write_open_FILE(out, stream) != ARCHIVE_OK)
		error = log_error(-EIO, "cannot start the initrd: %s", archive_error_string(out));

	if (!error && init)
		error = pack_init(out);
	if (!error && *network)
		error = pack(out, "network", S_IFREG | 0644, 0, network, strlen(network));
	if (!error)
		error = pack_modules(out, list);
	if (!error && archive_write_close(out) != ARCHIVE_OK)
		error = log_error(-EIO, "cannot finish the initrd: %s", archive_error_string(out));
	archive_write_free(out);
	return error;
}

/* Copy the user's initrd, padded so that another archive can follow (boot protocol, initramfs) */
static int copy_user(FILE *stream, const char *path)
{
	FILE *in = fopen(path, "re");
	char buffer[READ_CHUNK];
	size_t n, total = 0;
	int error = 0;

	if (!in)
		return log_error(-errno, "%s: cannot open the initrd: %m", path);
	while ((n = fread(buffer, 1, sizeof(buffer), in)))
		total += fwrite(buffer, 1, n, stream);
	if (ferror(in))
		error = log_error(-EIO, "%s: cannot read the initrd", path);
	for (; total % INITRD_ALIGN; total++)
		fputc(0, stream);
	fclose(in);
	return error;
}

int initrd_build(struct initrd *initrd, const char *version, const char *modules,
		 const char *user, const char *types, bool disks, const char *network)
{
	struct module_list list = { 0 };
	char *tree, *data = NULL;
	FILE *stream;
	bool failed;
	int error;

	if (modules)
		tree = strdup(modules);
	else if (asprintf(&tree, MODULES_DEFAULT "/%s", version) < 0)
		tree = NULL;
	if (!tree)
		return log_error(-ENOMEM, "no memory for the initrd");

	error = modules_find(&list, version, tree, types, disks);
	if (error)
		goto drop;

	stream = open_memstream(&data, &initrd->size);
	if (!stream) {
		error = log_error(-ENOMEM, "no memory for the initrd");
		goto drop;
	}
	if (user)
		error = copy_user(stream, user);
	if (!error)
		error = pack_all(stream, &list, network, !user);
	failed = ferror(stream);
	if ((fclose(stream) || failed) && !error)
		error = log_error(-ENOMEM, "no memory for the initrd");
	if (error)
		free(data);
	else
		initrd->data = (uint8_t *)data;
	initrd->driver_signed = list.driver_signed;
drop:
	modules_drop(&list);
	free(tree);
	return error;
}

void initrd_free(struct initrd *initrd)
{
	free(initrd->data);
	initrd->data = NULL;
}
