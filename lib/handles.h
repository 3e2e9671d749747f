/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The handles of one client: numbers for objects of the server, see iosc_handle_give(). */
#ifndef IOSC_HANDLES_H
#define IOSC_HANDLES_H

#include "iosc_call.h"

/**
 * struct handle - a place in the table
 * @object: NULL: free
 * @type: of the object
 * @uses: how often the place was used: the upper bits of a handle's number, never 0
 */
struct handle {
	void *object;
	unsigned int type;
	__u32 uses;
};

struct handles {
	struct handle handle[IOSC_HANDLES];
};

__u32 handles_give(struct handles *handles, unsigned int type, void *object);
void *handles_find(const struct handles *handles, unsigned int type, __u32 number);
void *handles_close(struct handles *handles, unsigned int type, __u32 number);

#endif
