// SPDX-License-Identifier: GPL-2.0
/*
 * For the test "calls", on both sides: programs that call over channels, and that answer.
 *
 *	calls serve PATH...		serve the channels until SIGTERM; says what it has seen then
 *	calls drive PATH		each method of ../calls/files.capnp, once, and threads in parallel
 *	calls count PATH CALLS		call CALLS times, over new sessions where one ends. Prints how many
 *					calls were answered, and how many ended with a session
 *	calls wait PATH			a call that is never answered; prints how it ended
 *
 * FAILED and the line, where something is not as it should be.
 */
#include <err.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "../calls/server.h"
#include "../../lib/iosc.h"
#include "files-client.h"

#define THREADS		4
#define THREAD_CALLS	200
#define TIMEOUT		60000		/* milliseconds, for each call */
#define SPIN		100		/* microseconds */
#define NEVER		0xffffffff	/* what the counter never reaches */

#define MUST(condition) do {							\
	if (!(condition))							\
		errx(EXIT_FAILURE, "FAILED: line %d: %s", __LINE__, #condition);	\
} while (0)

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	stopped = 1;
}

static void serve(char **paths)
{
	static struct files files;
	struct sigaction action = { .sa_handler = stop };
	struct iosc_server *server = iosc_server_new(&files_service, &server_table, &files);
	int error = 0;

	MUST(server);
	sigaction(SIGTERM, &action, NULL);
	for (; *paths; paths++) {
		error = iosc_server_add(server, *paths);
		if (error)
			errx(EXIT_FAILURE, "%s: %s", *paths, strerror(-error));
	}
	puts("open");
	fflush(stdout);
	while (!stopped && error != -ENODEV)
		error = iosc_server_process(server, -1);
	iosc_server_free(server);
	printf("files %u gone %u cancelled %u\n", files.open, files.gone, files.cancelled);
}

static struct iosc_caller *open_channel(const char *path, struct iosc **channel)
{
	struct iosc_caller *caller;

	*channel = iosc_open_path(path);
	if (!*channel)
		err(EXIT_FAILURE, "%s", path);
	iosc_set_spin(*channel, SPIN);
	caller = iosc_caller_new(*channel);
	MUST(caller);
	iosc_caller_set_timeout(caller, TIMEOUT);
	return caller;
}

/* Each method */

static unsigned int heard;

static void hear_counted(void *context, uint32_t counter, enum files_kind kind, const char *text,
			 size_t text_length)
{
	MUST(kind == FILES_KIND_FOLDER && text_length == 5 && !memcmp(text, "hello", 5));
	heard = counter;
}

static const struct files_events events = {
	.counted = hear_counted,
};

static void drive_file(struct iosc_caller *caller)
{
	static char data[FILES_WRITE_DATA_MAX], entries[FILES_GET_DIRENTRIES_ENTRIES_MAX];
	struct files_file_id file, none = { 0 };
	struct files_stat stat;
	uint32_t written;
	uint64_t next;
	size_t length;

	MUST(files_open(caller, "/none", 5, 0, 0, &file) == FILES_ERROR_NO_SUCH_FILE);
	MUST(!files_open(caller, "/some", 5, 0, 0, &file));
	MUST(!files_write(caller, file, data, sizeof(data), &written) && written == sizeof(data));
	MUST(files_write(caller, file, data, sizeof(data) + 1, &written) == -EMSGSIZE);
	MUST(files_write(caller, none, data, 1, &written) == -EBADF);
	MUST(!files_get_direntries(caller, file, 3, &next, entries, sizeof(entries), &length));
	MUST(length == ENTRIES * ENTRY_BYTES && next == 3 + ENTRIES && entries[0] == 'd');
	MUST(files_get_direntries(caller, file, 3, &next, entries, 10, &length) == -ENOBUFS);
	MUST(!files_stat(caller, file, &stat));
	MUST(stat.size == sizeof(data) && stat.kind == FILES_KIND_FOLDER && stat.mode == 0755);
	MUST(stat.blocks == sizeof(data) / 512 && stat.readable);
	MUST(!files_close(caller, file));
	MUST(files_close(caller, file) == -EBADF);
	MUST(!files_open(caller, "/kept", 5, 0, 0, &file));
}

static void drive_lists(struct iosc_caller *caller)
{
	static const uint32_t numbers[] = { 30, 10, 20 };
	static const struct files_stat stats[] = { { .size = 100 }, { .size = 200 } };
	static const struct files_stat first = { .size = 1000 };
	uint32_t sorted[FILES_SORT_SORTED_MAX];
	size_t count, length;
	uint64_t total;
	char name[20];

	MUST(!files_sort(caller, numbers, 3, stats, 2, FILES_KIND_FOLDER, &first, &total, sorted,
			 64, &count, name, sizeof(name), &length));
	MUST(total == 1361 && count == 3 && sorted[0] == 10 && sorted[1] == 20 && sorted[2] == 30);
	MUST(length == 6 && !memcmp(name, "sorted", 6));
}

static void *drive_thread(void *argument)
{
	struct iosc_caller *caller = argument;
	struct files_file_id file;
	char data[THREAD_CALLS] = "";
	struct files_stat stat;
	uint32_t written;

	MUST(!files_open(caller, "/thread", 7, 0, 0, &file));
	for (unsigned int i = 0; i < THREAD_CALLS; i++)
		MUST(!files_write(caller, file, data, i, &written) && written == i);
	MUST(!files_stat(caller, file, &stat) &&
	     stat.size == THREAD_CALLS * (THREAD_CALLS - 1) / 2);
	MUST(!files_close(caller, file));
	return NULL;
}

static void drive(const char *path)
{
	struct iosc *channel;
	struct iosc_caller *caller = open_channel(path, &channel);
	pthread_t threads[THREADS];
	struct files_await_call waits = { };
	uint32_t seen;

	files_listen(caller, &events, NULL);
	MUST(!files_null(caller));
	drive_file(caller);
	drive_lists(caller);
	MUST(!files_await(caller, 0, &seen));
	MUST(!files_await_start(caller, &waits, seen + 5));
	MUST(!files_count(caller, 5, "hello", 5));
	MUST(!iosc_call_wait(caller, &waits.call, TIMEOUT) && waits.seen >= seen + 5);
	MUST(!files_null(caller) && heard >= seen + 5);
	MUST(!files_await_start(caller, &waits, NEVER));
	MUST(iosc_call_wait(caller, &waits.call, 10) == -ETIMEDOUT);
	MUST(!files_await_start(caller, &waits, NEVER));
	MUST(!iosc_call_cancel(caller, &waits.call) && waits.call.result == -ECANCELED);
	for (unsigned int i = 0; i < THREADS; i++)
		MUST(!pthread_create(&threads[i], NULL, drive_thread, caller));
	for (unsigned int i = 0; i < THREADS; i++)
		MUST(!pthread_join(threads[i], NULL));
	iosc_caller_free(caller);
	iosc_close(channel);
	puts("driven");
}

static void count_calls(const char *path, unsigned long calls)
{
	unsigned long answered = 0, ended = 0;
	unsigned int sessions = 0;

	while (answered + ended < calls) {
		struct iosc *channel;
		struct iosc_caller *caller = open_channel(path, &channel);
		struct files_file_id file;
		uint64_t size = 0;
		int error = files_open(caller, "/count", 6, 0, 0, &file);

		sessions++;
		while (!error && answered + ended < calls) {
			struct files_stat stat = { };
			uint32_t written;

			/* Each call is answered once, and its effect is seen once */
			error = files_write(caller, file, "12345678", 8, &written);
			if (error)
				break;
			MUST(written == 8);
			answered++;
			size += 8;
			if (answered % 1000)
				continue;
			error = files_stat(caller, file, &stat);
			MUST(error || stat.size == size);
		}
		ended += !!error;
		MUST(!error || error == -EPIPE);
		iosc_caller_free(caller);
		iosc_close(channel);
	}
	printf("answered %lu ended %lu sessions %u\n", answered, ended, sessions);
}

static void wait_for_end(const char *path)
{
	struct iosc *channel;
	struct iosc_caller *caller = open_channel(path, &channel);
	struct files_file_id file;
	uint32_t seen;

	MUST(!files_open(caller, "/held", 5, 0, 0, &file));
	puts("waits");
	fflush(stdout);
	puts(strerrorname_np(-files_await(caller, NEVER, &seen)));
	iosc_caller_free(caller);
	iosc_close(channel);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";

	if (!strcmp(verb, "serve"))
		serve(argv + 2);
	else if (!strcmp(verb, "drive"))
		drive(argv[2]);
	else if (!strcmp(verb, "count") && argc == 4)
		count_calls(argv[2], strtoul(argv[3], NULL, 0));
	else if (!strcmp(verb, "wait"))
		wait_for_end(argv[2]);
	else
		errx(EXIT_FAILURE, "see the comment on top of programs/calls.c");
	return EXIT_SUCCESS;
}
