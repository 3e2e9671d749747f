// SPDX-License-Identifier: GPL-2.0
/*
 * sigmad: supervises one guest. It reads the guest file, has sigma.ko lend CPUs and memory, loads
 * a kernel, starts it, and serves the guest's virtio devices until the guest ends. The parts:
 *
 *	guest.c		ioctls of sigma.ko
 *	load/		loads kernel, initrd, ACPI tables and boot parameters
 *	devices.c kinds.c virtio/	devices, their hotplug and unplug, and what serves them
 *	channels.c	owners and modes of the guest's message channels (/dev/iosc)
 *	guestlog.c klog.c	the guest's kernel log
 *	bus*.c		D-Bus, for sigmactl and others
 *	notify.c systembus.c journal.c	reports to the host's systemd
 *	state.c		persists what the next sigmad needs, in case this one dies
 *	machine.c	all resources of the guest
 *	reload.c	reads the guest file again
 *	late.c		waits for what the guest file names and is not there yet
 *	start.c takeover.c	make a guest, or take over one that runs
 *	orphan.c	ends a guest of which sigmad and its caller were killed
 *	boot.c hang.c	watch the guest boot, and whether it hangs
 *	sleep.c wake.c	put it to sleep, and wake it
 *	calls.c		calls of sigma.ko that may wait for long
 *	failure.c savelog.c	say why a guest failed; save its log when it ends
 *	supervisor.c	reacts to the guest's messages and to changes of its state
 *	oom.c		keeps the host's OOM killer away
 *	privileges.c	gives up root's privileges, before anything of a guest is read
 *	observer.c	calls the observers: bus.c, notify.c, journal.c
 *
 * common/ has what sigmactl needs as well: guest files, messages, /run/sigma, the guest's memory.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "../common/control.h"
#include "../common/log.h"
#include "../common/output.h"
#include "../common/owner.h"
#include "../common/profile.h"
#include "../common/rundir.h"
#include "../common/version.h"
#include "../common/versions.h"
#include "virtio/backend.h"
#include "virtio/broker.h"
#include "agent.h"
#include "bus.h"
#include "journal.h"
#include "late.h"
#include "notify.h"
#include "oom.h"
#include "orphan.h"
#include "privileges.h"
#include "restore.h"
#include "supervisor.h"
#include "systembus.h"
#include "takeover.h"

#define EXIT_USAGE		2
#define EXIT_NOT_TAKEN		SAVE_NOT_TAKEN	/* 3: SUPERVISOR_GUEST_FAILED */
#define EXIT_ABSENT		5
#define USEC_PER_SEC		1000000ULL
#define RETRY_SEC		10	/* between two tries to take a guest over, or to make it */
#define STOP_TIMEOUT_SEC	30
#define HANG_TIMEOUT_SEC	30
#define BOOT_TIMEOUT_SEC	300
#define DEVICE_TIMEOUT_SEC	90
#define TIMEOUT_SEC_MAX		86400

static const char help[] =
"Usage: sigmad [OPTION]... NAME|FILE\n"
"Run one SIGMA guest: a second kernel on a CPU and memory that this host lends.\n"
"\n"
"NAME means /etc/sigma/NAME.guest; anything with a '/' in it is a file of that kind.\n"
"sigmad starts the guest and serves its disks, networks, shares and console. When the guest\n"
"ends, sigmad returns everything to the host and ends, too. If the guest runs already, but its\n"
"sigmad died, it is taken over with its requests in flight. People use 'sigmactl start' instead.\n"
"\n"
"  --stop-timeout=SEC  on SIGTERM, SIGINT, SIGHUP or SIGQUIT the guest is asked to\n"
"                      switch itself off; after SEC seconds (30), or on a second\n"
"                      signal, it is stopped\n"
"  --background        once the guest is started, leave the terminal and write\n"
"                      messages to /run/sigma/NAME/sigmad.log\n"
"  --service           for sigma@.service: the guest's log and console also go to the journal,\n"
"                      systemd-machined lists the guest, and a guest that panics, hangs or is\n"
"                      contained by its guard is ended, not kept\n"
"  --hang-timeout=SEC  with --service: end a guest whose heartbeat has stopped for SEC\n"
"                      seconds (30)\n"
"  --boot-timeout=SEC  report a guest whose driver is not up SEC seconds (300) after the\n"
"                      start; with --service, READY=1 waits for the driver, and such a guest\n"
"                      is ended, too\n"
"  --device-timeout=SEC  with --service: wait SEC seconds (90) for files, bridges and sockets\n"
"                      that the guest file names and that are not there yet\n"
"  --with-caller       for 'sigmactl run': stop the guest at once when the process that has the\n"
"                      other end of stdin has ended, unless it wrote a byte before\n"
"  --for=UID:GID:GROUP,...  for 'sigmactl run' of a user: the guest belongs to them, so virtiofsd\n"
"                      and passt run as them, and it gets no other devices\n"
"  --restore           for 'sigmactl restore': stdin is the file that the guest NAME was saved to. It\n"
"                      is taken over as one that is asleep. With --with-caller the file is stdout\n"
"  --force             with --restore: also if a disk was changed since\n"
"  --copy              with --restore: the guest in the file has another name, and NAME is a copy\n"
"  --broker            for sigmad itself and sigma-broker@.service, without a NAME: start\n"
"                      virtiofsd, passt and qemu-storage-daemon for the sigmad that has the\n"
"                      other end of stdin\n"
"  --help, --version\n"
"\n"
"SEC may be \"infinity\", which means no timeout.\n"
"\n"
"While the guest runs, /run/sigma/NAME contains\n"
"  console  the guest's console, a terminal\n"
"  log      the guest's kernel log\n"
"  bus      D-Bus: busctl --address=unix:path=/run/sigma/NAME/bus introspect \\\n"
"               org.sigma /org/sigma/Guest\n"
"\n"
"Exit status: 0 the guest switched itself off or was stopped as asked, 2 wrong usage,\n"
"3 with --service: the guest did not boot, panicked, hung or was contained, 4 the guest runs\n"
"without a sigmad and could not be taken over now: try again, 5 with --service: what the guest\n"
"file names did not come in time: try again, 1 anything else.\n";

struct options {
	const char *guest;		/* NAME or FILE */
	bool background, broker, with_caller, owned, restore, force, copy;
	struct owner owner;
	uint64_t device_timeout;
	struct supervisor_options supervisor;
};

static bool parse_timeout(const char *option, const char *text, uint64_t *usec)
{
	unsigned long seconds;
	char *end;

	if (!strcmp(text, "infinity")) {
		*usec = UINT64_MAX;
		return true;
	}
	errno = 0;
	seconds = strtoul(text, &end, 10);
	*usec = seconds * USEC_PER_SEC;
	if (!errno && isdigit((unsigned char)*text) && !*end && seconds <= TIMEOUT_SEC_MAX)
		return true;
	log_error(-EINVAL, "--%s=%s: give whole seconds, at most %d, or \"infinity\"", option, text,
		  TIMEOUT_SEC_MAX);
	return false;
}

/* Return: -1 to go on, else the exit status */
static int parse_options(struct options *options, int argc, char **argv)
{
	enum { HELP = 1, VERSION, STOP_TIMEOUT, HANG_TIMEOUT, BOOT_TIMEOUT, DEVICE_TIMEOUT,
	       BACKGROUND, SERVICE, WITH_CALLER, FOR, RESTORE, FORCE, COPY, BROKER };
	static const struct option known[] = {
		{ "help", no_argument, NULL, HELP },
		{ "version", no_argument, NULL, VERSION },
		{ "stop-timeout", required_argument, NULL, STOP_TIMEOUT },
		{ "hang-timeout", required_argument, NULL, HANG_TIMEOUT },
		{ "boot-timeout", required_argument, NULL, BOOT_TIMEOUT },
		{ "device-timeout", required_argument, NULL, DEVICE_TIMEOUT },
		{ "background", no_argument, NULL, BACKGROUND },
		{ "service", no_argument, NULL, SERVICE },
		{ "with-caller", no_argument, NULL, WITH_CALLER },
		{ "for", required_argument, NULL, FOR },
		{ "restore", no_argument, NULL, RESTORE },
		{ "force", no_argument, NULL, FORCE },
		{ "copy", no_argument, NULL, COPY },
		{ "broker", no_argument, NULL, BROKER },
		{}
	};
	struct supervisor_options *supervisor;
	int opt;

	*options = (struct options){
		.device_timeout = DEVICE_TIMEOUT_SEC * USEC_PER_SEC,
		.supervisor = {
			.stop_timeout = STOP_TIMEOUT_SEC * USEC_PER_SEC,
			.hang_timeout = HANG_TIMEOUT_SEC * USEC_PER_SEC,
			.boot_timeout = BOOT_TIMEOUT_SEC * USEC_PER_SEC,
		},
	};
	supervisor = &options->supervisor;
	while ((opt = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (opt) {
		case HELP:
			fputs(help, stdout);
			return EXIT_SUCCESS;
		case VERSION:
			puts("sigmad " SIGMA_VERSION);
			return EXIT_SUCCESS;
		case STOP_TIMEOUT:
			if (!parse_timeout("stop-timeout", optarg, &supervisor->stop_timeout))
				return EXIT_USAGE;
			break;
		case HANG_TIMEOUT:
			if (!parse_timeout("hang-timeout", optarg, &supervisor->hang_timeout))
				return EXIT_USAGE;
			break;
		case BOOT_TIMEOUT:
			if (!parse_timeout("boot-timeout", optarg, &supervisor->boot_timeout))
				return EXIT_USAGE;
			break;
		case DEVICE_TIMEOUT:
			if (!parse_timeout("device-timeout", optarg, &options->device_timeout))
				return EXIT_USAGE;
			break;
		case BACKGROUND:
			options->background = true;
			break;
		case SERVICE:
			supervisor->service = true;
			break;
		case WITH_CALLER:
			options->with_caller = true;
			supervisor->transient = true;
			break;
		case FOR:
			if (owner_parse(optarg, &options->owner)) {
				log_error(-EINVAL, "--for=%s: give UID:GID:GROUP,..., numbers, of a user other than root",
					  optarg);
				return EXIT_USAGE;
			}
			options->owned = true;
			break;
		case RESTORE:
			options->restore = true;
			break;
		case FORCE:
			options->force = true;
			break;
		case COPY:
			options->copy = true;
			break;
		case BROKER:
			options->broker = true;
			break;
		default:
			fputs("See 'sigmad --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	/* A broker of systemd's, and a take-over of it, would be for root */
	if (options->owned && supervisor->service) {
		log_error(-EINVAL, "--for= and --service exclude each other; give one of them");
		return EXIT_USAGE;
	}
	if ((options->force || options->copy) && !options->restore) {
		log_error(-EINVAL, "--force and --copy go with --restore");
		return EXIT_USAGE;
	}
	if (options->restore && (options->owned || supervisor->service)) {
		log_error(-EINVAL, "--restore goes with --background, --force, --copy and --with-caller alone");
		return EXIT_USAGE;
	}
	if (options->broker && argc == optind && !options->with_caller)
		return -1;
	if (argc - optind != 1) {
		log_error(-EINVAL, "name one guest, or the file of one; see 'sigmad --help'");
		return EXIT_USAGE;
	}
	options->guest = argv[optind];
	return -1;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	supervisor_interrupt(data);
	return 0;
}

/*
 * Called before any thread is made: threads inherit the mask, so the event loop gets all the
 * signals.
 */
static int catch_signals(struct supervisor *supervisor)
{
	/* systemd-machined powers a machine off with SIGRTMIN + 4 */
	const int ends[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGRTMIN + 4 };
	int error = 0;
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		sigaddset(&set, ends[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends) && error >= 0; i++)
		error = sd_event_add_signal(supervisor->machine.event, NULL, ends[i], on_signal,
					    supervisor);
	return error < 0 ? log_error(error, "cannot catch signals: %s", strerror(-error)) : 0;
}

/* A byte means that the guest is to go on without its caller */
static int on_caller(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	char byte;

	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	if (read(fd, &byte, 1) == 1)
		return 0;
	log_info("who started the guest has ended, and the guest is stopped");
	supervisor_kill(data);
	return 0;
}

/* stdin becomes /dev/null later on */
static int watch_caller(struct supervisor *supervisor)
{
	int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int error;

	error = fd < 0 ? -errno : sd_event_add_io(supervisor->machine.event, NULL, fd, EPOLLIN,
						  on_caller, supervisor);
	return error < 0 ? log_error(error, "--with-caller: cannot watch stdin: %s",
				     strerror(-error)) : 0;
}

/*
 * Close the files that the caller leaked to us. If one is the write end of a pipe that the caller
 * reads to its end, the caller would wait for as long as the guest lives.
 */
static void close_inherited(void)
{
	close_range(STDERR_FILENO + 1, ~0U, 0);
}

static void leave_terminal(const char *name)
{
	char path[RUNDIR_PATH_MAX];
	int null, error;

	rundir_path(path, name, "sigmad.log");
	error = log_to_file(path);
	if (error) {
		log_warning("staying on the terminal: cannot write %s: %s", path,
			    strerror(-error));
		return;
	}
	rundir_share(path, 0640);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		close(null);
	}
	/*
	 * In a session of its own, sigmad survives the hangup of the terminal. setsid() fails for
	 * the leader of a process group; its caller has detached it already.
	 */
	setsid();
	if (chdir("/"))
		log_warning("cannot leave the working directory: %s", strerror(errno));
}

static int observe(struct supervisor *supervisor, struct bus **bus)
{
	struct machine *machine = &supervisor->machine;
	char path[RUNDIR_PATH_MAX];
	int error;

	rundir_path(path, machine->config->name, "bus");
	error = bus_new(bus, supervisor, path);
	if (error)
		return error;
	notify_observe(&machine->observers, supervisor->options.service);
	if (supervisor->options.service)
		journal_open(&machine->observers, machine->config->name);
	return 0;
}

/*
 * The exit status of a take-over that failed. systemd starts the next sigmad, and only some times: so
 * leave what is missing some time to come. A guest that was killed meanwhile must not be started anew.
 */
static int not_taken(const char *name, bool service)
{
	const struct timespec pause = { .tv_sec = RETRY_SEC };
	sigset_t set;

	if (!control_has_guest(name))
		return EXIT_FAILURE;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	if (service)
		sigtimedwait(&set, NULL, &pause);
	return EXIT_NOT_TAKEN;
}

/*
 * The exit status of a guest that was not made. People see at once what is missing, and correct it.
 * A service is tried again by systemd.
 */
static int not_made(const struct late *late, bool service)
{
	if (late->ended)
		return EXIT_SUCCESS;
	return service && late->over && late->waited ? EXIT_ABSENT : EXIT_FAILURE;
}

/* Nobody listens on the socket of a back end: whether that changes is only known by another try */
static int make(struct supervisor *supervisor, struct late *late, bool *made)
{
	const bool found = supervisor->machine.state;
	int error;

	do
		error = supervisor_make(supervisor);
	while (error == -ECONNREFUSED && !found && late_pause(late, "a back end", RETRY_SEC));
	*made = !error;
	if (*made)
		return EXIT_SUCCESS;
	return found ? not_taken(supervisor->machine.config->name, supervisor->options.service) :
		       not_made(late, supervisor->options.service);
}

static int serve(struct supervisor *supervisor, struct systembus *systembus, bool background)
{
	struct machine *machine = &supervisor->machine;
	int status = EXIT_FAILURE;

	systembus_open(systembus, machine->event, supervisor->options.service);
	if (!supervisor_run(supervisor)) {
		/* Only the event loop sends the keep-alive messages that systemd expects after the first */
		sd_event_set_watchdog(machine->event, true);
		if (background)
			leave_terminal(machine->config->name);
		status = sd_event_loop(machine->event);
		if (status < 0) {
			log_error(status, "the event loop failed: %s", strerror(-status));
			status = EXIT_FAILURE;
		}
	}
	if (supervisor_end(supervisor))
		status = EXIT_FAILURE;
	systembus_close(systembus);
	return status;
}

/* Return: the exit status. Standard output is the pipe of a caller: see broker_start() */
static int be_broker(const struct options *options, const struct owner *owner)
{
	if (privileges_of_broker())
		return EXIT_FAILURE;
	broker_serve(STDIN_FILENO, owner);
	/* Not in this process, for whose end sigmad may wait */
	if (options->with_caller && !fork())
		orphan_end(options->guest, STDOUT_FILENO);
	return EXIT_SUCCESS;
}

/* Before anything of the guest is read. Return: 0, or a reported -errno */
static int give_up_privileges(const struct options *options, const struct owner *owner)
{
	int error = 0;

	if (options->supervisor.service)
		broker_is_service();
	else
		error = broker_start(owner, options->with_caller ? options->guest : NULL);
	return error ?: privileges_shed(owner);
}

/* Their interface is meant to fit all the same, and a guest that failed could else not be started again */
static void warn_of_versions(void)
{
	char why[VERSIONS_TEXT_MAX];

	if (!versions_fit(VERSIONS_MODULE, "sigmad", why))
		log_warning("%s; " VERSIONS_REMEDY, why);
}

/* Of the guest nothing is kept: it is in its file */
static void undo_restore(struct machine *machine)
{
	machine_free_devices(machine);
	machine_unmap(machine);
	restore_undo(machine->restored);
}

int main(int argc, char **argv)
{
	struct supervisor supervisor = {};
	struct machine *machine = &supervisor.machine;
	struct guest_config config = {};
	struct options options;
	const struct owner *owner;
	struct late late = { .waits = notify_waits };
	struct restore restore = {};
	struct systembus *systembus;
	struct bus *bus = NULL;
	bool made = false;
	int status, found;

	close_inherited();
	output_open();
	log_open(NULL);
	status = parse_options(&options, argc, argv);
	if (status >= 0)
		return output_close(status);
	/* stderr is that of the program that is going to run */
	if (options.with_caller)
		log_brief();
	owner = options.owned ? &options.owner : NULL;
	if (owner)
		agent_of_user();
	oom_protect();
	if (options.broker)
		return be_broker(&options, owner);
	if (give_up_privileges(&options, owner))
		return EXIT_FAILURE;
	machine->owner = owner;
	if (options.restore) {
		notify_progress("Reading it from its file.");
		restore.fd = options.with_caller ? STDOUT_FILENO : STDIN_FILENO;
		restore.force = options.force;
		restore.copy = options.copy;
		if (restore_make(&restore, options.guest))
			return EXIT_FAILURE;
		machine->restored = &restore;
	}
	found = takeover_find(machine, &config, options.guest);
	if (options.restore && (found <= 0 || restore_check(&restore, &config) ||
				profile_keep(&config.profile, config.name))) {
		restore_undo(&restore);
		return EXIT_FAILURE;
	}
	if (found < 0)
		return found == -EBUSY || found == -ESTALE || found == -EPERM ? EXIT_FAILURE :
		       not_taken(options.guest, options.supervisor.service);
	warn_of_versions();
	late_begin(&late, options.supervisor.service ? options.device_timeout : 0);
	if (!found) {
		if (late_load(&late, &config, options.guest))
			return not_made(&late, options.supervisor.service);
		config.starter = owner ? owner->uid : backend_caller();
		machine->config = &config;
	}
	log_open(config.name);

	status = EXIT_FAILURE;
	if (!found && options.supervisor.service &&
	    systembus_check_name(SIGMA_DEVICES_DIR, config.name))
		goto free_config;
	if (sd_event_new(&machine->event) < 0) {
		log_error(-ENOMEM, "cannot make an event loop");
		goto free_config;
	}
	supervisor_init(&supervisor, &options.supervisor);
	systembus = systembus_new(&machine->observers, &machine->guest);
	if (!catch_signals(&supervisor) &&
	    (!options.with_caller || !watch_caller(&supervisor)) && !observe(&supervisor, &bus))
		status = make(&supervisor, &late, &made);
	if (options.restore && (!made || restore_is_interrupted())) {
		undo_restore(machine);
		status = EXIT_FAILURE;
	} else if (made) {
		status = serve(&supervisor, systembus, options.background);
	}
	journal_close();
	bus_free(bus);
	systembus_free(systembus);
	sd_event_unref(machine->event);
free_config:
	guestfile_free(&config);
	broker_close();
	return status;
}
