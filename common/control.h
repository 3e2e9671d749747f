/* SPDX-License-Identifier: GPL-2.0 */
/* What both programs do by a guest's name alone: see whether it exists, and give it back. */
#ifndef SIGMA_CONTROL_H
#define SIGMA_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

#define SIGMA_DEVICES_DIR "/dev/sigma"

/** control_has_guest - is there a guest of this name? */
bool control_has_guest(const char *name);

/**
 * control_give_back - stop a guest and give its CPUs and memory back to the host
 * @control_fd: /dev/sigma/control
 * @why: out: what is wrong and its remedy, @size bytes
 *
 * Return: 0, also when there is no such guest; or a negative errno, not reported.
 */
int control_give_back(int control_fd, const char *name, char *why, size_t size);

#endif
