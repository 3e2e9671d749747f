// SPDX-License-Identifier: GPL-2.0
/* The guest's end of the doorbells is the same code as the host's. */
#include "../kmod/shared/doorbell.c"
