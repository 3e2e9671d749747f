/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SCRATCH_FILE(NAME, "/tmp/sigma-WHAT-XXXXXX"): a file at the path NAME, empty at first, which is there
 * while the tests run.
 */
#ifndef SIGMA_TEST_SCRATCH_FILE_H
#define SIGMA_TEST_SCRATCH_FILE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SCRATCH_FILE(name, template)						\
static char name[] = template;							\
										\
static void __attribute__((constructor)) make_##name(void)			\
{										\
	int fd = mkstemp(name);							\
										\
	if (fd < 0) {								\
		perror(name);							\
		exit(EXIT_FAILURE);						\
	}									\
	close(fd);								\
}										\
										\
static void __attribute__((destructor)) remove_##name(void)			\
{										\
	unlink(name);								\
}										\
struct name##_ends_with_a_semicolon

#endif
