// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The handles of a client: see struct iosc_handles. A number has the place in the table in its low
 * bits, and above them how often the place was used, so that a handle that was closed does not name
 * the next object there.
 */
#include "iosc_call.h"

#define USES_MAX	(UINT32_MAX / IOSC_HANDLES)

__u32 iosc_handle_give(struct iosc_handles *handles, __u32 type, void *object)
{
	struct iosc_handle *handle;
	__u32 place;

	if (handles->free) {
		place = handles->free - 1;
		handles->free = handles->handle[place].type;
	} else if (handles->used < IOSC_HANDLES) {
		place = handles->used++;
	} else {
		return 0;
	}
	handle = &handles->handle[place];
	handle->object = object;
	handle->type = type;
	handle->uses = handle->uses < USES_MAX ? handle->uses + 1 : 1;
	return handle->uses * IOSC_HANDLES + place;
}

void *iosc_handle_close(struct iosc_handles *handles, __u32 type, __u32 number)
{
	void *object = iosc_handle_find(handles, type, number);
	__u32 place = number % IOSC_HANDLES;

	if (!object)
		return NULL;
	handles->handle[place].object = NULL;
	handles->handle[place].type = handles->free;
	handles->free = place + 1;
	return object;
}
