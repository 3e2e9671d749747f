/* SPDX-License-Identifier: GPL-2.0 */
/* Operations on a guest by its name, for sigmad and sigmactl: does it exist, and destroy it. */
#ifndef SIGMA_CONTROL_H
#define SIGMA_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

#define SIGMA_DEVICES_DIR "/dev/sigma"

/** control_has_guest - does a guest of this name exist? */
bool control_has_guest(const char *name);

/**
 * control_give_back - stop a guest and give its CPUs and memory back to the host
 * @control_fd: /dev/sigma/control
 * @why: out, on an error: what is wrong and its remedy, @size bytes
 *
 * Return: 0, also if there is no such guest; or a negative errno, not reported.
 */
int control_give_back(int control_fd, const char *name, char *why, size_t size);

#endif
