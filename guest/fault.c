// SPDX-License-Identifier: GPL-2.0
/* The guest has its own faults for tests, by the same code as the host. */
#include "../kmod/shared/fault.c"
