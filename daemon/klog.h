/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's kernel log, read from its memory without its help: it may run, hang or be
 * dead, and need not have loaded sigma_guest.ko.
 */
#ifndef SIGMA_KLOG_H
#define SIGMA_KLOG_H

#include <stdio.h>

#include "../common/memory.h"

/* A log of 8 MiB, the largest that log_buf_len= is usually given, has so many records */
#define KLOG_RECORDS_MAX	(1UL << 18)
#define KLOG_PRINT_MAX		(16UL << 20)

/**
 * klog_read - print all that the guest's log holds, one "[    0.000000] text" a line
 *
 * Bytes that a terminal could take for commands are printed as "\x1b". A guest that writes
 * to its log meanwhile does no harm; a line that changes under the reader is left out. Of a
 * ring of more than KLOG_RECORDS_MAX records the newest are printed. What would be more than
 * KLOG_PRINT_MAX bytes is cut, with a line that says so.
 *
 * Return: 0; -ENOENT when the memory has no log (the guest has not got that far, or died
 * before); -EINVAL when what is there makes no sense. Nothing is reported by it.
 */
int klog_read(const struct guest_memory *mem, FILE *out);

#endif
