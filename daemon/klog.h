/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's kernel log, read from its memory without its help: it may run, hang or be
 * dead, and need not have loaded sigma_guest.ko.
 */
#ifndef SIGMA_KLOG_H
#define SIGMA_KLOG_H

#include <stdio.h>

#include "memory.h"

/**
 * klog_read - print all that the guest's log holds, one "[    0.000000] text" a line
 *
 * Bytes that a terminal could take for commands are printed as "\x1b". A guest that writes
 * to its log meanwhile does no harm; a line that changes under the reader is left out.
 *
 * Return: 0; -ENOENT when the memory has no log (the guest has not got that far, or died
 * before); -EINVAL when what is there makes no sense. Nothing is reported by it.
 */
int klog_read(const struct guest_memory *mem, FILE *out);

#endif
