/* SPDX-License-Identifier: GPL-2.0 */
/* Sizes as people write them. */
#ifndef SIGMA_SIZE_H
#define SIGMA_SIZE_H

#include <stdint.h>

/**
 * size_parse - read a number of bytes, which a unit may follow: K, M, G or T, in powers of 1024
 *
 * Return: 0, -EINVAL: it is no size; or -ERANGE: it is larger than @max.
 */
int size_parse(const char *text, uint64_t max, uint64_t *size);

#endif
