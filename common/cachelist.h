/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Lists of what a guest has in its page cache, as 'sigmactl cache save' writes them. A list is a text:
 *
 *	sigma-cache 1
 *	0-15,32 /usr/bin/java
 *
 * The first line has the version. Each other one has ranges of pages of a file, of CACHELIST_PAGE
 * bytes each, in ascending order, and its path. A file may have several lines. In a path, blanks,
 * control characters and backslashes are written as \ and three octal digits. People may edit a list.
 */
#ifndef SIGMA_CACHELIST_H
#define SIGMA_CACHELIST_H

#include <limits.h>
#include <stdint.h>
#include <stdio.h>

#define CACHELIST_PAGE		4096U
#define CACHELIST_PAGES_MAX	(1ULL << 48)
#define CACHELIST_RANGES_MAX	1024U	/* in a line */
#define CACHELIST_LINE_MAX	(64U << 10)
#define CACHELIST_SIZE_MAX	(256U << 20)	/* of a list that a guest sends */

/** struct cachelist_file - a line; pages from @first to @last, both included */
struct cachelist_file {
	char path[PATH_MAX];
	unsigned int nr;
	struct {
		uint64_t first, last;
	} range[CACHELIST_RANGES_MAX];
};

/** struct cachelist - a list that is read; @line: number of the present line */
struct cachelist {
	FILE *in;
	unsigned long line;
	char text[CACHELIST_LINE_MAX];
};

/** cachelist_open - read the first line. 0; -EINVAL: it is no list; -EPROTONOSUPPORT: a newer one */
int cachelist_open(struct cachelist *list, FILE *in);

/** cachelist_next - read a line. 1; 0: it was the last one; -EINVAL: it is not as it should be; -EIO */
int cachelist_next(struct cachelist *list, struct cachelist_file *file);

/** cachelist_begin, cachelist_print - write the first line, and another one */
void cachelist_begin(FILE *out);
void cachelist_print(FILE *out, const struct cachelist_file *file);

#endif
