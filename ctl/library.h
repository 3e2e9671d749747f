/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared libraries that few verbs need. They are loaded when such a verb runs: libarchive and libkmod
 * with all that they need would take two thirds of the time that sigmactl needs to start.
 *
 *	#define FUNCTIONS(f) f(kmod_new) f(kmod_unref)
 *	LIBRARY_FUNCTIONS(FUNCTIONS)
 *
 * makes sym_kmod_new and sym_kmod_unref, which can be called once library_load() has found them.
 */
#ifndef SIGMACTL_LIBRARY_H
#define SIGMACTL_LIBRARY_H

#define LIBARCHIVE	"libarchive.so.13"
#define LIBKMOD		"libkmod.so.2"

/** struct library_function - @address: of a pointer to the function of this name */
struct library_function {
	const char *name;
	void *address;
};

#define LIBRARY_POINTER(name)	static __typeof__(name) *sym_##name;
#define LIBRARY_FUNCTION(name)	{ #name, &sym_##name },
#define LIBRARY_FUNCTIONS(functions)						\
	functions(LIBRARY_POINTER)						\
	static const struct library_function library_functions[] = {		\
		functions(LIBRARY_FUNCTION) { NULL, NULL }			\
	};

/**
 * library_load - load a library, which stays loaded, and find functions in it
 * @soname: the name that tells its binary interface: LIBARCHIVE, LIBKMOD
 * @functions: the last one has no name
 *
 * Return: 0 or a reported -ELIBACC.
 */
int library_load(const char *soname, const struct library_function *functions);

#endif
