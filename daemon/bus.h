/* SPDX-License-Identifier: GPL-2.0 */
/* The guest on D-Bus, as an observer of it: the socket and its connections. */
#ifndef SIGMA_BUS_H
#define SIGMA_BUS_H

struct bus;
struct supervisor;

/**
 * bus_new - begin to observe a guest, which clients see and change from observers_open() on
 * @supervisor: of the guest; must stay until bus_free()
 * @path: where to listen
 *
 * Return: 0 or a reported negative errno.
 */
int bus_new(struct bus **bus, struct supervisor *supervisor, const char *path);

/** bus_free - after the guest was given back; @bus may be NULL */
void bus_free(struct bus *bus);

#endif
