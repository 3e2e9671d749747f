/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reads the guest's kernel log from its memory, without the guest's help: the guest may run, hang
 * or be dead, and need not have loaded sigma_guest.ko.
 */
#ifndef SIGMA_KLOG_H
#define SIGMA_KLOG_H

#include <stdio.h>

#include "../common/memory.h"

/* Number of records in a log of 8 MiB, the largest usual log_buf_len= */
#define KLOG_RECORDS_MAX	(1UL << 18)
#define KLOG_PRINT_MAX		(16UL << 20)

/**
 * klog_read - print the guest's log, one "[    0.000000] text" a line
 *
 * Control characters and bytes above 0x7e are printed as "\x1b". The guest may write to its log
 * meanwhile; a record that changes during the read is left out. Of a ring of more than
 * KLOG_RECORDS_MAX records the newest are printed. The output is cut after KLOG_PRINT_MAX bytes,
 * with a line that says so.
 *
 * Return: 0; -ENOENT: the memory has no log, since the guest has not booted that far; -EINVAL: the
 * log is corrupt. Errors are not reported.
 */
int klog_read(const struct guest_memory *mem, FILE *out);

#endif
