// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl log. The log lies in two files, the older half of it in log.1 (see
 * daemon/guestlog.h): together at most a megabyte, so they are simply read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../daemon/bus.h"
#include "ctl.h"

#define LOOK_EVERY_MS 100

/* Append the file DIR/NAME/FILE to @text; nothing when it isn't there */
static void append_file(FILE *text, const char *dir, const char *name, const char *file)
{
	char path[RUNDIR_PATH_MAX + 16], buffer[4096];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/%s", dir, name, file);
	f = fopen(path, "re");
	if (!f)
		return;
	while ((len = fread(buffer, 1, sizeof(buffer), f)))
		fwrite(buffer, 1, len, text);
	fclose(f);
}

/* The whole log, to be freed; NULL when there is no memory for it */
static char *read_log(const char *dir, const char *name, size_t *len)
{
	char *text = NULL;
	FILE *stream = open_memstream(&text, len);

	if (!stream)
		return NULL;
	append_file(stream, dir, name, "log.1");
	append_file(stream, dir, name, "log");
	fclose(stream);
	return text;
}

/* Where the last @lines lines of @text begin */
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
	char *text = read_log(RUNDIR, name, &len);

	if (!text)
		return;
	for (at = tail_start(text, len, lines); at < len; at = end) {
		const char *newline = memchr(text + at, '\n', len - at);

		end = newline ? (size_t)(newline - text) + 1 : len;
		fputs(indent, stdout);
		print_safe(text + at, end - at);
		if (!newline)
			putchar('\n');
	}
	free(text);
}

static void print_last(const char *text, size_t len, const struct options *options)
{
	size_t at = options->given & OPT_LINES ? tail_start(text, len, options->lines) : 0;

	print_safe(text + at, len - at);
}

/* Print what is added to the log, until the guest is gone */
static void follow(const char *name)
{
	const struct timespec pause = { .tv_nsec = LOOK_EVERY_MS * 1000 * 1000 };
	char path[RUNDIR_PATH_MAX], buffer[4096];
	struct guest_view guest;
	struct stat old, new;
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), RUNDIR "/%s/log", name);
	f = fopen(path, "re");
	if (!f)
		return;
	fseek(f, 0, SEEK_END);
	for (;;) {
		while ((len = fread(buffer, 1, sizeof(buffer), f)))
			print_safe(buffer, len);
		clearerr(f);
		fflush(stdout);
		if (guest_view(&guest, name))
			break;
		/* A full log was moved away and a new one begun */
		if (!stat(path, &new) && !fstat(fileno(f), &old) && new.st_ino != old.st_ino) {
			fclose(f);
			f = fopen(path, "re");
			if (!f)
				return;
		} else {
			nanosleep(&pause, NULL);
		}
	}
	fclose(f);
}

/* The guest kernel's own buffer, which sigmad finds in the guest's memory */
static int print_memory(const struct options *options, const char *name)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	const char *text;
	int ret, status = EXIT_OK;
	sd_bus *bus;

	ret = client_open(&bus, name);
	if (ret)
		return complain(EXIT_FAILED, "%s: its sigmad, which could look into the guest's memory, cannot be reached: %s",
				name, strerror(-ret));
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
	sd_bus_flush_close_unref(bus);
	return status;
}

static int run(const struct options *options, char **args)
{
	const char *name = args[0], *dir = RUNDIR;
	char path[RUNDIR_PATH_MAX];
	struct guest_view guest;
	bool gone;
	size_t len;
	char *text;

	if (!guest_name_valid(name))
		return guest_check(name);
	gone = guest_view(&guest, name);
	snprintf(path, sizeof(path), RUNDIR "/%s", name);
	if (gone && access(path, F_OK)) {
		snprintf(path, sizeof(path), RUNDIR_LAST "/%s", name);
		if (access(path, F_OK))
			return guest_check(name);
		dir = RUNDIR_LAST;
	}
	if (options->given & OPT_MEMORY)
		return gone ? guest_check(name) : print_memory(options, name);

	text = read_log(dir, name, &len);
	if (!text)
		return complain(EXIT_FAILED, "no memory to read the log of %s", name);
	if (!len && !gone)
		complain(0, "%s: its driver has not sent anything yet; this is from its memory:",
			 name);
	if (!len && !gone && print_memory(options, name) && !(options->given & OPT_FOLLOW)) {
		free(text);
		return EXIT_FAILED;
	}
	print_last(text, len, options);
	free(text);
	if (options->given & OPT_FOLLOW && !gone)
		follow(name);
	return EXIT_OK;
}

const struct verb verb_log = {
	.name = "log",
	.args = "NAME",
	.summary = "Show a guest's kernel log",
	.help =
"The log comes through shared memory, so it can be read when the guest is dead. Where the\n"
"guest died or hangs before its driver could send any, or with --memory, the kernel's own\n"
"buffer is looked up in its memory. Of a guest that ended the last log is kept until the\n"
"next one of this name ends. Lines that were lost are counted: <missed N bytes>.\n"
"\n"
"Examples:\n"
"  sigmactl log demo\n"
"  sigmactl log -f -n 20 demo\n"
"  sigmactl log --memory demo    of a guest that hangs\n",
	.accepts = OPT_FOLLOW | OPT_LINES | OPT_MEMORY,
	.nr_args = 1,
	.run = run,
};
