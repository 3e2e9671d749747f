/* SPDX-License-Identifier: GPL-2.0 */
/* The modules that a guest's initrd has, in load order. */
#ifndef SIGMA_MODULES_H
#define SIGMA_MODULES_H

#include <stdbool.h>

#define GUEST_MODULE		"sigma_guest"
#define MODULES_MAX		128		/* with dependencies; 20 are usual */
#define GROUPS_MAX		8
#define TYPE_MAX		32		/* characters of a file system's name */

struct kmod_ctx;
struct kmod_module;

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

/** modules_libdir - the folder of SIGMA's own files */
const char *modules_libdir(void);

/**
 * modules_find - find the drivers of a guest's devices and root, sigma_guest and what they need
 * @list: out, zeroed before
 * @version: of the guest's kernel, for which each module must be built
 * @tree: the module tree, which may be missing if the kernel has all drivers built in
 * @types: of file systems whose drivers are needed beside ext4: a comma-separated list
 * @disks: the guest has disks, so that it needs ext4
 *
 * modules_drop() has to follow in any case. Return: 0 or a reported negative errno.
 */
int modules_find(struct module_list *list, const char *version, const char *tree, const char *types,
		 bool disks);
void modules_drop(struct module_list *list);

#endif
