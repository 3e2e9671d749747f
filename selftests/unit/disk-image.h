/* SPDX-License-Identifier: GPL-2.0 */
/* An image of a disk, which is there while the tests run: empty at first. */
#ifndef SIGMA_TEST_DISK_IMAGE_H
#define SIGMA_TEST_DISK_IMAGE_H

#include "scratch-file.h"

SCRATCH_FILE(image, "/tmp/sigma-disk-XXXXXX");

#endif
