// SPDX-License-Identifier: GPL-2.0
/* Grants of memory objects are the same on both sides. */
#include "../kmod/shared/grant.c"
