/* SPDX-License-Identifier: GPL-2.0 */
/* The IP addresses in [Network] of a guest file. */
#ifndef SIGMA_ADDRESSES_H
#define SIGMA_ADDRESSES_H

#include "guestparser.h"

/**
 * addresses_add - for struct guest_key.set: add addresses to a list, or report a mistake
 * @key: its name
 * @value: one address, or several with blanks between them
 * @of_link: each has a prefix length, and is one that an end of a link can have
 */
void addresses_add(struct parser *parser, const char *key, struct guest_addresses *list,
		   const char *value, bool of_link);

/** addresses_have - does the list have this address, whatever its prefix length? */
bool addresses_have(const struct guest_addresses *list, const struct guest_address *address);

/** addresses_reach - is @address on a link that has these addresses? */
bool addresses_reach(const struct guest_addresses *list, const struct guest_address *address);

/** addresses_have_family - does the list have an address of AF_INET or AF_INET6? */
bool addresses_have_family(const struct guest_addresses *list, int family);

#endif
