/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The monitor of a qemu-storage-daemon: commands of QMP (docs/interop/qmp-spec of QEMU), a line of
 * JSON each way. What it answers is checked like any other input.
 */
#ifndef SIGMA_VIRTIO_MONITOR_H
#define SIGMA_VIRTIO_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#define MONITOR_WHY_MAX	200

/**
 * struct monitor - a connection to a monitor
 * @fd: the socket; -1: not connected
 */
struct monitor {
	int fd;
	/* private to monitor.c */
	bool greeted;
	unsigned int sent;		/* number of the last command */
};

/** monitor_open - use this connection, which belongs to @monitor from now on, and close the last */
void monitor_open(struct monitor *monitor, int fd);
void monitor_close(struct monitor *monitor);

/**
 * monitor_resize - make the disk @node @size bytes large
 *
 * Waits for the answer, with a timeout. Return: 0, or -errno and the reason in @why. After a timeout
 * the disk may or may not have grown, and the connection is closed.
 */
int monitor_resize(struct monitor *monitor, const char *node, uint64_t size,
		   char why[MONITOR_WHY_MAX]);

#endif
