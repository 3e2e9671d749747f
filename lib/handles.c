// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The handles of a client: see struct iosc_handles. A number has the place in the table in its low
 * bits, and above them how often the place was used, so that a handle that was closed does not name
 * the next object there.
 */
#include "iosc_call.h"

void iosc_handles_init(struct iosc_handles *handles)
{
	handles->free = NULL;
	for (__u32 i = IOSC_HANDLES; i--; ) {
		handles->handle[i] = (struct iosc_handle){
			.next = handles->free, .number = IOSC_HANDLES + i,
		};
		handles->free = &handles->handle[i];
	}
}

void *iosc_handle_close(struct iosc_handles *handles, __u32 type, __u32 number)
{
	struct iosc_handle *handle = (struct iosc_handle *)iosc_handle_at(handles, type, number);
	void *object;

	if (!handle)
		return NULL;
	object = handle->object;
	handle->type = 0;
	handle->number += IOSC_HANDLES;
	if (handle->number < IOSC_HANDLES)	/* it wrapped: 0 is no number */
		handle->number += IOSC_HANDLES;
	handle->next = handles->free;
	handles->free = handle;
	return object;
}
