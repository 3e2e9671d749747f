// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl run: start, console and stop in one command, for a guest that has a job to do. The exit
 * status comes from the last state that sigmad reported, and from sigmad's own exit status, since
 * sigmad is a child process.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/busnames.h"
#include "../common/gueststate.h"
#include "ctl.h"
#include "run_command.h"
#include "users.h"

#define ANSWER_TIMEOUT	(10 * USEC_PER_SEC)	/* for sigmad */
#define STOP_TIMEOUT	(30 * USEC_PER_SEC)	/* for the guest */
#define RETURN_TIMEOUT	(60 * USEC_PER_SEC)	/* memory is zeroed, CPUs come back */

/**
 * struct job - the guest that runs
 * @bus: connection to its sigmad
 * @sigmad: process ID of its sigmad
 * @state: the enum sigma_state that sigmad last reported
 * @kept: it panicked or was contained, and is kept for inspection
 * @asked: how often ask_end() was called
 */
struct job {
	const char *name;
	sd_bus *bus;
	pid_t sigmad;
	int state;
	bool kept;
	unsigned int asked;
};

static void set_state(struct job *job, int number)
{
	/* When a guest that panicked is removed, its state changes again. Keep the first one */
	if (job->kept || number < 0)
		return;
	job->state = number;
	job->kept = number == SIGMA_STATE_PANICKED || number == SIGMA_STATE_CONTAINED;
}

static int on_state(sd_bus_message *m, void *data, sd_bus_error *error)
{
	const char *state;

	if (sd_bus_message_read(m, "s", &state) > 0)
		set_state(data, guest_state_from_name(state));
	return 0;
}

static int watch(struct job *job)
{
	char *state;
	int error;

	error = client_watch(&job->bus, job->name, clock_deadline(ANSWER_TIMEOUT), on_state, job,
			     &state);
	if (error)
		return error;
	set_state(job, guest_state_from_name(state));
	free(state);
	return 0;
}

/*
 * The first call asks the guest to switch itself off, the second one stops it. Both use a connection
 * of their own: a failed send closes a connection, with the changes of state that were not read yet.
 */
static void ask_end(struct job *job)
{
	const char *method = job->asked ? "Kill" : "Stop";
	sd_bus_message *call = NULL;
	sd_bus *bus;
	int error;

	job->asked++;
	error = client_open(&bus, job->name, clock_deadline(ANSWER_TIMEOUT));
	if (client_seen(error) == SIGMAD_GONE)
		return;
	if (error < 0)
		goto complain;
	error = sd_bus_message_new_method_call(bus, &call, NULL, SIGMA_BUS_OBJECT,
					       SIGMA_BUS_INTERFACE, method);
	if (error >= 0 && !strcmp(method, "Stop"))
		error = sd_bus_message_append(call, "t", STOP_TIMEOUT);
	if (error >= 0)
		error = sd_bus_message_set_expect_reply(call, 0);
	if (error >= 0)
		error = sd_bus_send(bus, call, NULL);
	sd_bus_message_unref(call);
	sd_bus_flush_close_unref(bus);
complain:
	if (error < 0)
		client_complain(0, job->name, error);
}

/* Connect the console until the guest ends; true if the person left the console before */
static bool connect_console(struct job *job, int console, int key)
{
	const struct terminal_watch state_watch = { .bus = job->bus, .done = &job->kept };

	for (;;) {
		switch (terminal_talk(job->name, console, key, &state_watch)) {
		case TERMINAL_LEFT:
			return true;
		case TERMINAL_GUEST_ENDED:
			return false;
		case TERMINAL_SIGNAL:
			ask_end(job);
			break;
		default:
			ask_end(job);
			return false;
		}
	}
}

/* The exit status. sigmad has ended or is about to, so this does not wait long */
static int exit_status(const struct job *job)
{
	int how;

	if (waitpid(job->sigmad, &how, 0) < 0)
		return complain(EXIT_FAILED, "%s: cannot wait for its sigmad: %s", job->name,
				strerror(errno));
	if (WIFSIGNALED(how))
		return complain(EXIT_LOST, "%s: its sigmad died of signal %d (SIG%s); 'sigmactl start %s' starts another one, which takes the guest over; 'sigmactl kill %s' takes CPUs and memory back",
				job->name, WTERMSIG(how), sigabbrev_np(WTERMSIG(how)) ?: "?",
				job->name, job->name);
	switch (job->state) {
	case SIGMA_STATE_PANICKED:
		return complain(EXIT_PANICKED, "%s: panicked; 'sigmactl log %s' shows its last messages",
				job->name, job->name);
	case SIGMA_STATE_CONTAINED:
		return complain(EXIT_CONTAINED, "%s: was stopped by its guard; dmesg and " RUNDIR_LAST "/%s/sigmad.log say why",
				job->name, job->name);
	case SIGMA_STATE_STOPPED:
		return complain(EXIT_STOPPED, "%s: was stopped", job->name);
	case SIGMA_STATE_LOST:
		return complain(EXIT_LOST, "%s: a CPU did not answer and may still run: it and the guest's memory stay lost until the machine is restarted",
				job->name);
	default:
		if (!WEXITSTATUS(how))
			return EXIT_OK;
		return complain(EXIT_FAILED, "%s: sigmad failed: see " RUNDIR_LAST "/%s/sigmad.log",
				job->name, job->name);
	}
}

static int run(const struct options *options, char **args)
{
	char name[SIGMA_NAME_MAX];
	struct job job = { .name = name, .state = SIGMA_STATE_BOOTING };
	int notify, console, error, status;
	bool gone;

	status = sigmad_begin(args[0], name, NULL, &job.sigmad, &notify);
	if (status == EXIT_NO_GUEST)
		complain(0, "to run a command of this name, write 'sigmactl run -- %s'", args[0]);
	if (status)
		return status;
	error = watch(&job);
	gone = error && client_seen(error) == SIGMAD_GONE;
	if (gone)			/* the guest ended before we were connected */
		set_state(&job, sigmad_last_state(notify, job.sigmad));
	close(notify);
	if (gone)
		return exit_status(&job);
	if (error)
		return client_complain(EXIT_FAILED, name, error);

	/* A guest that has ended by now has no console, and needs no advice */
	console = -1;
	if (!client_wait_end(job.bus, clock_deadline(0))) {
		status = exit_status(&job);
		goto close_bus;
	}
	console = terminal_open(name);
	if (console < 0) {
		ask_end(&job);
	} else if (connect_console(&job, console, options->escape)) {
		complain(0, "%s: goes on in the background; 'sigmactl console %s' comes back to it",
			 name, name);
		goto close_bus;
	}
	if (client_wait_end(job.bus, clock_deadline(STOP_TIMEOUT + RETURN_TIMEOUT)))
		status = complain(EXIT_TIMEOUT, "%s: its CPUs and memory are not back yet; 'sigmactl kill %s' forces it",
				  name, name);
	else
		status = exit_status(&job);
close_bus:
	if (console >= 0)
		close(console);
	sd_bus_close_unref(job.bus);
	return status;
}

/* run -- CMD */

static int check_workdir(const struct run_options *options, const char *workdir)
{
	const char *own = run_own_folder(options, workdir);

	if (!own)
		return 0;
	return complain(-EINVAL, "run: the working directory is %s, and the guest has a %s of its own; change to another folder%s",
			workdir, own, strcmp(own, "/tmp") ? "" : ", or give --tmp-from-host");
}

static int run_command(int argc, char **argv)
{
	struct run_options options;
	struct agent_end end = {};
	char here[PATH_MAX];
	const char *workdir = here;
	int status = RUN_FAILED;

	if (run_options_parse(&options, argc, argv))
		goto free_options;
	if (options.from) {
		status = run_from(&options, &end);
		goto free_options;
	}
	if (strcmp(options.root, "/")) {
		workdir = "/";
	} else if (!getcwd(here, sizeof(here))) {
		complain(0, "run: cannot find the working directory: %s; change to another one",
			 strerror(errno));
		goto free_options;
	} else if (check_workdir(&options, here)) {
		goto free_options;
	}
	status = geteuid() ? users_run(&options, workdir, &end) :
			     run_as_root(&options, workdir, &end);
free_options:
	run_options_free(&options);
	if (status)
		return status;
	return end.timed_out ? RUN_TIMED_OUT : agent_exit(&end);
}

DEFINE_VERB(run) = {
	.name = "run",
	.args = "-- CMD|NAME",
	.summary = "Run a program on a kernel of its own, or a guest with its console",
	.help =
"With -- and a command, the command gets a CPU, memory and a kernel of its own, and stays a process\n"
"of this host to everybody else: the same files, working directory, user, limits, environment,\n"
"standard streams, terminal, signals and exit status. No guest file and no image is needed. The\n"
"guest's root is the host's, and its kernel is the host's, unless options say otherwise; /proc, /sys,\n"
"/dev, /run and /tmp are its own. Its network leads out by passt, from the host's address. When the\n"
"command has ended, or this process was killed, CPU and memory are back. Root may do this, and, with\n"
"their own rights, members of the group sigma-run: see sigma-run.conf(5).\n"
"\n"
"The exit status is that of the command. 124: --timeout is over; 125: it was not run, and a message\n"
"says why; 126: it cannot be executed; 127: there is no such command. If it dies of a signal, this\n"
"process does.\n"
"\n"
"Examples:\n"
"  sigmactl run -- uname -a\n"
"  sigmactl run --cpus=2 --memory=2G -- make -j2\n"
"  sigmactl run --overlay -- sh -c 'rm -rf /usr; ls /'     nothing of that reaches the host\n"
"  sigmactl run --rootfs=debian.oci.tar --                 the program of an OCI image\n"
"  sigmactl run --publish=8080:80 -- nginx -g 'daemon off;'\n"
"  sigmactl run --from=/var/lib/warm.saved -- ./job        in a guest that has booted already\n"
"  tar c . | sigmactl run -- xz -9 >all.tar.xz\n"
"\n"
"With the name or the file of a guest:\n"
"\n"
"The guest is started as by 'sigmactl start', and this terminal is connected to its console, hvc0,\n"
"from the first line on. The command returns when the guest has ended and its CPUs and memory are\n"
"back. Its exit status tells how the guest ended:\n"
"\n"
"   0  the guest switched itself off, or Ctrl-] left it\n"
"   1  the guest could not be started, or sigmad failed; see the messages\n"
"   2  wrong usage\n"
"   3  no such guest file\n"
"   4  the guest was stopped, but its CPUs and memory are not back yet\n"
"  10  the guest panicked; only its log is kept (sigmactl log NAME)\n"
"  11  its guard stopped the guest\n"
"  12  the guest was stopped: 'sigmactl kill' did it, or the guest hung and did not switch\n"
"      itself off in time\n"
"  13  the guest is lost: its sigmad died and the guest runs on, or a CPU could not be stopped\n"
"\n"
"Ctrl-] leaves the guest running in the background. All other keys go to the guest, Ctrl-C, too.\n"
ESCAPE_HELP
"\n"
"The input need not be a terminal, and its end does not end the guest. SIGTERM, SIGINT and SIGHUP\n"
"ask the guest to switch itself off; 30 s later it is stopped. A second signal stops it at once.\n"
"When nobody reads the output any more, the guest is asked in the same way.\n"
"\n"
"Examples:\n"
"  sigmactl run demo\n"
"  timeout 300 sigmactl run ./test.guest </dev/null >test.log && echo passed\n",
	.accepts = OPT_ESCAPE,
	.nr_args = 1,
	.run = run,
	.run_command = run_command,
	.command_options = run_options_help,
};
