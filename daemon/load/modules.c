// SPDX-License-Identifier: GPL-2.0
/*
 * Finds the modules that a guest's initrd has: see modules.h.
 *
 * libkmod finds them and their load order in the module tree of the guest's own kernel. The host's
 * modprobe.d is not used.
 */
#include <errno.h>
#include <libkmod.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/log.h"
#include "../../common/version.h"
#include "modules.h"

#define FIRST_GROUP		"load"

/*
 * The drivers of the devices that sigmad serves, and the usual file system of a disk, which is the last
 * one. A kernel may have any of them built in, or not have them at all.
 */
static const char *const drivers[] = {
	"virtio_blk", "virtio_net", "virtio_console", "virtio_rng", "vmw_vsock_virtio_transport",
	"virtiofs", "ext4",
};

#define NR_DRIVERS	(sizeof(drivers) / sizeof(*drivers))

const char *modules_libdir(void)
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
	snprintf(path, PATH_MAX, "%s/%s/" GUEST_MODULE ".ko", modules_libdir(), version);
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
			 const char *types, bool disks)
{
	const size_t nr = disks ? NR_DRIVERS : NR_DRIVERS - 1;
	int error;

	/* Map the indices; otherwise each lookup would open and read them again */
	kmod_load_resources(list->ctx);
	for (size_t i = 0; i < nr; i++) {
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

int modules_find(struct module_list *list, const char *version, const char *tree, const char *types,
		 bool disks)
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
		error = add_from_tree(list, version, tree, types, disks);
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

void modules_drop(struct module_list *list)
{
	while (list->nr)
		kmod_module_unref(list->module[--list->nr]);
	while (list->nr_seen)
		kmod_module_unref(list->seen[--list->nr_seen]);
	kmod_unref(list->ctx);
}
