/* SPDX-License-Identifier: GPL-2.0 */
/* The places that a guest must have again, which was saved: its memory, its window, its CPUs. */
#ifndef _SIGMA_PLACE_H
#define _SIGMA_PLACE_H

#include "uapi/sigma.h"

struct sigma_why;

/** sigma_places_check - could a guest have these places? Return: 0, or -EINVAL with the reason in @why */
int sigma_places_check(const struct sigma_create_at *at, struct sigma_why *why);

/** sigma_places_find_cpus - set @at->create.cpus to those with @at->apic_ids. Return: as above */
int sigma_places_find_cpus(struct sigma_create_at *at, struct sigma_why *why);

#endif
