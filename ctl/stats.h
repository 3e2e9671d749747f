/* SPDX-License-Identifier: GPL-2.0 */
/* The counters that "sigmactl stats" prints for people, for programs and for Prometheus. */
#ifndef SIGMACTL_STATS_H
#define SIGMACTL_STATS_H

#include "ctl.h"

/**
 * struct moved - the data that a device has moved
 * @kind: "disk", "net", "console", ...
 * @name: path of a disk, interface of a NIC, else ""
 * @requests: requests; frames of a NIC
 * @from: bytes from the guest
 * @to: bytes to the guest
 */
struct moved {
	char kind[16];
	char name[PATH_MAX];
	uint64_t requests, from, to;
};

/**
 * struct stats - one guest
 * @uptime: microseconds; 0: not known
 */
struct stats {
	struct guest_view guest;
	enum sigmad sigmad;
	unsigned int nr_cpus;
	uint64_t uptime;
	struct moved moved[SIGMA_DEVICES];
	unsigned int nr_moved;
};

/** prometheus_print - print the counters in Prometheus' text format 0.0.4 */
void prometheus_print(const struct stats *all, int nr);

#endif
