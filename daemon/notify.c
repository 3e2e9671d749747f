// SPDX-License-Identifier: GPL-2.0
/*
 * Reports to the service manager: see notify.h.
 *
 * A socket holds ten reports that nobody has read yet (net.unix.max_dgram_qlen). systemd always reads.
 * sigmactl may be stopped (Ctrl-Z), or has seen READY=1 and reads no more; it must not stop the event
 * loop. So it gets only a few of the reports that are not important, which leaves room for READY=1 and
 * the states in which guests end. These are tried for a while, since other programs of root may fill
 * its socket, too.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "../common/gueststate.h"
#include "../kmod/uapi/sigma.h"
#include "notify.h"

#define NEEDLESS_MAX	5	/* reports */
#define REPORT_MAX	512
#define TRIES_MAX	200	/* as long as a sigmad lives */
#define TRY_MS		10

static struct {
	bool systemd;
	unsigned int needless;	/* reports so far that sigmactl can do without */
	unsigned int tries;	/* so far, to send what sigmactl needs */
	int fd;			/* connected to sigmactl's socket; or -1 */
} manager = { .fd = -1 };

static void connect_manager(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;

	if (!len || len >= sizeof(addr.sun_path))
		return;
	memcpy(addr.sun_path, path, len);
	if (*path == '@')
		*addr.sun_path = '\0';
	manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (manager.fd >= 0 && connect(manager.fd, (struct sockaddr *)&addr,
				       offsetof(struct sockaddr_un, sun_path) + len)) {
		close(manager.fd);
		manager.fd = -1;
	}
}

static void tell_sigmactl(bool needed, const char *text)
{
	struct pollfd socket = { .fd = manager.fd, .events = POLLOUT };

	while (send(manager.fd, text, strlen(text), MSG_NOSIGNAL) < 0 && errno == EAGAIN && needed &&
	       manager.tries++ < TRIES_MAX)
		poll(&socket, 1, TRY_MS);
}

/* @needed: by sigmactl */
__attribute__((format(printf, 2, 3)))
static void report(bool needed, const char *fmt, ...)
{
	char text[REPORT_MAX];
	va_list ap;

	if (!manager.systemd && !needed && manager.needless++ >= NEEDLESS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!manager.systemd && manager.fd >= 0)
		tell_sigmactl(needed, text);
	else
		sd_notify(0, text);
}

#define PATIENCE_USEC	300000000ULL	/* TimeoutStartSec= of sigma@.service begins again */

void notify_waits(const char *what)
{
	sd_notifyf(0, "STATUS=Waiting for %s.\nEXTEND_TIMEOUT_USEC=%llu", what, PATIENCE_USEC);
}

void notify_progress(const char *what)
{
	sd_notifyf(0, "STATUS=%s", what);
}

static void on_progress(void *data, const char *what)
{
	report(false, "STATUS=%s", what);
}

static void on_patience(void *data, uint64_t usec)
{
	report(false, "EXTEND_TIMEOUT_USEC=%" PRIu64, usec);
}

static void on_ready(void *data)
{
	report(true, "READY=1");
}

static void on_state(void *data, uint32_t state)
{
	const char *name = guest_state_name(state);
	bool last = state == SIGMA_STATE_POWEROFF || state == SIGMA_STATE_PANICKED ||
		    state == SIGMA_STATE_CONTAINED || state == SIGMA_STATE_STOPPED ||
		    state == SIGMA_STATE_LOST;

	report(last, "STATUS=Guest is %s.\n" GUEST_STATE_VARIABLE "%s", name, name);
}

static void on_ending(void *data)
{
	report(true, "STOPPING=1");
}

void notify_observe(struct observers *observers, bool service)
{
	static const struct observer_ops ops = {
		.progress = on_progress,
		.patience = on_patience,
		.ready = on_ready,
		.state = on_state,
		.ending = on_ending,
	};

	manager.systemd = service;
	manager.needless = manager.tries = 0;
	if (!service)
		connect_manager();
	observers_add(observers, &ops, NULL);
}
