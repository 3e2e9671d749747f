// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl log. The log is in two files, log.1 has its older half (daemon/guestlog.h). Both
 * together have at most a megabyte, so they are read as a whole.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../common/busnames.h"
#include "../common/output.h"
#include "ctl.h"

#define GATHER_MS	20
#define MEMORY_TIMEOUT	(10 * USEC_PER_SEC)	/* sigmad may search all of the guest's memory */

static FILE *open_log(const char *dir, const char *name, const char *file)
{
	char path[RUNDIR_PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/%s/%s", dir, name, file);
	return fopen(path, "re");
}

static bool same_file(FILE *a, FILE *b)
{
	struct stat one, other;

	return !fstat(fileno(a), &one) && !fstat(fileno(b), &other) && one.st_ino == other.st_ino;
}

static void append(FILE *text, FILE *from)
{
	char buffer[4096];
	size_t len;

	while ((len = fread(buffer, 1, sizeof(buffer), from)))
		fwrite(buffer, 1, len, text);
}

/*
 * Read the whole log.
 * @text: out: the log, to be freed
 * @log: NULL, or out: the file of the newer half, which further lines go to; to be closed
 *
 * Return: 0 or -errno; -ENOENT if there is none.
 */
static int read_log(const char *name, char **text, size_t *len, FILE **log)
{
	FILE *stream, *older, *newer;
	const char *dir = RUNDIR;
	struct guest_view guest;
	int error;

	newer = open_log(dir, name, "log");
	error = -errno;
	if (!newer && error == -ENOENT && guest_view(&guest, name)) {
		dir = RUNDIR_LAST;
		newer = open_log(dir, name, "log");
		error = -errno;
	}
	if (!newer)
		return error;
	stream = open_memstream(text, len);
	if (!stream) {
		error = -errno;
		fclose(newer);
		return error;
	}

	/* If the newer half was renamed to log.1 since it was opened, read it only once */
	older = open_log(dir, name, "log.1");
	if (older) {
		if (!same_file(older, newer))
			append(stream, older);
		fclose(older);
	}
	append(stream, newer);
	if (log)
		*log = newer;
	else
		fclose(newer);
	fclose(stream);
	return 0;
}

static int complain_log(const char *name, int error)
{
	return complain(EXIT_FAILED, "%s: cannot read its log: %s%s", name, strerror(-error),
			error == -EACCES ?
			"; be root, or join the group '" RUNDIR_GROUP "'" : "");
}

/* The offset at which the last @lines lines of @text begin */
static size_t tail_start(const char *text, size_t len, unsigned long lines)
{
	size_t at = len;

	if (!lines)
		return len;
	if (at && text[at - 1] == '\n')
		at--;
	for (; at; at--)
		if (text[at - 1] == '\n' && !--lines)
			break;
	return at;
}

void log_print_tail(const char *name, unsigned long lines, const char *indent)
{
	size_t len, at, end;
	char *text;
	int error;

	error = read_log(name, &text, &len, NULL);
	if (error) {
		if (error != -ENOENT)
			complain_log(name, error);
		return;
	}
	for (at = tail_start(text, len, lines); at < len; at = end) {
		const char *newline = memchr(text + at, '\n', len - at);

		end = newline ? (size_t)(newline - text) + 1 : len;
		fputs(indent, stdout);
		text_print(text + at, end - at);
		if (!newline)
			putchar('\n');
	}
	free(text);
}

static void print_last(const char *text, size_t len, const struct options *options)
{
	size_t at = options->given & OPT_LINES ? tail_start(text, len, options->lines) : 0;

	text_print(text + at, len - at);
}

/* The file that comes after @log, which was full and renamed; NULL if there is none yet */
static FILE *open_next(const char *name, FILE *log)
{
	static const char * const dirs[] = { RUNDIR, RUNDIR_LAST };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
		FILE *newer = open_log(dirs[i], name, "log");
		FILE *older = open_log(dirs[i], name, "log.1");
		bool here = newer && same_file(newer, log);
		bool moved = older && same_file(older, log);

		if (moved && !newer) {		/* the next file comes in a moment */
			fclose(older);
			return NULL;
		}
		if (newer && older && !here && !moved) {
			puts("<missed some bytes>");
			fclose(newer);
			return older;
		}
		if (older)
			fclose(older);
		if (newer && !here)
			return newer;
		if (newer) {
			fclose(newer);
			return NULL;
		}
	}
	return NULL;
}

static void print_rest(struct text_filter *filter, FILE *log)
{
	char buffer[4096];
	size_t len;

	clearerr(log);
	while ((len = fread(buffer, 1, sizeof(buffer), log)))
		text_print_stream(filter, buffer, len);
	output_flush();
}

/* Watch the guest's folder, again each time, since it may be a new one; 0 or -errno */
static int watch_folder(int inotify, const char *name)
{
	char path[RUNDIR_PATH_MAX];

	rundir_path(path, name, "");
	if (inotify_add_watch(inotify, path, IN_CREATE | IN_MODIFY | IN_MOVED_TO) < 0 &&
	    errno != ENOENT)
		return -errno;
	return 0;
}

/* Wait for a write to the log, for a uevent, or until nobody reads our output any more */
static void wait_change(int inotify, int uevents)
{
	struct pollfd fds[] = {
		{ .fd = inotify, .events = POLLIN },
		{ .fd = uevents, .events = POLLIN },
		{ .fd = STDOUT_FILENO },
	};
	const struct timespec gather = { .tv_nsec = GATHER_MS * 1000 * 1000 };
	char buffer[4096];
	struct uevent uevent;

	poll(fds, sizeof(fds) / sizeof(*fds), -1);
	while (read(inotify, buffer, sizeof(buffer)) > 0)
		;
	while (uevent_read(uevents, &uevent) > 0)
		;
	/* Read a log that grows without pause in larger pieces */
	nanosleep(&gather, NULL);
	if (fds[2].revents)
		output_fail(EPIPE);
}

/* Print what is added to @log until the guest is gone, and close @log; 0 or -errno */
static int follow_by(int inotify, int uevents, const char *name, FILE *log)
{
	struct text_filter filter = {};
	struct guest_view guest;
	int error = 0;

	while (log && !error && output_works()) {
		bool gone;
		FILE *next;

		error = watch_folder(inotify, name);
		/* Test before reading: if the guest is gone or has a next file, @log is complete */
		gone = guest_view(&guest, name);
		next = open_next(name, log);
		print_rest(&filter, log);
		if (next || gone) {
			fclose(log);
			log = next;
		} else if (!error && output_works()) {
			wait_change(inotify, uevents);
		}
	}
	if (log)
		fclose(log);
	return error;
}

static int follow(const char *name, FILE *log)
{
	int inotify, uevents, error;

	inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	error = inotify < 0 ? -errno : 0;
	uevents = uevents_open();
	if (uevents < 0)
		error = uevents;
	if (error)
		fclose(log);
	else
		error = follow_by(inotify, uevents, name, log);
	if (inotify >= 0)
		close(inotify);
	if (uevents >= 0)
		close(uevents);
	return error ? complain(EXIT_FAILED, "%s: cannot follow its log: %s", name,
				strerror(-error)) : EXIT_OK;
}

/* Print the guest kernel's log buffer, which sigmad finds in the guest's memory */
static int print_memory(const struct options *options, const char *name)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	const char *text;
	int ret, status = EXIT_OK;
	sd_bus *bus;

	ret = client_open(&bus, name, clock_deadline(MEMORY_TIMEOUT));
	if (ret)
		return client_complain(EXIT_FAILED, name, ret);
	ret = sd_bus_call_method(bus, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, "ReadKernelLog",
				 &error, &reply, NULL);
	if (ret >= 0)
		ret = sd_bus_message_read(reply, "s", &text);
	if (ret < 0)
		status = complain(EXIT_FAILED, "%s: %s", name, error.message ?: strerror(-ret));
	else
		print_last(text, strlen(text), options);
	sd_bus_message_unref(reply);
	sd_bus_error_free(&error);
	sd_bus_close_unref(bus);
	return status;
}

static int run(const struct options *options, char **args)
{
	const char *name = args[0];
	struct guest_view guest;
	bool gone, follows;
	FILE *log = NULL;
	char *text;
	size_t len;
	int error;

	if (!guestfile_name_valid(name, strlen(name)))
		return guest_check(name);
	gone = guest_view(&guest, name);
	follows = options->given & OPT_FOLLOW && !gone;
	if (options->given & OPT_MEMORY)
		return gone ? guest_check(name) : print_memory(options, name);

	error = read_log(name, &text, &len, &log);
	if (error)
		return error == -ENOENT && gone ? guest_check(name) : complain_log(name, error);
	if (!len && !gone)
		complain(0, "%s: its driver has not sent anything yet; this is from its memory:",
			 name);
	if (!len && !gone && print_memory(options, name) && !follows) {
		fclose(log);
		free(text);
		return EXIT_FAILED;
	}
	print_last(text, len, options);
	free(text);
	if (follows)
		return follow(name, log);
	fclose(log);
	return EXIT_OK;
}

DEFINE_VERB(log) = {
	.name = "log",
	.args = "NAME",
	.summary = "Show a guest's kernel log",
	.help =
"The log comes through shared memory, so it can be read when the guest is dead. If the guest died\n"
"or hangs before its driver sent anything, or with --memory, the log buffer of the guest's kernel\n"
"is read from the guest's memory. The log of a guest that ended is kept until the next guest of\n"
"this name ends. <missed N bytes> stands for lines that were lost.\n"
"\n"
"Examples:\n"
"  sigmactl log demo\n"
"  sigmactl log -f -n 20 demo\n"
"  sigmactl log --memory demo    of a guest that hangs\n",
	.accepts = OPT_FOLLOW | OPT_LINES | OPT_MEMORY,
	.nr_args = 1,
	.run = run,
};
