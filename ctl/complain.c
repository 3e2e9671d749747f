// SPDX-License-Identifier: GPL-2.0
/* Messages for people. */
#include <stdarg.h>
#include <stdio.h>

#include "../common/output.h"
#include "ctl.h"

int complain(int status, const char *fmt, ...)
{
	va_list ap;

	output_flush();		/* keep the order of messages and output */
	fputs("sigmactl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}
