// SPDX-License-Identifier: GPL-2.0
/* Finding and destroying a guest by its name: see control.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../kmod/uapi/sigma.h"
#include "control.h"

bool control_has_guest(const char *name)
{
	char path[sizeof(SIGMA_DEVICES_DIR) + SIGMA_NAME_MAX + 1];

	snprintf(path, sizeof(path), SIGMA_DEVICES_DIR "/%s", name);
	return !access(path, F_OK);
}

int control_give_back(int control_fd, const char *name, char *why, size_t size)
{
	struct sigma_destroy arg = {};
	int error;

	snprintf(arg.name, sizeof(arg.name), "%s", name);
	if (!ioctl(control_fd, SIGMA_DESTROY, &arg) || errno == ENOENT)
		return 0;

	error = -errno;
	if (error == -EIO)
		snprintf(why, size, "a CPU of the guest did not answer INIT: it and the guest's memory stay lost to the host until the machine is restarted");
	else if (error == -EBUSY)
		snprintf(why, size, "CPUs and memory stay lent: another process has the guest's memory open; end it, then 'sigmactl kill %s'",
			 name);
	else
		snprintf(why, size, "CPUs and memory stay lent: %s; 'sigmactl kill %s' tries again",
			 strerror(-error), name);
	return error;
}
