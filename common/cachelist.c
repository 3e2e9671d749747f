// SPDX-License-Identifier: GPL-2.0
/* Lists of what a guest has in its page cache: see cachelist.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cachelist.h"

#define MAGIC	"sigma-cache "
#define VERSION	1

void cachelist_begin(FILE *out)
{
	fprintf(out, MAGIC "%d\n", VERSION);
}

static bool is_plain(unsigned char c)
{
	return c > ' ' && c != 0x7f && c != '\\';
}

void cachelist_print(FILE *out, const struct cachelist_file *file)
{
	for (unsigned int i = 0; i < file->nr; i++) {
		fprintf(out, "%s%" PRIu64, i ? "," : "", file->range[i].first);
		if (file->range[i].last != file->range[i].first)
			fprintf(out, "-%" PRIu64, file->range[i].last);
	}
	fputc(' ', out);
	for (const char *at = file->path; *at; at++) {
		if (is_plain(*at))
			fputc(*at, out);
		else
			fprintf(out, "\\%03o", (unsigned char)*at);
	}
	fputc('\n', out);
}

/* The next line, without its end. 1, 0 at the end, or -errno */
static int read_line(struct cachelist *list)
{
	size_t len;

	if (!fgets(list->text, sizeof(list->text), list->in))
		return ferror(list->in) ? -EIO : 0;
	list->line++;
	len = strlen(list->text);
	/* Too long, cut off, or with a NUL in it */
	if (!len || list->text[len - 1] != '\n')
		return -EINVAL;
	list->text[len - 1] = '\0';
	return 1;
}

int cachelist_open(struct cachelist *list, FILE *in)
{
	const size_t len = strlen(MAGIC);
	unsigned long version;
	int ret;
	char *end;

	list->in = in;
	list->line = 0;
	ret = read_line(list);
	if (ret <= 0)
		return ret ?: -EINVAL;
	if (strncmp(list->text, MAGIC, len) || list->text[len] < '0' || list->text[len] > '9')
		return -EINVAL;
	version = strtoul(list->text + len, &end, 10);
	if (*end)
		return -EINVAL;
	return version == VERSION ? 0 : -EPROTONOSUPPORT;
}

/* A number of a page, of digits only; @at: in and out */
static bool take_page(const char **at, uint64_t *page)
{
	char *end;

	if (**at < '0' || **at > '9')
		return false;
	errno = 0;
	*page = strtoull(*at, &end, 10);
	*at = end;
	return !errno && *page < CACHELIST_PAGES_MAX;
}

/* Up to the blank; @at: in and out */
static bool take_ranges(const char **at, struct cachelist_file *file)
{
	uint64_t next = 0;

	for (file->nr = 0; file->nr < CACHELIST_RANGES_MAX; file->nr++, (*at)++) {
		uint64_t first, last;

		if (!take_page(at, &first))
			return false;
		last = first;
		if (**at == '-') {
			(*at)++;
			if (!take_page(at, &last))
				return false;
		}
		if (first < next || last < first || (**at != ',' && **at != ' '))
			return false;
		next = last + 1;
		file->range[file->nr].first = first;
		file->range[file->nr].last = last;
		if (**at == ' ') {
			file->nr++;
			(*at)++;
			return true;
		}
	}
	return false;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

static bool take_path(const char *at, struct cachelist_file *file)
{
	size_t len = 0;

	if (*at != '/')
		return false;
	while (*at && len + 1 < sizeof(file->path)) {
		if (*at != '\\') {
			if (!is_plain(*at))
				return false;
			file->path[len++] = *at++;
			continue;
		}
		if (!(at[1] >= '0' && at[1] <= '3') || !is_octal(at[2]) || !is_octal(at[3]))
			return false;
		file->path[len] = (at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0');
		if (!file->path[len++])
			return false;
		at += 4;
	}
	file->path[len] = '\0';
	return !*at;
}

int cachelist_next(struct cachelist *list, struct cachelist_file *file)
{
	const char *at = list->text;
	int ret = read_line(list);

	if (ret <= 0)
		return ret;
	return take_ranges(&at, file) && take_path(at, file) ? 1 : -EINVAL;
}
