/* SPDX-License-Identifier: GPL-2.0 */
/* A folder of the test's own, which is the working directory, and is removed when the test ends. */
#ifndef SIGMA_TEST_SCRATCH_FOLDER_H
#define SIGMA_TEST_SCRATCH_FOLDER_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../ctl/in_root.h"

static char folder[] = "/tmp/sigma-unit-XXXXXX";

static void __attribute__((constructor)) make_folder(void)
{
	if (!mkdtemp(folder) || chdir(folder)) {
		perror(folder);
		exit(EXIT_FAILURE);
	}
}

static void __attribute__((destructor)) remove_folder(void)
{
	int here = open(".", O_RDONLY | O_DIRECTORY);

	in_root_empty(here);
	close(here);
	rmdir(folder);
}

#endif
