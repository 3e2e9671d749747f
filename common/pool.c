// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that was set aside for guests: see pool.h. sigma.ko checks what a kernel can know: that
 * the host and its drivers do not use a range. Only the firmware knows whether a range that memmap=
 * kept from the host is memory at all, and /sys/firmware/memmap has its answer. A wrong answer would
 * make sigma.ko write zeroes to a device, so a range is refused unless the answer is clear.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "../kmod/uapi/sigma.h"
#include "log.h"
#include "parse.h"
#include "pool.h"
#include "reason.h"

#define ENTRIES_MAX	4096	/* of the firmware's map; machines have tens of them */

/* Room for "FILE:LINE: " and the range */
#define WHERE_MAX	512

/* An entry of the firmware's map; @last is the address of its last byte */
struct entry {
	uint64_t first, last;
	bool is_ram;
};

int pool_parse(const char *where, const char *text, struct pool_range *range)
{
	char *end;

	if (parse_size(text, &end, &range->size) || *end != '@' ||
	    parse_size(end + 1, &end, &range->phys) || *end)
		return log_error(-EINVAL, "%s: not SIZE@ADDRESS; write it like 512M@0x140000000 or 1G@5G",
				 where);
	if (!range->size || range->size - 1 > UINT64_MAX - range->phys)
		return log_error(-EINVAL, "%s: no machine has such a range of memory; give SIZE@ADDRESS of one that was set aside",
				 where);
	return 0;
}

/* Read the address in /sys/firmware/memmap/NUMBER/NAME */
static int read_address(const char *folder, const char *number, const char *name,
			uint64_t *address)
{
	char text[32], *end;
	int error = parse_first_line(text, sizeof(text), "%s/%s/%s", folder, number, name);

	if (error)
		return error;
	errno = 0;
	*address = strtoull(text, &end, 16);
	return errno || end == text || *end ? -EIO : 0;
}

static int read_entry(const char *folder, const char *number, struct entry *entry)
{
	char type[64];
	int error;

	error = read_address(folder, number, "start", &entry->first);
	if (!error)
		error = read_address(folder, number, "end", &entry->last);
	if (!error)
		error = parse_first_line(type, sizeof(type), "%s/%s/type", folder, number);
	if (error)
		return error;
	entry->is_ram = !strcmp(type, "System RAM");
	return 0;
}

/* Read the firmware's map. Return: the number of entries, or a negative errno; free *@entries */
static int read_entries(const char *folder, struct entry **entries)
{
	struct dirent *found;
	int nr = 0, error = 0;
	DIR *dir;

	*entries = NULL;
	dir = opendir(folder);
	if (!dir)
		return -errno;
	*entries = calloc(ENTRIES_MAX, sizeof(**entries));
	if (!*entries)
		error = -ENOMEM;
	while (!error && (found = readdir(dir))) {
		if (*found->d_name == '.')
			continue;
		error = nr < ENTRIES_MAX ? read_entry(folder, found->d_name, &(*entries)[nr++]) :
					   -E2BIG;
	}
	closedir(dir);
	return error ?: nr;
}

static const struct entry *find_ram(const struct entry *entries, int nr, uint64_t address)
{
	for (int i = 0; i < nr; i++)
		if (entries[i].is_ram && entries[i].first <= address && address <= entries[i].last)
			return &entries[i];
	return NULL;
}

/* Entries that follow each other count together. @at: out: the first address that is not RAM */
static bool all_ram(const struct entry *entries, int nr, uint64_t first, uint64_t last,
		    uint64_t *at)
{
	const struct entry *entry;

	*at = first;
	while ((entry = find_ram(entries, nr, *at))) {
		if (entry->last >= last)
			return true;
		*at = entry->last + 1;
	}
	return false;
}

/* Does the map call a part of the range something else, too? A sound map does not */
static bool any_other(const struct entry *entries, int nr, uint64_t first, uint64_t last,
		      uint64_t *at)
{
	for (int i = 0; i < nr; i++) {
		if (entries[i].is_ram || entries[i].first > last || first > entries[i].last)
			continue;
		*at = entries[i].first > first ? entries[i].first : first;
		return true;
	}
	return false;
}

int pool_check(const char *folder, const char *where, const struct pool_range *range)
{
	const uint64_t first = range->phys, last = first + range->size - 1;
	struct entry *entries;
	int nr, error = 0;
	uint64_t at;

	nr = read_entries(folder, &entries);
	if (nr < 0)
		error = log_error(nr, "%s: whether this is memory cannot be known, since %s cannot be read: %s; the host's kernel needs CONFIG_FIRMWARE_MEMMAP",
				  where, folder, strerror(-nr));
	else if (!all_ram(entries, nr, first, last, &at) ||
		 any_other(entries, nr, first, last, &at))
		error = log_error(-ENXIO, "%s: the firmware does not call 0x%" PRIx64 " memory; %s has its map",
				  where, at, folder);
	free(entries);
	return error;
}

static int try_add(int control_fd, struct sigma_pool_add *arg)
{
	return ioctl(control_fd, SIGMA_POOL_ADD, arg) ? -errno : 0;
}

int pool_add(int control_fd, const char *folder, const char *where,
	     const struct pool_range *range)
{
	struct sigma_pool_add arg = { .phys = range->phys, .size = range->size };
	char why[REASON_TEXT_MAX];
	int error;

	error = try_add(control_fd, &arg);
	if (error && arg.why.reason == SIGMA_REASON_POOL_NOT_RAM) {
		error = pool_check(folder, where, range);
		if (error)
			return error;
		arg.flags = SIGMA_POOL_RAM;
		error = try_add(control_fd, &arg);
	}
	if (!error || error == -EEXIST)
		return error;
	if (arg.why.reason)
		reason_text(&arg.why, 0, why);
	else if (error == -EPERM)
		snprintf(why, sizeof(why), "only root may add memory to the pool");
	else
		snprintf(why, sizeof(why), "sigma.ko cannot add it: %s", strerror(-error));
	return log_error(error, "%s: %s", where, why);
}

/* The text of a line without comment and blanks */
static char *strip(char *line)
{
	char *end;

	line[strcspn(line, "#\n")] = '\0';
	line += strspn(line, " \t");
	for (end = line + strlen(line); end > line && isspace((unsigned char)end[-1]); end--)
		;
	*end = '\0';
	return line;
}

int pool_read(const char *path,
	      int (*take)(void *data, const char *where, const struct pool_range *range),
	      void *data)
{
	struct pool_range range;
	char *line = NULL, *text, where[WHERE_MAX];
	unsigned int number = 0;
	int error, first = 0;
	size_t size = 0;
	FILE *f;

	f = fopen(path, "re");
	if (!f)
		return log_error(-errno, "%s: cannot be read: %s", path, strerror(errno));
	while (getline(&line, &size, f) >= 0) {
		number++;
		text = strip(line);
		if (!*text)
			continue;
		snprintf(where, sizeof(where), "%s:%u: %s", path, number, text);
		error = pool_parse(where, text, &range);
		if (!error)
			error = take(data, where, &range);
		first = first ?: error;
	}
	if (ferror(f))
		first = first ?: log_error(-EIO, "%s: cannot be read to its end", path);
	free(line);
	fclose(f);
	return first;
}
