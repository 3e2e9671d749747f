// SPDX-License-Identifier: GPL-2.0
/* The guest allots its half of the area of memory objects by the same code as the host. */
#include "../kmod/shared/area.c"
