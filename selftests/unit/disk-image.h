/* SPDX-License-Identifier: GPL-2.0 */
/* An image of a disk, which is there while the tests run: empty at first. */
#ifndef SIGMA_TEST_DISK_IMAGE_H
#define SIGMA_TEST_DISK_IMAGE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char image[] = "/tmp/sigma-disk-XXXXXX";

static void __attribute__((constructor)) make_image(void)
{
	int fd = mkstemp(image);

	if (fd < 0) {
		perror(image);
		exit(EXIT_FAILURE);
	}
	close(fd);
}

static void __attribute__((destructor)) remove_image(void)
{
	unlink(image);
}

#endif
