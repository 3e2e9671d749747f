// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl kill. First it asks sigmad, which has the guest's memory mapped and can remove all that
 * it made for the guest. If sigmad does not answer, it is killed. If there is none, sigma.ko stops
 * the guest and takes everything back.
 *
 * sigma@.service calls this verb when sigmad did not stop in time, and gives each of its commands
 * TimeoutStopSec=. On a busy machine that may be too short, and a verb that is killed half-way would
 * leave the guest unserved. So the verb asks the service manager for more time, before each step.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "../common/busnames.h"
#include "ctl.h"

#define ANSWER_TIMEOUT	(5 * USEC_PER_SEC)
#define END_TIMEOUT	(20 * USEC_PER_SEC)	/* memory is zeroed, CPUs come back */
#define DEATH_MS	10000			/* of a process with much memory */
#define STEP_TIME	(300 * USEC_PER_SEC)	/* many times what any step takes */

/* Without a service manager this does nothing */
static void ask_for_time(void)
{
	sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%" PRIu64, (uint64_t)STEP_TIME);
}

/* Have sigmad end the guest; 0 when sigmad has ended, or -errno */
static int ask(const char *name)
{
	uint64_t end = clock_deadline(END_TIMEOUT);
	sd_bus *bus;
	int error;

	error = client_open(&bus, name, clock_deadline(ANSWER_TIMEOUT));
	if (error)
		return error;
	error = sd_bus_call_method(bus, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, "Kill", NULL,
				   NULL, NULL);
	if (error >= 0)
		error = client_wait_end(bus, end);
	sd_bus_close_unref(bus);
	return error;
}

/* Stop the unit, or systemd would start another sigmad, which would take the guest over */
static void stop_service(const char *name, pid_t pid)
{
	char *unit;

	if (sd_pid_get_unit(pid, &unit) < 0)
		return;
	if (!strncmp(unit, "sigma@", strlen("sigma@")))
		systemctl("stop", "--no-block", name,
			  "put it into $PATH, or systemd starts another sigmad for the guest");
	free(unit);
}

/* End a sigmad that doesn't answer; 0 or a reported -errno */
static int kill_sigmad(const char *name)
{
	struct pollfd end = { .events = POLLIN };
	int error = 0;
	pid_t pid;

	end.fd = client_pidfd(name, &pid);
	if (end.fd < 0)
		return client_seen(end.fd) == SIGMAD_GONE ? 0 :
			complain(end.fd, "%s: its sigmad does not answer, and its process cannot be found: %s; end it and try again",
				 name, strerror(-end.fd));
	complain(0, "%s: its sigmad (pid %d) does not answer and is killed", name, pid);
	stop_service(name, pid);
	if (pidfd_send_signal(end.fd, SIGKILL, NULL, 0) && errno != ESRCH)
		error = complain(-errno, "%s: its sigmad cannot be killed: %s%s", name,
				 strerror(errno), errno == EPERM ? "; be root" : "");
	else
		poll(&end, 1, DEATH_MS);
	close(end.fd);
	return error;
}

static int run(const struct options *options, char **args)
{
	const char *name = args[0];
	struct guest_view guest;
	int status, error;

	ask_for_time();
	status = guest_check(name);
	if (status)
		return status;
	error = ask(name);
	switch (client_seen(error)) {
	case SIGMAD_DENIED:
		return client_complain(EXIT_FAILED, name, error);
	case SIGMAD_SILENT:
		if (kill_sigmad(name))
			return EXIT_FAILED;
		break;
	default:
		break;
	}
	if (guest_view(&guest, name))
		return EXIT_OK;

	ask_for_time();
	error = guest_remove(name);
	if (error < 0)
		return EXIT_FAILED;
	/* Only root may remove the folder. Otherwise the next start of this guest removes it */
	if (!error && !access(RUNDIR, W_OK))
		rundir_retire(name);
	return EXIT_OK;
}

DEFINE_VERB(kill) = {
	.name = "kill",
	.args = "NAME",
	.summary = "Stop a guest at once, whatever it does",
	.help =
"The guest's CPUs are reset, and go back to the host together with its memory. The guest is not\n"
"asked: data that it had not written to its disks are lost, as in a power failure. This also\n"
"works when the guest hangs, and when its sigmad is gone.\n"
"\n"
"Examples:\n"
"  sigmactl kill demo\n"
"  sigmactl stop --timeout=5 demo    asks first\n",
	.nr_args = 1,
	.run = run,
};
