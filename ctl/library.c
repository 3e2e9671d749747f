// SPDX-License-Identifier: GPL-2.0
/* Loads shared libraries that few verbs need. */
#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "ctl.h"
#include "library.h"

int library_load(const char *soname, const struct library_function *functions)
{
	void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL), *found = NULL;

	for (; library && functions->name; functions++) {
		found = dlsym(library, functions->name);
		if (!found)
			break;
		memcpy(functions->address, &found, sizeof(found));
	}
	if (!library || functions->name)
		return complain(-ELIBACC, "%s; install the library %s", dlerror(), soname);
	return 0;
}
