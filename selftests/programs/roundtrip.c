// SPDX-License-Identifier: GPL-2.0
/*
 * For bench/iosc: measure the round trip of a message of 64 bytes. Prints nanoseconds: the median
 * of BATCHES batches, each the mean of BATCH round trips.
 *
 *	roundtrip pipe|unix CPU		to a child of this process that runs on CPU
 *	roundtrip vsock CID PORT	to an echo ("vsock serve") there
 *	roundtrip calls|spin PATH	to an echo ("channels echo") at the channel's other end, by
 *					read(2) and write(2), or by the mapped ring
 */
#include <err.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../lib/iosc.h"

#define BATCH	200
#define BATCHES	11
#define LENGTH	64

static int in, out;		/* from and to the echo */
static struct iosc *channel;
static char message[LENGTH];

static void by_calls(void)
{
	if (write(out, message, LENGTH) != LENGTH || read(in, message, LENGTH) != LENGTH)
		err(EXIT_FAILURE, "round trip");
}

static void by_ring(void)
{
	if (iosc_send(channel, message, LENGTH, 0) ||
	    iosc_recv(channel, message, LENGTH, 0) != LENGTH)
		err(EXIT_FAILURE, "round trip");
}

static void echo(int cpu, int from, int to)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		err(EXIT_FAILURE, "CPU %d", cpu);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(from, message, LENGTH) == LENGTH && write(to, message, LENGTH) == LENGTH)
		;
	_exit(EXIT_SUCCESS);
}

static void open_pipes(int cpu)
{
	int there[2], back[2];

	if (pipe(there) || pipe(back))
		err(EXIT_FAILURE, "pipe");
	if (!fork())
		echo(cpu, there[0], back[1]);
	in = back[0];
	out = there[1];
}

static void open_sockets(int cpu)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
		err(EXIT_FAILURE, "socketpair");
	if (!fork())
		echo(cpu, pair[1], pair[1]);
	in = out = pair[0];
}

static void open_vsock(unsigned int cid, unsigned int port)
{
	const struct sockaddr_vm there = {
		.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port,
	};

	in = out = socket(AF_VSOCK, SOCK_STREAM, 0);
	if (in < 0 || connect(in, (const struct sockaddr *)&there, sizeof(there)))
		err(EXIT_FAILURE, "CID %u, port %u", cid, port);
}

static void open_channel(const char *path)
{
	channel = iosc_open_path(path);
	if (!channel)
		err(EXIT_FAILURE, "%s", path);
	iosc_set_spin(channel, IOSC_SPIN_FOREVER);
	in = out = iosc_fd(channel);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static uint64_t measure(void (*round_trip)(void))
{
	uint64_t mean[BATCHES];

	round_trip();		/* waits until the echo is there */
	for (unsigned int b = 0; b < BATCHES; b++) {
		uint64_t start = now();

		for (unsigned int i = 0; i < BATCH; i++)
			round_trip();
		mean[b] = (now() - start) / BATCH;
	}
	qsort(mean, BATCHES, sizeof(*mean), compare);
	return mean[BATCHES / 2];
}

int main(int argc, char **argv)
{
	const char *kind = argc > 2 ? argv[1] : "";
	void (*round_trip)(void) = by_calls;

	if (!strcmp(kind, "pipe")) {
		open_pipes(atoi(argv[2]));
	} else if (!strcmp(kind, "unix")) {
		open_sockets(atoi(argv[2]));
	} else if (!strcmp(kind, "vsock") && argc == 4) {
		open_vsock(atoi(argv[2]), atoi(argv[3]));
	} else if (!strcmp(kind, "calls") || !strcmp(kind, "spin")) {
		open_channel(argv[2]);
		if (!strcmp(kind, "spin"))
			round_trip = by_ring;
	} else {
		errx(EXIT_FAILURE, "see the comment on top of programs/roundtrip.c");
	}
	printf("%llu\n", (unsigned long long)measure(round_trip));
	return EXIT_SUCCESS;
}
