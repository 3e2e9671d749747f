/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Owners and modes of a guest's channels on the host: /dev/iosc/NAME/NUMBER. IOSC is inter-OS
 * communication; a channel carries messages between a program of the host and one of the guest.
 * sigma.ko makes the device nodes for root alone. No udev rule changes them later.
 */
#ifndef SIGMA_CHANNELS_H
#define SIGMA_CHANNELS_H

#include "../common/guestfile.h"

/**
 * channels_share - give each channel to the owner in the guest file, or else to the group sigma
 *
 * To be called when the guest was just made. Return: 0 or a reported negative errno.
 */
int channels_share(const struct guest_config *config);

#endif
