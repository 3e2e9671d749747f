/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who may use a guest's channels on the host: /dev/iosc/NAME/NUMBER, which sigma.ko makes for root
 * alone. No udev rule is about them, so what is set here stays.
 */
#ifndef SIGMA_CHANNELS_H
#define SIGMA_CHANNELS_H

#include "../common/guestfile.h"

/**
 * channels_share - give each channel to who the guest file says, or to the group sigma
 *
 * The guest was just made. Return: 0 or a reported negative errno.
 */
int channels_share(const struct guest_config *config);

#endif
