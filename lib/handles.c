// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * See handles.h. A number has the place in the table in its low bits, and above them how often the
 * place was used, so that a handle that was closed does not name the next object there.
 */
#include "handles.h"

#define USES_MAX	(UINT32_MAX / IOSC_HANDLES)

__u32 handles_give(struct handles *handles, unsigned int type, void *object)
{
	for (__u32 place = 0; place < IOSC_HANDLES; place++) {
		struct handle *handle = &handles->handle[place];

		if (handle->object)
			continue;
		handle->object = object;
		handle->type = type;
		handle->uses = handle->uses < USES_MAX ? handle->uses + 1 : 1;
		return handle->uses * IOSC_HANDLES + place;
	}
	return 0;
}

static struct handle *find(const struct handles *handles, unsigned int type, __u32 number)
{
	const struct handle *handle = &handles->handle[number % IOSC_HANDLES];

	if (!handle->object || handle->type != type || handle->uses != number / IOSC_HANDLES)
		return NULL;
	return (struct handle *)handle;
}

void *handles_find(const struct handles *handles, unsigned int type, __u32 number)
{
	const struct handle *handle = find(handles, type, number);

	return handle ? handle->object : NULL;
}

void *handles_close(struct handles *handles, unsigned int type, __u32 number)
{
	struct handle *handle = find(handles, type, number);
	void *object;

	if (!handle)
		return NULL;
	object = handle->object;
	handle->object = NULL;
	return object;
}
