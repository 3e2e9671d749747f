// SPDX-License-Identifier: GPL-2.0
/* The guest's end of the channels is the same code as the host's. */
#include "../kmod/shared/channel.c"
