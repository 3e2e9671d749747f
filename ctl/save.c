// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl save. sigmad writes the file, since only it can have the guest's devices pause. The file has no
 * name of its own until it is whole, and the guest is given up only then. As long as this process is
 * connected, the devices pause: so if it ends in between, the guest is as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/busnames.h"
#include "../common/gueststate.h"
#include "ctl.h"

#define SLEEP_TIMEOUT	(60 * USEC_PER_SEC)	/* as of 'sigmactl sleep' */
#define ANSWER_TIMEOUT	(60 * USEC_PER_SEC)
#define END_TIMEOUT	(120 * USEC_PER_SEC)	/* memory is zeroed, CPUs come back */
#define STEP_TIME	USEC_PER_SEC		/* between two looks at the progress */

/**
 * struct target - the file
 * @path: its name
 * @other: the name that it has until it is whole; "": none, where the file system can do without
 * @force: another file of that name is replaced
 */
struct target {
	int fd;
	const char *path;
	char other[PATH_MAX];
	bool force;
};

/**
 * struct request - a call that is under way
 * @ended: it was answered; @error, and @why if sigmad gave a reason
 */
struct request {
	bool ended;
	int error;
	sd_bus_error why;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	interrupted = number;
}

static void catch_signals(void)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	const struct sigaction action = { .sa_handler = on_signal };

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		sigaction(ends[i], &action, NULL);
}

/* The file. 0, or an exit status, reported */

static int open_folder(const char *path, int flags)
{
	char folder[PATH_MAX];

	snprintf(folder, sizeof(folder), "%s", path);
	return open(dirname(folder), flags | O_CLOEXEC, 0600);
}

static int make_other_name(struct target *target)
{
	snprintf(target->other, sizeof(target->other), "%.*s.XXXXXX", PATH_MAX - 8, target->path);
	return mkostemp(target->other, O_CLOEXEC);
}

static int open_target(struct target *target, const char *path, bool force)
{
	*target = (struct target){ .path = path, .force = force };
	if (!force && !access(path, F_OK))
		return complain(EXIT_FAILED, "%s: exists already and is not overwritten; remove it, name another file, or give --force",
				path);
	/* A file without a name goes with this process, however that ends */
	target->fd = open_folder(path, O_TMPFILE | O_RDWR);
	if (target->fd < 0)
		target->fd = make_other_name(target);
	return target->fd < 0 ? complain(EXIT_FAILED, "%s: cannot be written: %s", path, strerror(errno)) :
	       EXIT_OK;
}

/* 0 or -errno */
static int give_name(struct target *target)
{
	char from[32];

	if (!*target->other) {
		snprintf(from, sizeof(from), "/proc/self/fd/%d", target->fd);
		if (!linkat(AT_FDCWD, from, AT_FDCWD, target->path, AT_SYMLINK_FOLLOW))
			return 0;
		if (errno != EEXIST || !target->force)
			return -errno;
		/* A link replaces nothing */
		close(make_other_name(target));
		unlink(target->other);
		if (linkat(AT_FDCWD, from, AT_FDCWD, target->other, AT_SYMLINK_FOLLOW))
			return -errno;
	}
	if (rename(target->other, target->path))
		return -errno;
	*target->other = '\0';
	return 0;
}

/* Also if the machine fails right now, either the file is there with this name, or the guest */
static int name_target(struct target *target)
{
	int error = give_name(target), fd;

	if (error)
		return complain(EXIT_FAILED, "%s: cannot be written: %s", target->path, strerror(-error));
	fd = open_folder(target->path, O_RDONLY | O_DIRECTORY);
	/* Some file systems know no such thing */
	if (fd < 0 || (fsync(fd) && errno != EINVAL))
		error = errno;
	if (fd >= 0)
		close(fd);
	return error ? complain(EXIT_FAILED, "%s: its folder cannot be written: %s", target->path,
				strerror(error)) : EXIT_OK;
}

static void close_target(struct target *target)
{
	if (*target->other)
		unlink(target->other);
	close(target->fd);
}

/* Writing it. 0, or an exit status, reported */

static void show_progress(const char *name, const struct target *target, uint64_t begun, bool *shown)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC);
	off_t written = lseek(target->fd, 0, SEEK_CUR);
	char size[32], span[32];

	if (!isatty(STDERR_FILENO) || now - begun < STEP_TIME)
		return;
	/* Who has the file in common has its position, too */
	fprintf(stderr, "%s: saving it (%s written, %s)\x1b[K\r", name,
		text_size(size, written < 0 ? 0 : written), text_span(span, now - begun));
	*shown = true;
}

static int on_answer(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct request *request = data;
	const sd_bus_error *why = sd_bus_message_get_error(m);

	request->ended = true;
	if (why) {
		request->error = -sd_bus_error_get_errno(why);
		sd_bus_error_copy(&request->why, why);
	}
	return 0;
}

static int wait_answer(sd_bus *bus, const char *name, const struct target *target, struct request *request)
{
	uint64_t begun = clock_now(CLOCK_MONOTONIC);
	bool shown = false;
	int ret = 1;

	while (!request->ended && ret >= 0 && !interrupted) {
		ret = client_step(bus, clock_deadline(STEP_TIME));
		show_progress(name, target, begun, &shown);
	}
	if (shown)
		fputs("\x1b[K", stderr);
	if (interrupted && !request->ended)
		return complain(EXIT_FAILED, "%s: interrupted, and not saved", name);
	if (!request->ended)
		return client_complain(EXIT_FAILED, name, ret);
	return request->error ? client_failed(EXIT_FAILED, bus, name, request->error, &request->why) : EXIT_OK;
}

static int write_file(sd_bus *bus, const char *name, const struct target *target)
{
	struct request request = { .why = SD_BUS_ERROR_NULL };
	sd_bus_message *m = NULL;
	int error, status;

	error = sd_bus_message_new_method_call(bus, &m, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, "Save");
	if (error >= 0)
		error = sd_bus_message_append(m, "h", target->fd);
	if (error >= 0)
		error = sd_bus_call_async(bus, NULL, m, on_answer, &request, UINT64_MAX);
	status = error < 0 ? client_complain(EXIT_FAILED, name, error) :
		 wait_answer(bus, name, target, &request);
	sd_bus_error_free(&request.why);
	sd_bus_message_unref(m);
	return status;
}

/* All is in the file, and the host gets everything back */
static int give_up_guest(sd_bus *bus, const char *name, const char *path)
{
	char size[32];
	struct stat st;

	if (client_call(bus, name, "Kill", ANSWER_TIMEOUT, NULL) ||
	    client_wait_end(bus, clock_deadline(END_TIMEOUT)))
		return complain(EXIT_FAILED, "%s: is saved to %s, but was not given up: 'sigmactl kill %s' does that, and if it is woken instead, the file is good for nothing any more",
				name, path, name);
	printf("%s: saved to %s (%s); its CPUs and memory are the host's again\n", name, path,
	       text_size(size, stat(path, &st) ? 0 : st.st_size));
	return EXIT_OK;
}

/* @was_awake: out: it fell asleep for this */
static int save(sd_bus *bus, const char *name, struct target *target, const struct options *options,
		bool *was_awake)
{
	uint64_t timeout = options->given & OPT_TIMEOUT ? options->timeout : SLEEP_TIMEOUT;
	struct guest_view view;
	int status;

	/* Before anything happens to the guest */
	status = client_call(bus, name, "CheckSave", ANSWER_TIMEOUT, NULL);
	if (status || guest_view(&view, name))
		return status ?: complain(EXIT_NO_GUEST, "%s: has just gone", name);
	if (strcmp(view.state, guest_state_name(SIGMA_STATE_ASLEEP))) {
		/* With its CPUs, so that nothing can keep it from waking if it cannot be saved */
		status = client_call(bus, name, "Sleep", timeout + ANSWER_TIMEOUT, "bt", 1, timeout);
		if (status)
			return status;
		*was_awake = true;
	}
	status = write_file(bus, name, target) ?: name_target(target);
	if (status)
		return status;
	*was_awake = false;
	if (!(options->given & OPT_KEEP))
		return give_up_guest(bus, name, target->path);
	printf("%s: saved to %s; it is asleep, and the file is good for nothing any more once it is woken\n",
	       name, target->path);
	return EXIT_OK;
}

static int run(const struct options *options, char **args)
{
	const char *name = args[0];
	bool was_awake = false, refused;
	struct target target;
	int status, error;
	sd_bus *bus;

	status = guest_check(name);
	if (!status)
		status = open_target(&target, args[1], options->given & OPT_FORCE);
	if (status)
		return status;
	catch_signals();
	error = client_open(&bus, name, clock_deadline(ANSWER_TIMEOUT));
	if (error) {
		close_target(&target);
		return client_complain(EXIT_FAILED, name, error);
	}
	status = save(bus, name, &target, options, &was_awake);
	/* Its devices go on with this, if it is still there */
	sd_bus_close_unref(bus);
	close_target(&target);
	if (was_awake && !wake_guest(name, SLEEP_TIMEOUT, &refused))
		complain(0, "%s: was woken again, and runs on", name);
	return status;
}

DEFINE_VERB(save) = {
	.name = "save",
	.args = "NAME FILE",
	.summary = "Write a guest to a file, and give its CPUs and memory back",
	.help =
"The guest falls asleep, as by 'sigmactl sleep', and all of it goes to FILE: its memory, without what is\n"
"zero, and the state of its devices. Then it is given up. 'sigmactl restore FILE' makes it again and wakes\n"
"it, also after the machine has restarted, but only on this machine, and at the same places in memory.\n"
"\n"
"If anything fails, the guest runs on, or sleeps on if it slept before, and there is no FILE. Only its\n"
"owner may read the file, which has all of the guest's data. An existing file is overwritten with --force\n"
"only. With --keep the guest is not given up, and sleeps on with its CPUs.\n"
"\n"
"Its disks must stay as they are until it is restored. A guest with shares, with a NIC in user mode, or\n"
"with a disk that another process serves, cannot be saved.\n"
"\n"
"Examples:\n"
"  sigmactl save demo /var/lib/demo.saved\n"
"  sigmactl restore /var/lib/demo.saved\n",
	.accepts = OPT_TIMEOUT | OPT_FORCE | OPT_KEEP,
	.nr_args = 2,
	.run = run,
};
