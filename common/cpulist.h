/* SPDX-License-Identifier: GPL-2.0 */
/*
 * CPU lists in the format of sysfs ("0-3,8,10-11"). A number from CPU_SETSIZE on is an error and
 * not ignored: part of a list would be a wrong answer.
 * Needs _GNU_SOURCE.
 */
#ifndef SIGMA_CPULIST_H
#define SIGMA_CPULIST_H

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/**
 * cpulist_parse - parse a list, which may be empty and may end with blanks
 *
 * Return: 0, or -EINVAL.
 */
static inline int cpulist_parse(const char *text, cpu_set_t *set)
{
	CPU_ZERO(set);
	if (!text[strspn(text, " \n")])
		return 0;

	for (;;) {
		unsigned long first, last;
		char *end;

		if (!isdigit((unsigned char)*text))
			return -EINVAL;
		first = last = strtoul(text, &end, 10);
		if (*end == '-') {
			text = end + 1;
			if (!isdigit((unsigned char)*text))
				return -EINVAL;
			last = strtoul(text, &end, 10);
		}
		if (first > last || last >= CPU_SETSIZE)
			return -EINVAL;
		for (; first <= last; first++)
			CPU_SET(first, set);
		if (*end != ',')
			return end[strspn(end, " \n")] ? -EINVAL : 0;
		text = end + 1;
	}
}

/** cpulist_read - parse the list in a file of sysfs; 0 or a negative errno */
static inline int cpulist_read(const char *path, cpu_set_t *set)
{
	FILE *f = fopen(path, "re");
	char text[4096];
	int error;

	if (!f)
		return -errno;
	error = fgets(text, sizeof(text), f) ? cpulist_parse(text, set) : -EIO;
	fclose(f);
	return error;
}

/** cpulist_format - write a list with ranges to @text; it is cut off if it doesn't fit */
static inline char *cpulist_format(const cpu_set_t *set, char *text, size_t size)
{
	size_t at = 0;

	*text = '\0';
	for (int cpu = 0; cpu < CPU_SETSIZE && at < size; cpu++) {
		int last = cpu;

		if (!CPU_ISSET(cpu, set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
			last++;
		at += snprintf(text + at, size - at, last > cpu ? "%s%d-%d" : "%s%d",
			       at ? "," : "", cpu, last);
		cpu = last;
	}
	return text;
}

#endif
