// SPDX-License-Identifier: GPL-2.0
/* Keeps the host's OOM killer from sigmad: see oom.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/log.h"
#include "oom.h"

void oom_protect(void)
{
	int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	char text[16] = "";
	bool failed = fd < 0 || read(fd, text, sizeof(text) - 1) < 0;

	if (!failed && atoi(text) >= 0) {
		snprintf(text, sizeof(text), "%d", OOM_SCORE_ADJ);
		failed = pwrite(fd, text, strlen(text), 0) < 0;
	}
	if (failed && errno != EACCES)
		log_warning("the host's OOM killer may choose sigmad: cannot write /proc/self/oom_score_adj: %s",
			    strerror(errno));
	if (fd >= 0)
		close(fd);
}
