// SPDX-License-Identifier: GPL-2.0
/* Context for making a device: see making.h. */
#include <stdarg.h>
#include <stdio.h>

#include "making.h"

int making_say(struct virtio_making *making, int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(making->said, sizeof(making->said), fmt, ap);
	va_end(ap);
	return error;
}
