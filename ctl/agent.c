// SPDX-License-Identifier: GPL-2.0
/* The connection to a guest's agent, which sigmad makes: see agent.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "../common/busnames.h"
#include "agent.h"
#include "ctl.h"
#include "users_service.h"

#define AGAIN_NSEC	20000000	/* between two tries */
#define ANSWER_USEC	(10 * USEC_PER_SEC)	/* for sigmad, which waits two seconds for the guest */

/* A copy of the descriptor in the answer. -EAGAIN: no agent answers; with a message in @error */
static int ask(sd_bus *bus, sd_bus_error *error)
{
	sd_bus_message *reply = NULL;
	int fd, ret;

	ret = sd_bus_call_method(bus, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, "OpenAgent",
				 error, &reply, "");
	if (ret >= 0)
		ret = sd_bus_message_read(reply, "h", &fd);
	if (ret >= 0) {
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		ret = fd < 0 ? -errno : fd;
	}
	sd_bus_message_unref(reply);
	return ret;
}

static int report(const char *name, int ret, const sd_bus_error *error)
{
	if (sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_METHOD))
		return complain(-EOPNOTSUPP, "%s: its sigmad is older than this sigmactl; restart the guest",
				name);
	if (ret == -EAGAIN)
		return complain(ret, "%s: %s; is it up? Its init starts the agent if the initrd is sigmad's; otherwise install it: 'sigmactl agent --help'",
				name, error->message);
	if (sd_bus_error_is_set(error))
		return complain(ret, "%s: %s", name, error->message);
	return client_complain(ret, name, ret);
}

int agent_connect(const char *name, uint64_t deadline)
{
	const struct timespec pause = { .tv_nsec = AGAIN_NSEC };
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus *bus;
	int ret, fd;

	if (guest_check(name))
		return -ENOENT;
	ret = client_open(&bus, name, clock_deadline(ANSWER_USEC));
	if (ret && client_seen(ret) == SIGMAD_DENIED) {
		fd = users_join(name);
		if (fd != -EACCES)
			return fd;
	}
	if (ret)
		return client_complain(ret, name, ret);
	for (;;) {
		ret = ask(bus, &error);
		if (ret != -EAGAIN || clock_now(CLOCK_MONOTONIC) >= deadline)
			break;
		sd_bus_error_free(&error);
		nanosleep(&pause, NULL);
	}
	if (ret < 0)
		report(name, ret, &error);
	sd_bus_error_free(&error);
	sd_bus_close_unref(bus);
	return ret;
}
