/* SPDX-License-Identifier: GPL-2.0 */
/* The start of a guest: what it takes is made and taken, then its kernel is loaded and run. */
#ifndef SIGMA_START_H
#define SIGMA_START_H

#include "machine.h"

/**
 * start_make - make the devices, take CPUs and memory, but don't start yet
 *
 * What can be wrong with the guest's file, its kernel, disks and networks is found before
 * anything is taken. Return: 0, or a reported negative errno: nothing was taken then;
 * machine_close() after 0.
 */
int start_make(struct machine *machine);

/** start_run - load the guest, from what @machine->load has open, and start it; 0 or -errno */
int start_run(struct machine *machine);

#endif
