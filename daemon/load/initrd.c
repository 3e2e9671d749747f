// SPDX-License-Identifier: GPL-2.0
/*
 * Makes the initrd by which a stock kernel finds its SIGMA devices. initrd_build() in load.h says
 * what is in it.
 *
 * libkmod finds the modules and their load order in the module tree of the guest's own kernel. The
 * host's modprobe.d is not used. libarchive decompresses the modules, since not every kernel can do
 * that, and packs everything as newc cpio.
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
#include "../../common/version.h"
#include "load.h"

#define GUEST_MODULE		"sigma_guest"
#define MODULES_MAX		128		/* with dependencies; 20 are usual */
#define GROUPS_MAX		8
#define TYPE_MAX		32		/* characters of a file system's name */
#define FIRST_GROUP		"load"
#define SIGNATURE_MARK		"~Module signature appended~\n"	/* kernel/module_signature.c */
#define MODULE_SIZE_MAX		(64UL << 20)	/* unpacked */
#define UNPACK_CHUNK		(1UL << 20)
#define READ_CHUNK		(1 << 16)
#define INITRD_ALIGN		4		/* alignment of the start of each archive */

/*
 * The drivers of the devices that sigmad serves, and the usual root file system. A kernel may have
 * any of them built in, or not have them at all.
 */
static const char *const drivers[] = {
	"virtio_blk", "virtio_net", "virtio_console", "virtio_rng", "vmw_vsock_virtio_transport",
	"virtiofs", "ext4",
};

/* Modules that are loaded together: those from @from on, and before @end */
struct module_group {
	char name[TYPE_MAX];		/* of the list in the initrd */
	unsigned int from, end;
};

/*
 * @module: modules in load order, each behind the modules that it needs; with a reference
 * @seen: all modules that were looked at, also built-in ones, with a reference. A module is looked
 *	  at once, since soft dependencies may have cycles
 * @group: first what is loaded always, then the drivers of file systems
 * @driver_signed: GUEST_MODULE, which was packed, ends with a signature
 */
struct module_list {
	struct kmod_ctx *ctx;
	unsigned int nr, nr_seen, nr_groups;
	struct module_group group[GROUPS_MAX];
	bool driver_signed;
	struct kmod_module *module[MODULES_MAX];
	struct kmod_module *seen[MODULES_MAX];
};

static const char *libdir(void)
{
	const char *dir = getenv("SIGMA_LIBDIR");

	return dir && *dir ? dir : SIGMA_LIBDIR;
}

static int add_module(struct module_list *list, struct kmod_module *mod);

/* Add all of @mods, and free the list */
static int add_modules(struct module_list *list, struct kmod_list *mods)
{
	struct kmod_list *entry;
	int error = 0;

	kmod_list_foreach(entry, mods) {
		struct kmod_module *mod = kmod_module_get_module(entry);

		error = add_module(list, mod);
		kmod_module_unref(mod);
		if (error)
			break;
	}
	kmod_module_unref_list(mods);
	return error;
}

static int add_module(struct module_list *list, struct kmod_module *mod)
{
	struct kmod_list *before = NULL, *after = NULL;
	int error;

	/* libkmod has one object for each name, so pointers can be compared */
	for (unsigned int i = 0; i < list->nr_seen; i++)
		if (list->seen[i] == mod)
			return 0;
	if (list->nr_seen == MODULES_MAX || list->nr == MODULES_MAX)
		return log_error(-E2BIG,
				 "the initrd's drivers depend on more than %u modules; the module tree is damaged, run depmod",
				 MODULES_MAX);
	list->seen[list->nr_seen++] = kmod_module_ref(mod);

	kmod_module_get_softdeps(mod, &before, &after);
	error = add_modules(list, before);
	if (!error)
		error = add_modules(list, kmod_module_get_dependencies(mod));
	if (error) {
		kmod_module_unref_list(after);
		return error;
	}

	/* A module without a file is built in */
	if (kmod_module_get_path(mod))
		list->module[list->nr++] = kmod_module_ref(mod);
	return add_modules(list, after);
}

/* Add the modules with this name or alias. Return: 1; 0: there are none; or a negative errno */
static int add_by_name(struct module_list *list, const char *name)
{
	struct kmod_list *found = NULL;
	int error;

	error = kmod_module_new_from_lookup(list->ctx, name, &found);
	if ((error < 0 && error != -ENOENT) || !found)
		return error == -ENOENT ? 0 : error;
	return add_modules(list, found) ?: 1;
}

/* The value of modinfo's field @key, to be freed; NULL: none */
static char *module_info(struct kmod_module *mod, const char *key)
{
	struct kmod_list *info = NULL, *entry;
	char *value = NULL;

	if (kmod_module_get_info(mod, &info) < 0)
		return NULL;
	kmod_list_foreach(entry, info) {
		if (!strcmp(kmod_module_info_get_key(entry), key)) {
			value = strdup(kmod_module_info_get_value(entry));
			break;
		}
	}
	kmod_module_info_free_list(info);
	return value;
}

/* vermagic is the kernel's version, followed by build options */
static int check_version(struct kmod_module *mod, const char *version)
{
	char *magic = module_info(mod, "vermagic");
	size_t len = strlen(version);
	int error = 0;

	if (!magic || strncmp(magic, version, len) || magic[len] != ' ')
		error = log_error(-EINVAL,
				  "%s: built for Linux %s, but the guest's kernel is %s; build it for that kernel, or set Modules= to that kernel's folder",
				  kmod_module_get_path(mod), magic ?: "(it doesn't say)", version);
	free(magic);
	return error;
}

/* Add a sigma_guest.ko outside of the module tree, for which depmod has no dependencies */
static int add_guest_file(struct module_list *list, const char *path, const char *version)
{
	char *depends, *name, *rest;
	struct kmod_module *mod;
	int error;

	error = kmod_module_new_from_path(list->ctx, path, &mod);
	if (error)
		return log_error(error, "%s: not a kernel module: %s", path, strerror(-error));

	/* modpost puts this field into every module; it is empty without dependencies */
	depends = module_info(mod, "depends");
	if (!depends) {
		error = log_error(-EINVAL, "%s: damaged: it doesn't say which modules it needs; build or install it again",
				  path);
		goto free;
	}
	for (name = strtok_r(depends, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
		error = add_by_name(list, name);
		if (!error)
			error = log_error(-ENOENT,
					  "%s: needs the module %s, which Linux %s doesn't have; use a kernel with virtio",
					  path, name, version);
		if (error < 0)
			goto free;
	}
	error = add_module(list, mod);
free:
	free(depends);
	kmod_module_unref(mod);
	return error;
}

/* The path of a sigma_guest.ko outside of the module tree */
static void guest_file(char path[PATH_MAX], const char *version)
{
	snprintf(path, PATH_MAX, "%s/%s/" GUEST_MODULE ".ko", libdir(), version);
}

/* Is there such a file, which needs no other module? The kernel then has all drivers built in */
static bool needs_no_tree(struct module_list *list, const char *version)
{
	char path[PATH_MAX], *depends;
	struct kmod_module *mod;
	bool alone;

	guest_file(path, version);
	if (access(path, R_OK) || kmod_module_new_from_path(list->ctx, path, &mod))
		return false;
	depends = module_info(mod, "depends");
	alone = depends && !*depends;
	free(depends);
	kmod_module_unref(mod);
	return alone;
}

static int add_guest_module(struct module_list *list, const char *version, const char *tree)
{
	char path[PATH_MAX];
	int error;

	error = add_by_name(list, GUEST_MODULE);
	if (error)
		return error < 0 ? error : 0;

	guest_file(path, version);
	if (access(path, R_OK))
		return log_error(-ENOENT, "no " GUEST_MODULE
				 ".ko for Linux %s, neither in %s nor %s: %s; install linux-headers-%s, then: dkms install sigma/"
				 SIGMA_VERSION " -k %s, or in SIGMA's sources: make install KVERSION=%s",
				 version, tree, path, strerror(errno), version, version, version);
	return add_guest_file(list, path, version);
}

static void end_group(struct module_list *list, const char *name, unsigned int from)
{
	struct module_group *group = &list->group[list->nr_groups++];

	snprintf(group->name, sizeof(group->name), "%s", name);
	group->from = from;
	group->end = list->nr;
}

/*
 * A group has all that its driver needs beside the first group. Another group may have the same
 * modules, since only one of them is loaded.
 */
static int add_group(struct module_list *list, const char *type)
{
	const unsigned int from = list->nr, nr_seen = list->nr_seen;
	char alias[TYPE_MAX + 4];
	int error;

	if (strlen(type) >= TYPE_MAX || list->nr_groups == GROUPS_MAX)
		return log_error(-E2BIG, "rootfstype=: more than %u types, or a name longer than %u characters: %s; leave out what the root is not",
				 GROUPS_MAX - 1, TYPE_MAX - 1, type);
	snprintf(alias, sizeof(alias), "fs-%s", type);
	error = add_by_name(list, alias);
	while (list->nr_seen > nr_seen)
		kmod_module_unref(list->seen[--list->nr_seen]);
	/* Nothing: the driver is built in, or missing, which the guest reports if it needs it */
	if (list->nr > from)
		end_group(list, type, from);
	return error < 0 ? error : 0;
}

static int add_groups(struct module_list *list, const char *types)
{
	char *names = strdup(types), *rest = names, *type;
	int error = 0;

	if (!names)
		return log_error(-ENOMEM, "no memory for the initrd");
	while (!error && (type = strsep(&rest, ",")))
		if (*type)
			error = add_group(list, type);
	free(names);
	return error;
}

/* Add what the module tree has, and sigma_guest.ko */
static int add_from_tree(struct module_list *list, const char *version, const char *tree,
			 const char *types)
{
	int error;

	/* Map the indices; otherwise each lookup would open and read them again */
	kmod_load_resources(list->ctx);
	for (size_t i = 0; i < sizeof(drivers) / sizeof(*drivers); i++) {
		error = add_by_name(list, drivers[i]);
		if (error < 0)
			return error;
	}
	error = add_guest_module(list, version, tree);
	if (error)
		return error;
	end_group(list, FIRST_GROUP, 0);
	return add_groups(list, types);
}

static int add_guest_alone(struct module_list *list, const char *version, const char *tree)
{
	char path[PATH_MAX];
	int error;

	log_info("%s: no modules; the guest's kernel needs its drivers built in", tree);
	guest_file(path, version);
	error = add_guest_file(list, path, version);
	end_group(list, FIRST_GROUP, 0);
	return error;
}

static int find_modules(struct module_list *list, const char *version, const char *tree,
			const char *types)
{
	/* Do not read the host's modprobe.d, whose rules are for the host's kernel */
	static const char *const no_config[] = { NULL };
	char index[PATH_MAX];
	int missing, error;

	if (snprintf(index, sizeof(index), "%s/modules.dep.bin", tree) >= (int)sizeof(index))
		return log_error(-ENAMETOOLONG, "%s: the path is too long", tree);
	missing = access(index, R_OK) ? errno : 0;
	list->ctx = kmod_new(tree, no_config);
	if (!list->ctx)
		return log_error(-ENOMEM, "%s: libkmod cannot read it", tree);

	if (!missing)
		error = add_from_tree(list, version, tree, types);
	else if (needs_no_tree(list, version))
		error = add_guest_alone(list, version, tree);
	else
		error = log_error(-missing,
				  "%s: %s; the modules of Linux %s should be in this folder: install them, run depmod, or set Modules= to their folder. A kernel without modules cannot be a guest: it needs CONFIG_MODULES=y for sigma_guest.ko",
				  index, strerror(missing), version);
	for (unsigned int i = 0; i < list->nr && !error; i++)
		error = check_version(list->module[i], version);
	return error;
}

static void drop_modules(struct module_list *list)
{
	while (list->nr)
		kmod_module_unref(list->module[--list->nr]);
	while (list->nr_seen)
		kmod_module_unref(list->seen[--list->nr_seen]);
	kmod_unref(list->ctx);
}

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

	snprintf(path, sizeof(path), "%s/%s", libdir(), program);
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

static int pack_all(FILE *stream, struct module_list *list, bool init)
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
		 const char *user, const char *types)
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

	error = find_modules(&list, version, tree, types);
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
		error = pack_all(stream, &list, !user);
	failed = ferror(stream);
	if ((fclose(stream) || failed) && !error)
		error = log_error(-ENOMEM, "no memory for the initrd");
	if (error)
		free(data);
	else
		initrd->data = (uint8_t *)data;
	initrd->driver_signed = list.driver_signed;
drop:
	drop_modules(&list);
	free(tree);
	return error;
}

void initrd_free(struct initrd *initrd)
{
	free(initrd->data);
	initrd->data = NULL;
}
