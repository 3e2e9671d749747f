/* SPDX-License-Identifier: GPL-2.0 */
/* What /proc/meminfo says. All in one header: the agent in the guest is not linked with common/. */
#ifndef SIGMA_MEMINFO_H
#define SIGMA_MEMINFO_H

#include <stdint.h>
#include <stdio.h>

/** meminfo_available - bytes that programs could get without swapping; 0: it is not known */
static inline uint64_t meminfo_available(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;
	char line[128];

	while (file && !kib && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) != 1)
			kib = 0;
	if (file)
		fclose(file);
	return kib << 10;
}

#endif
