// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl stats --prometheus: Prometheus' text format 0.0.4, in which all samples of a metric
 * follow its HELP and TYPE lines.
 */
#include <inttypes.h>
#include <string.h>

#include "../common/gueststate.h"
#include "stats.h"

/* Print KEY="VALUE" with the escapes of a label's value */
static void print_label(const char *key, const char *value)
{
	printf("%s=\"", key);
	for (; *value; value++) {
		if (*value == '\n') {
			fputs("\\n", stdout);
			continue;
		}
		if (*value == '\\' || *value == '"')
			putchar('\\');
		putchar(*value);
	}
	putchar('"');
}

static void begin_metric(const char *name, const char *type, const char *help)
{
	printf("# HELP sigma_%s %s\n# TYPE sigma_%s %s\n", name, help, name, type);
}

static void begin_sample(const char *name, const struct stats *stats)
{
	printf("sigma_%s{", name);
	print_label("guest", stats->guest.name);
}

static void print_states(const struct stats *all, int nr)
{
	static const char name[] = "guest_state";

	begin_metric(name, "gauge", "1 for the state that the guest is in");
	for (const struct stats *stats = all; stats < all + nr; stats++) {
		for (uint32_t state = 0; state < GUEST_STATES; state++) {
			const char *word = guest_state_name(state);

			begin_sample(name, stats);
			putchar(',');
			print_label("state", word);
			printf("} %d\n", !strcmp(stats->guest.state, word));
		}
	}
}

static void print_uptime(const struct stats *all, int nr)
{
	static const char name[] = "guest_uptime_seconds";

	begin_metric(name, "gauge", "time since the last start; 0 if it is not known");
	for (const struct stats *stats = all; stats < all + nr; stats++) {
		begin_sample(name, stats);
		printf("} %" PRIu64 ".%06" PRIu64 "\n", stats->uptime / (uint64_t)USEC_PER_SEC,
		       stats->uptime % (uint64_t)USEC_PER_SEC);
	}
}

static uint64_t serves(const struct stats *stats)
{
	return stats->sigmad == SIGMAD_SERVES;
}

static uint64_t nr_cpus(const struct stats *stats)
{
	return stats->nr_cpus;
}

static uint64_t memory(const struct stats *stats)
{
	return stats->guest.memory;
}

static uint64_t heartbeat(const struct stats *stats)
{
	return stats->guest.heartbeat;
}

static uint64_t doorbells_sent(const struct stats *stats)
{
	return stats->guest.doorbells_sent;
}

static uint64_t ipis_sent(const struct stats *stats)
{
	return stats->guest.ipis_sent;
}

static uint64_t doorbells_received(const struct stats *stats)
{
	return stats->guest.doorbells_received;
}

static uint64_t interrupts_received(const struct stats *stats)
{
	return stats->guest.interrupts_received;
}

static const struct {
	const char *name, *type, *help;
	uint64_t (*of)(const struct stats *stats);
} of_guests[] = {
	{ "guest_sigmad_up", "gauge", "1 while its sigmad serves it", serves },
	{ "guest_cpus", "gauge", "CPUs lent to it", nr_cpus },
	{ "guest_memory_bytes", "gauge", "memory lent to it", memory },
	{ "guest_heartbeats_total", "counter", "counted by its driver, since its start",
	  heartbeat },
	{ "guest_doorbells_sent_total", "counter", "doorbells that the host rang for it",
	  doorbells_sent },
	{ "guest_ipis_sent_total", "counter", "interrupts that the host sent for doorbells",
	  ipis_sent },
	{ "guest_doorbells_received_total", "counter", "doorbells that it rang",
	  doorbells_received },
	{ "guest_interrupts_received_total", "counter", "interrupts that it sent for doorbells",
	  interrupts_received },
};

static uint64_t requests(const struct moved *moved)
{
	return moved->requests;
}

static uint64_t bytes_from(const struct moved *moved)
{
	return moved->from;
}

static uint64_t bytes_to(const struct moved *moved)
{
	return moved->to;
}

static const struct {
	const char *name, *help;
	uint64_t (*of)(const struct moved *moved);
} of_devices[] = {
	{ "device_requests_total", "requests, or frames of a NIC", requests },
	{ "device_bytes_from_guest_total", "bytes written, or sent, by the guest", bytes_from },
	{ "device_bytes_to_guest_total", "bytes read, or received, by the guest", bytes_to },
};

void prometheus_print(const struct stats *all, int nr)
{
	print_states(all, nr);
	print_uptime(all, nr);
	for (size_t i = 0; i < sizeof(of_guests) / sizeof(*of_guests); i++) {
		begin_metric(of_guests[i].name, of_guests[i].type, of_guests[i].help);
		for (const struct stats *stats = all; stats < all + nr; stats++) {
			begin_sample(of_guests[i].name, stats);
			printf("} %" PRIu64 "\n", of_guests[i].of(stats));
		}
	}
	for (size_t i = 0; i < sizeof(of_devices) / sizeof(*of_devices); i++) {
		begin_metric(of_devices[i].name, "counter", of_devices[i].help);
		for (const struct stats *stats = all; stats < all + nr; stats++) {
			for (unsigned int j = 0; j < stats->nr_moved; j++) {
				begin_sample(of_devices[i].name, stats);
				putchar(',');
				print_label("kind", stats->moved[j].kind);
				putchar(',');
				print_label("device", stats->moved[j].name);
				printf("} %" PRIu64 "\n", of_devices[i].of(&stats->moved[j]));
			}
		}
	}
}
