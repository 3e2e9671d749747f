// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl run -- CMD: starts a guest whose root is the host's, has its agent run the program as if
 * it were a process of the host, and gives everything back.
 *
 * sigmad holds the other end of a pipe. When this process ends in whatever way, the pipe is closed,
 * and sigmad stops the guest at once. So before the program runs, signals have their usual effect.
 * Afterwards agent_run() passes them on. When the program has ended, so does the agent, and the guest
 * ends all other programs, writes what it has not written yet, and switches itself off.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/control.h"
#include "../common/gueststate.h"
#include "agent.h"
#include "cache.h"
#include "ctl.h"
#include "run_command.h"
#include "run_root.h"

#define FOLDER		RUNDIR "/.run"		/* guest files, until sigmad has read them */
#define NAME_TRIES	16
#define ANSWER_TIMEOUT	(10 * USEC_PER_SEC)	/* for sigmad */
#define BOOT_TIMEOUT	(300 * USEC_PER_SEC)	/* to the driver; sigmad warns, too */
#define AGENT_TIMEOUT	(120 * USEC_PER_SEC)	/* from the driver to the agent */
#define GRACE		(10 * USEC_PER_SEC)	/* for the program, once its time is over */
#define OFF_MS		30000			/* for the guest to switch itself off */
#define RETURN_MS	60000			/* memory is zeroed, CPUs come back */

/**
 * struct run - one run
 * @name: of the guest
 * @root: what --rootfs= names
 * @cache: descriptor of the list that --cache= names; -1: none
 * @term: the variable TERM of a program of an image
 * @caller: the end of the pipe that tells sigmad that this process lives
 * @sigmad: its process ID; 0: there is none
 * @begun, @last: times on CLOCK_MONOTONIC: of the start, and of the last step that was told
 */
struct run {
	struct run_options options;
	char name[SIGMA_NAME_MAX];
	struct run_root root;
	char term[128];
	int cache;
	int caller;
	pid_t sigmad;
	uint64_t begun, last;
};

static void tell_step(struct run *run, const char *what)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC);

	if (run->options.verbose)
		fprintf(stderr, "sigmactl: %s: %6llu ms (+%llu): %s\n", run->name,
			(unsigned long long)(now - run->begun) / 1000,
			(unsigned long long)(now - run->last) / 1000, what);
	run->last = now;
}

/* The guest file */

static int choose_name(struct run *run)
{
	uint16_t number;

	if (run->options.name) {
		snprintf(run->name, sizeof(run->name), "%s", run->options.name);
		return 0;
	}
	for (unsigned int i = 0; i < NAME_TRIES; i++) {
		if (getrandom(&number, sizeof(number), 0) != sizeof(number))
			return complain(-EIO, "run: no random number for the guest's name");
		snprintf(run->name, sizeof(run->name), "run-%04x", number);
		if (!control_has_guest(run->name))
			return 0;
	}
	return complain(-EEXIST, "run: no free name for the guest; give one by --name=NAME");
}

/* Remove the files of earlier ones that were killed: those in use are locked */
static void remove_left(void)
{
	DIR *folder = opendir(FOLDER);
	struct dirent *entry;
	int fd;

	while (folder && (entry = readdir(folder))) {
		fd = entry->d_name[0] == '.' ? -1 :
		     openat(dirfd(folder), entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!flock(fd, LOCK_EX | LOCK_NB))
			unlinkat(dirfd(folder), entry->d_name, 0);
		close(fd);
	}
	if (folder)
		closedir(folder);
}

/* Return: the file, locked, to be closed after it was unlinked; or NULL, reported */
static FILE *write_file(const struct run *run, char path[PATH_MAX])
{
	char *text = run_guest_text(&run->options, run_guest_memory());
	char unnamed[64];
	FILE *file = NULL;
	int fd;

	if (!text)
		return NULL;
	snprintf(path, PATH_MAX, FOLDER "/%s" GUEST_SUFFIX, run->name);
	if (rundir_prepare() || (mkdir(FOLDER, 0700) && errno != EEXIST)) {
		complain(-errno, "run: cannot make " FOLDER ": %s", strerror(errno));
		goto free_text;
	}
	remove_left();
	/* It has no name before it is locked */
	fd = open(FOLDER, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	snprintf(unnamed, sizeof(unnamed), "/proc/self/fd/%d", fd);
	if (!file || flock(fd, LOCK_EX) || fputs(text, file) < 0 || fflush(file) ||
	    linkat(AT_FDCWD, unnamed, AT_FDCWD, path, AT_SYMLINK_FOLLOW)) {
		complain(-errno, "run: cannot write %s: %s", path, strerror(errno));
		if (file)
			fclose(file);
		else if (fd >= 0)
			close(fd);
		file = NULL;
	}
free_text:
	free(text);
	return file;
}

/* The guest */

static int start(struct run *run)
{
	char path[PATH_MAX], name[SIGMA_NAME_MAX];
	int ends[2], status;
	sigset_t none;
	FILE *file;

	if (pipe2(ends, O_CLOEXEC))
		return complain(-errno, "run: no pipe: %s", strerror(errno));
	file = write_file(run, path);
	if (!file) {
		close(ends[0]);
		close(ends[1]);
		return -EIO;
	}
	status = sigmad_begin(path, name, ends[0], &run->sigmad, NULL);
	close(ends[0]);
	unlink(path);
	fclose(file);
	run->caller = ends[1];
	if (status) {
		/* It was waited for, and has reported */
		run->sigmad = 0;
		return -EIO;
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return 0;
}

static int on_state(sd_bus_message *m, void *data, sd_bus_error *error)
{
	const char *state;

	if (sd_bus_message_read(m, "s", &state) > 0)
		*(int *)data = guest_state_from_name(state);
	return 0;
}

/* Until its driver is up, the guest has no devices, and its agent cannot be reached */
static int wait_driver(struct run *run)
{
	const uint64_t deadline = clock_deadline(BOOT_TIMEOUT);
	int state = SIGMA_STATE_BOOTING, ret = 1;
	char *now;
	sd_bus *bus;

	ret = client_watch(&bus, run->name, clock_deadline(ANSWER_TIMEOUT), on_state, &state, &now);
	if (ret)
		return client_complain(ret, run->name, ret);
	state = guest_state_from_name(now);
	free(now);
	for (ret = 1; state == SIGMA_STATE_BOOTING && ret > 0;)
		ret = client_step(bus, deadline);
	sd_bus_close_unref(bus);
	if (state == SIGMA_STATE_RUNNING)
		return 0;
	if (state == SIGMA_STATE_BOOTING && !ret)
		return complain(-ETIMEDOUT, "%s: its driver is not up after %llu s", run->name,
				BOOT_TIMEOUT / USEC_PER_SEC);
	return complain(-EIO, "%s: did not boot: it is %s", run->name,
			state >= 0 && ret >= 0 ? guest_state_name(state) : "gone");
}

static bool ended_within(pid_t pid, int ms)
{
	struct pollfd ended = { .fd = pidfd_open(pid, 0), .events = POLLIN };
	bool yes = ended.fd < 0 || poll(&ended, 1, ms) > 0;

	if (ended.fd >= 0)
		close(ended.fd);
	return yes;
}

/* Give CPUs and memory back. @off: the guest is about to switch itself off. Return: all is back */
static bool give_back(struct run *run, bool off)
{
	if (!run->sigmad)
		return true;
	if (off && !ended_within(run->sigmad, OFF_MS))
		complain(0, "%s: did not switch itself off in time and is stopped", run->name);
	close(run->caller);
	run->caller = -1;
	if (!ended_within(run->sigmad, RETURN_MS))
		return complain(false, "%s: its CPUs and memory are not back yet; 'sigmactl kill %s' forces it",
				run->name, run->name);
	waitpid(run->sigmad, NULL, 0);
	/* sigmad died, and the guest is still there */
	return !control_has_guest(run->name) || guest_remove(run->name) >= 0;
}

/* With --keep, sigmad does not wait for this process any more */
static bool let_go(struct run *run)
{
	bool done = write(run->caller, "", 1) == 1;

	close(run->caller);
	if (done)
		complain(0, "%s: goes on; 'sigmactl exec %s -- CMD' runs more in it, 'sigmactl stop %s' ends it",
			 run->name, run->name, run->name);
	return done;
}

/* Why the guest ended, when it did not end by itself */
static void report_failure(const struct run *run)
{
	struct guest_view view;

	if (!guest_view(&view, run->name)) {
		if (*view.panic)
			complain(0, "%s: its kernel panicked: %s", run->name, view.panic);
		else if (!strcmp(view.state, guest_state_name(SIGMA_STATE_CONTAINED)))
			complain(0, "%s: its guard stopped it; dmesg says why", run->name);
	}
	complain(0, "%s: 'sigmactl log %s' shows the last messages of its kernel", run->name,
		 run->name);
}

/* The program */

static int check_workdir(const struct run_options *options, const char *workdir)
{
	const char *own = run_own_folder(options, workdir);

	if (!own)
		return 0;
	return complain(-EINVAL, "run: the working directory is %s, and the guest has a %s of its own; change to another folder%s",
			workdir, own, strcmp(own, "/tmp") ? "" : ", or give --tmp-from-host");
}

/* UID, GID and groups of this process; their number, or a reported -errno */
static int read_ids(uint32_t **ids)
{
	int nr = getgroups(0, NULL);

	*ids = nr < 0 ? NULL : calloc(nr + 2, sizeof(**ids));
	if (!*ids)
		return complain(-ENOMEM, "run: out of memory");
	(*ids)[0] = getuid();
	(*ids)[1] = getgid();
	nr = getgroups(nr, *ids + 2);
	return nr < 0 ? complain(-errno, "run: cannot read its groups: %s", strerror(errno)) : nr + 2;
}

/*
 * All of the environment goes along, as with env(1), but for what tells a service of this host where
 * its manager is: sockets and descriptors that only this process has.
 */
static void clean_environment(void)
{
	static const char *const own[] = {
		"NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_USEC",
		"WATCHDOG_PID", "JOURNAL_STREAM", "MAINPID", "INVOCATION_ID",
	};

	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		unsetenv(own[i]);
}

/* As podman(1) does: the image says who and where, and this process's environment stays here */
static int take_image(struct run *run, struct agent_program *program, char ***env)
{
	const struct image *image = &run->root.image;
	const bool has_term = isatty(STDOUT_FILENO) && getenv("TERM");
	unsigned int nr = 0;

	while (image->env[nr])
		nr++;
	*env = calloc(nr + 2, sizeof(**env));
	if (!*env)
		return complain(-ENOMEM, "run: out of memory");
	/* In front, so that it counts */
	if (has_term) {
		snprintf(run->term, sizeof(run->term), "TERM=%s", getenv("TERM"));
		(*env)[0] = run->term;
	}
	memcpy(*env + has_term, image->env, nr * sizeof(**env));
	program->env = *env;
	program->bare = false;
	program->ids = NULL;
	program->nr_ids = 0;
	program->umask = -1;
	program->user = image->user;
	program->workdir = image->workdir ?: "/";
	if (!*program->argv)
		program->argv = image->argv;
	return 0;
}

/* Without it the program is slower, and no more */
static void fill_cache(struct run *run)
{
	const int out = run->options.verbose ? STDERR_FILENO : -1;

	if (run->cache < 0)
		return;
	if (cache_load(run->name, run->cache, out, AGENT_TIMEOUT))
		complain(0, "%s: begins without the cache of %s", run->name, run->options.cache);
	else
		tell_step(run, "its page cache is filled");
}

static int run_program(struct run *run, const char *workdir, struct agent_end *end)
{
	const mode_t mask = umask(0);
	struct agent_program program = {
		.argv = run->options.command, .bare = true, .workdir = workdir, .umask = mask,
		.limits = true, .tty = AGENT_TTY_AUTO, .last = !run->options.keep,
		.timeout = run->options.timeout, .grace = GRACE,
	};
	char **env = NULL;
	uint32_t *ids;
	int socket, error, nr;

	umask(mask);
	nr = read_ids(&ids);
	if (nr < 0)
		return nr;
	program.ids = ids;
	program.nr_ids = nr;
	clean_environment();
	program.env = environ;
	error = run->root.has_image ? take_image(run, &program, &env) : 0;
	socket = error ? -1 : agent_connect(run->name, clock_deadline(AGENT_TIMEOUT));
	error = error ?: socket < 0 ? socket : 0;
	if (!error) {
		tell_step(run, "its agent answers");
		error = agent_run(run->name, socket, &program, end);
	}
	free(env);
	free(ids);
	return error;
}

/* Return: the exit status, unless @end has another one: 0 */
static int do_run(struct run *run, const char *workdir, struct agent_end *end)
{
	int error = start(run);

	if (error)
		return RUN_FAILED;
	tell_step(run, "CPUs and memory are lent, and its kernel begins");
	error = wait_driver(run);
	if (!error) {
		tell_step(run, "its driver is up");
		fill_cache(run);
		error = run_program(run, workdir, end);
	}
	if (error)
		report_failure(run);
	else
		tell_step(run, "the program has ended");
	if (!error && run->options.keep)
		return let_go(run) ? 0 : RUN_FAILED;
	if (!give_back(run, !error))
		return RUN_FAILED;
	tell_step(run, "CPUs and memory are back");
	return error && !end->timed_out ? RUN_FAILED : 0;
}

/* The root, and, with an image, its program. 0, or a reported -errno */
static int open_root(struct run *run)
{
	int error;

	if (!strcmp(run->options.root, "/")) {
		run_root_remove_left();
		return 0;
	}
	error = run_root_open(&run->root, run->options.root, run->name);
	if (error)
		return error;
	run->options.unpacked = run->root.lock >= 0;
	if (*run->options.command || (run->root.has_image && *run->root.image.argv)) {
		run->options.root = run->root.path;
		tell_step(run, "its root is there");
		return 0;
	}
	error = complain(-EINVAL, "run: there is no command behind --, and %s has none, either; write 'sigmactl run --rootfs=%s -- CMD'",
			 run->options.root, run->options.root);
	run_root_close(&run->root, false);
	return error;
}

/* The list of --cache=. 0, or a reported -errno */
static int open_cache(struct run *run)
{
	if (!run->options.cache)
		return 0;
	if (!run->options.unchanging && !run->options.unpacked)
		return complain(-EINVAL, "run: --cache= without --unchanging: each file that is opened would be read from the host again; give --unchanging, too, if nobody changes files of the root meanwhile");
	run->cache = cache_open(run->options.cache);
	return run->cache < 0 ? run->cache : 0;
}

static int check_user(void)
{
	if (!geteuid())
		return 0;
	return complain(-EPERM, "run: only root starts guests, since a guest reads and writes the host's files with the rights of root; 'sudo sigmactl run -- CMD' runs CMD as root");
}

int run_command(int argc, char **argv)
{
	struct run run = { .caller = -1, .root.lock = -1, .cache = -1,
			   .begun = clock_now(CLOCK_MONOTONIC) };
	struct agent_end end = {};
	char here[PATH_MAX];
	const char *workdir = here;
	int status = RUN_FAILED;

	run.last = run.begun;
	if (run_options_parse(&run.options, argc, argv) || check_user())
		goto free_options;
	if (strcmp(run.options.root, "/")) {
		workdir = "/";
	} else if (!getcwd(here, sizeof(here))) {
		complain(0, "run: cannot find the working directory: %s; change to another one",
			 strerror(errno));
		goto free_options;
	} else if (check_workdir(&run.options, here)) {
		goto free_options;
	}
	/* These are about who has called sudo, and the guest has the rights of this process */
	unsetenv("SUDO_UID");
	unsetenv("PKEXEC_UID");
	if (!choose_name(&run) && !open_root(&run)) {
		if (!open_cache(&run))
			status = do_run(&run, workdir, &end);
		run_root_close(&run.root, run.options.keep && !status);
	}
free_options:
	if (run.cache >= 0)
		close(run.cache);
	run_options_free(&run.options);
	if (status)
		return status;
	return end.timed_out ? RUN_TIMED_OUT : agent_exit(&end);
}
