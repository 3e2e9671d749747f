/* SPDX-License-Identifier: GPL-2.0 */
/* The guest's D-Bus interface, as an observer: the socket and its connections. */
#ifndef SIGMA_BUS_H
#define SIGMA_BUS_H

struct bus;
struct supervisor;

/**
 * bus_new - add the D-Bus observer; clients can connect from observers_open() on
 * @supervisor: of the guest; must stay until bus_free()
 * @path: of the socket
 *
 * Return: 0 or a reported negative errno.
 */
int bus_new(struct bus **bus, struct supervisor *supervisor, const char *path);

/** bus_free - free the bus after observers_close(); @bus may be NULL */
void bus_free(struct bus *bus);

#endif
