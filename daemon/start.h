/* SPDX-License-Identifier: GPL-2.0 */
/* The start of a guest: first make devices and take CPUs and memory, then load and run a kernel. */
#ifndef SIGMA_START_H
#define SIGMA_START_H

#include "machine.h"

/**
 * start_make - make the devices, take CPUs and memory, but do not start yet
 *
 * Errors in the guest file, the kernel, disks and networks are found before anything is taken.
 * Return: 0, and machine_close() has to follow; or a reported negative errno: nothing was taken.
 */
int start_make(struct machine *machine);

/** start_run - load the guest from @machine->load, close that, and start the guest; 0 or -errno */
int start_run(struct machine *machine);

#endif
