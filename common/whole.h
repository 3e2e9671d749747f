/* SPDX-License-Identifier: GPL-2.0 */
/* read(2) and write(2) of all bytes, or an error. */
#ifndef SIGMA_WHOLE_H
#define SIGMA_WHOLE_H

#include <stddef.h>

/** read_whole - read @len bytes; 0; -ENODATA: there are fewer; or another -errno */
int read_whole(int fd, void *buffer, size_t len);

/** write_whole - write @len bytes; 0 or -errno */
int write_whole(int fd, const void *buffer, size_t len);

#endif
