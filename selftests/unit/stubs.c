// SPDX-License-Identifier: GPL-2.0
/*
 * Calls over a pair of rings in memory: what stubs and library do with good peers, with peers that
 * write nonsense, with many threads, and with those that give up or die.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "../../lib/iosc.h"
#include "../calls/server.h"
#include "files-client.h"
#include "tap.h"

#define NEVER	0xffffffff

static struct iosc *ends[2];		/* server, client */
static struct files files;
static struct iosc_client *client;
static struct iosc_caller *caller;
static pthread_t server_thread;

static bool begin(void)
{
	memset(&files, 0, sizeof(files));
	if (iosc_pair(ends))
		return false;
	client = iosc_client_new(ends[0], &files_service, &server_table, &files);
	caller = iosc_caller_new(ends[1]);
	return client && caller;
}

static void *serve(void *unused)
{
	int taken;

	do {
		iosc_wait(ends[0], iosc_client_events(client), NULL);
		taken = iosc_client_serve(client, 16);
	} while (taken >= 0);
	return (void *)(long)taken;
}

static bool begin_served(void)
{
	return begin() && !pthread_create(&server_thread, NULL, serve, NULL);
}

static void end(void)
{
	iosc_caller_free(caller);
	iosc_close(ends[1]);
	iosc_client_free(client);
	iosc_close(ends[0]);
}

/* The client goes first. Return: what the server's loop ended with */
static int end_served(void)
{
	void *ret;

	iosc_caller_free(caller);
	iosc_close(ends[1]);
	pthread_join(server_thread, &ret);
	iosc_client_free(client);
	iosc_close(ends[0]);
	return (long)ret;
}

TEST(arguments_and_results_arrive)
{
	static const uint32_t numbers[] = { 7, 5, 6 };
	static const struct files_stat stats[] = { { .size = 100 }, { .size = 200 } };
	static const struct files_stat first = { .size = 1000, .kind = FILES_KIND_FOLDER };
	char data[FILES_WRITE_DATA_MAX], entries[FILES_GET_DIRENTRIES_ENTRIES_MAX], name[20];
	uint32_t written, sorted[64];
	struct files_file_id file;
	struct files_stat stat;
	size_t length, count;
	uint64_t next, total;

	memset(data, 1, sizeof(data));
	ASSERT_TRUE(begin_served());
	EXPECT_EQ(0, files_null(caller));
	EXPECT_EQ(0, files_open(caller, "/etc/passwd", 11, 0, 0, &file));
	EXPECT_EQ(0, files_write(caller, file, data, sizeof(data), &written));
	EXPECT_EQ(sizeof(data), written);
	EXPECT_EQ(0, files_write(caller, file, NULL, 0, &written));
	EXPECT_EQ(0, written);
	EXPECT_EQ(0, files_stat(caller, file, &stat));
	EXPECT_EQ(sizeof(data), stat.size);
	EXPECT_EQ(FILES_KIND_FOLDER, stat.kind);
	EXPECT_EQ(0755, stat.mode);
	EXPECT_TRUE(stat.readable);
	EXPECT_EQ(0,
		  files_get_direntries(caller, file, 1, &next, entries, sizeof(entries), &length));
	EXPECT_EQ(ENTRIES * ENTRY_BYTES, length);
	EXPECT_EQ('b', entries[0]);
	EXPECT_EQ(1 + ENTRIES, next);
	EXPECT_EQ(0, files_sort(caller, numbers, 3, stats, 2, FILES_KIND_FOLDER, &first, &total,
				sorted, 64, &count, name, sizeof(name), &length));
	EXPECT_EQ(18 + 300 + 1000 + 1, total);
	EXPECT_EQ(3, count);
	EXPECT_TRUE(sorted[0] == 5 && sorted[1] == 6 && sorted[2] == 7);
	EXPECT_TRUE(length == 6 && !memcmp(name, "sorted", 6));
	EXPECT_EQ(0, files_close(caller, file));
	EXPECT_EQ(-EPIPE, end_served());
	EXPECT_EQ(0, files.open);
}

TEST(errors_of_the_interface_and_of_calls)
{
	char byte[2], entries[4096];
	struct files_file_id file, wrong = { 12345 };
	struct files_stat stat;
	uint64_t next;
	size_t length;
	uint32_t written;

	ASSERT_TRUE(begin_served());
	EXPECT_EQ(FILES_ERROR_NO_SUCH_FILE, files_open(caller, "/none", 5, 0, 0, &file));
	EXPECT_EQ(-EMSGSIZE, files_open(caller, entries, FILES_OPEN_PATH_MAX + 1, 0, 0, &file));
	EXPECT_EQ(-EBADF, files_stat(caller, wrong, &stat));
	EXPECT_EQ(0, files_open(caller, "/", 1, 0, 0, &file));
	EXPECT_EQ(-ENOBUFS,
		  files_get_direntries(caller, file, 1, &next, byte, sizeof(byte), &length));
	EXPECT_EQ(0, files_close(caller, file));
	EXPECT_EQ(-EBADF, files_write(caller, file, byte, 1, &written));
	EXPECT_EQ(-EBADF, files_close(caller, file));
	EXPECT_EQ(0, files_null(caller));
	EXPECT_EQ(-EPIPE, end_served());
}

TEST(handles_of_a_client_that_goes)
{
	struct files_file_id one, two;
	int error = 0, count = 0;

	ASSERT_TRUE(begin_served());
	while (!error && count < 2 * IOSC_HANDLES) {
		error = files_open(caller, "/", 1, 0, 0, &one);
		count += !error;
	}
	EXPECT_EQ(-EMFILE, error);
	EXPECT_EQ(IOSC_HANDLES, count);
	EXPECT_EQ(1, files.gone);		/* the one for which there was no handle */
	EXPECT_EQ(-EMFILE, files_open_files(caller, &one, &two));
	EXPECT_EQ(-EPIPE, end_served());
	EXPECT_EQ(0, files.open);
}

/* Events */

static uint32_t heard;

static void hear(void *context, uint32_t counter, enum files_kind kind, const char *text,
		 size_t text_length)
{
	EXPECT_TRUE(context == &heard && kind == FILES_KIND_FOLDER);
	EXPECT_TRUE(text_length == 5 && !memcmp(text, "hello", 5));
	heard = counter;
}

TEST(one_way_messages_and_events)
{
	static const struct files_events events = { .counted = hear };
	uint32_t seen;

	heard = 0;
	ASSERT_TRUE(begin_served());
	files_listen(caller, &events, &heard);
	EXPECT_EQ(0, files_count(caller, 3, "hello", 5));
	EXPECT_EQ(0, files_count(caller, 4, "hello", 5));
	EXPECT_EQ(0, files_await(caller, 7, &seen));
	EXPECT_EQ(7, seen);
	EXPECT_EQ(0, files_null(caller));	/* events come before its reply */
	EXPECT_EQ(7, heard);
	EXPECT_EQ(0, iosc_caller_dropped(caller));
	EXPECT_EQ(-EPIPE, end_served());
}

/* Calls in parallel */

static void *call_often(void *unused)
{
	static const char data[100];
	struct files_file_id file;
	struct files_stat stat;
	uint32_t written;

	EXPECT_EQ(0, files_open(caller, "/", 1, 0, 0, &file));
	for (unsigned int i = 0; i < 500; i++) {
		EXPECT_EQ(0, files_write(caller, file, data, i % 100, &written));
		EXPECT_EQ(i % 100, written);
	}
	EXPECT_EQ(0, files_stat(caller, file, &stat));
	EXPECT_EQ(5 * 99 * 50, stat.size);
	EXPECT_EQ(0, files_close(caller, file));
	return NULL;
}

TEST(threads_call_in_parallel)
{
	pthread_t threads[8];

	ASSERT_TRUE(begin_served());
	for (unsigned int i = 0; i < 8; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, call_often, NULL));
	for (unsigned int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(-EPIPE, end_served());
	EXPECT_EQ(0, files.open);
}

static void *await(void *counter)
{
	uint32_t seen;

	return (void *)(long)files_await(caller, (long)counter, &seen);
}

TEST(replies_out_of_order)
{
	pthread_t threads[8];

	ASSERT_TRUE(begin_served());
	for (long i = 0; i < 8; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, await, (void *)(8 - i)));
	for (long i = 7; i >= 0; i--) {
		void *ret;

		EXPECT_EQ(0, files_count(caller, 1, "", 0));
		EXPECT_EQ(0, pthread_join(threads[i], &ret));
		EXPECT_TRUE(!ret);
	}
	EXPECT_EQ(-EPIPE, end_served());
}

TEST(as_many_calls_as_the_table_has)
{
	static struct files_await_call calls[IOSC_CALLS_MAX + 1];

	memset(calls, 0, sizeof(calls));
	ASSERT_TRUE(begin_served());
	for (unsigned int i = 0; i < IOSC_CALLS_MAX; i++)
		EXPECT_EQ(0, files_await_start(caller, &calls[i], 1));
	EXPECT_EQ(-EBUSY, files_await_start(caller, &calls[IOSC_CALLS_MAX], 1));
	EXPECT_EQ(0, iosc_call_cancel(caller, &calls[0].call));
	EXPECT_EQ(-EALREADY, iosc_call_cancel(caller, &calls[0].call));
	EXPECT_EQ(0, files_count(caller, 1, "", 0));
	for (unsigned int i = 1; i < IOSC_CALLS_MAX; i++) {
		EXPECT_EQ(0, iosc_call_wait(caller, &calls[i].call, -1));
		EXPECT_EQ(1, calls[i].seen);
	}
	EXPECT_EQ(-ECANCELED, calls[0].call.result);
	EXPECT_EQ(-EPIPE, end_served());
}

/* From an event loop, without a thread that waits */

static unsigned int done;

static void count_done(struct iosc_call *call)
{
	EXPECT_EQ(0, call->result);
	done++;
}

static void call_again(struct iosc_call *call)
{
	static struct files_null_call second = { .call.done = count_done };

	/* A function of the program may start a call, but not wait for one */
	EXPECT_EQ(-EDEADLK, files_null(caller));
	EXPECT_EQ(0, files_null_start(caller, &second));
	count_done(call);
}

TEST(calls_from_an_event_loop)
{
	struct files_null_call first = { .call.done = call_again };

	done = 0;
	ASSERT_TRUE(begin_served());
	EXPECT_EQ(0, files_null_start(caller, &first));
	while (done < 2) {
		struct pollfd pollfd = { .fd = iosc_caller_fd(caller), .events = POLLIN };

		ASSERT_TRUE(poll(&pollfd, 1, -1) == 1);
		EXPECT_EQ(0, iosc_caller_process(caller));
	}
	EXPECT_EQ(-EPIPE, end_served());
}

/* Deadlines */

TEST(deadlines)
{
	struct files_await_call call = { };
	uint32_t seen;

	ASSERT_TRUE(begin_served());
	iosc_caller_set_timeout(caller, 1);
	EXPECT_EQ(-ETIMEDOUT, files_await(caller, NEVER, &seen));
	EXPECT_EQ(0, files_await_start(caller, &call, NEVER));
	EXPECT_EQ(-ETIMEDOUT, iosc_call_wait(caller, &call.call, 1));
	iosc_caller_set_timeout(caller, -1);
	EXPECT_EQ(0, files_null(caller));
	EXPECT_EQ(2, files.cancelled);
	EXPECT_EQ(0, files.nr_waits);
	EXPECT_EQ(-EPIPE, end_served());
}

TEST(a_deadline_while_there_is_no_room)
{
	char data[FILES_WRITE_DATA_MAX] = "";
	struct files_write_call calls[16];
	struct files_file_id file = { 0 };
	int error = 0;

	memset(calls, 0, sizeof(calls));
	ASSERT_TRUE(begin());
	iosc_caller_set_timeout(caller, 1);
	for (unsigned int i = 0; i < 16 && !error; i++)
		error = files_write_start(caller, &calls[i], file, data, sizeof(data));
	EXPECT_EQ(-ETIMEDOUT, error);
	end();
}

/* A peer dies */

static void *wait_for_ever(void *unused)
{
	uint32_t seen;

	return (void *)(long)files_await(caller, NEVER, &seen);
}

TEST(all_who_wait_hear_that_the_server_died)
{
	pthread_t threads[8];
	pid_t child;

	ASSERT_TRUE(begin());
	child = fork();
	if (!child) {
		iosc_close(ends[1]);
		serve(NULL);
		_exit(0);
	}
	iosc_client_free(client);
	iosc_close(ends[0]);
	for (unsigned int i = 0; i < 8; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, wait_for_ever, NULL));
	EXPECT_EQ(0, files_null(caller));
	kill(child, SIGKILL);
	for (unsigned int i = 0; i < 8; i++) {
		void *ret;

		pthread_join(threads[i], &ret);
		EXPECT_EQ(-EPIPE, (long)ret);
	}
	EXPECT_EQ(-EPIPE, files_null(caller));
	waitpid(child, NULL, 0);
	iosc_caller_free(caller);
	iosc_close(ends[1]);
}

/* Back-pressure: nobody waits for a client that does not read */

TEST(a_client_that_does_not_read)
{
	struct files_get_direntries_call calls[16];
	static char entries[16][4096];
	struct files_open_call open = { };
	int taken = 0;

	memset(calls, 0, sizeof(calls));
	ASSERT_TRUE(begin());
	EXPECT_EQ(0, files_open_start(caller, &open, "/", 1, 0, 0));
	EXPECT_EQ(1, iosc_client_serve(client, 16));
	EXPECT_EQ(0, iosc_call_wait(caller, &open.call, -1));
	for (unsigned int i = 0; i < 16; i++) {
		calls[i].entries = entries[i];
		calls[i].entries_size = 4096;
		EXPECT_EQ(0, files_get_direntries_start(caller, &calls[i], open.file, i));
	}
	taken = iosc_client_serve(client, 16);
	EXPECT_TRUE(taken > 0 && taken < 16);
	EXPECT_EQ(POLLOUT, iosc_client_events(client));
	EXPECT_EQ(0, iosc_client_serve(client, 16));
	EXPECT_EQ(0, iosc_caller_process(caller));
	while (taken < 16) {
		int more = iosc_client_serve(client, 16);

		ASSERT_TRUE(more > 0);
		taken += more;
		EXPECT_EQ(0, iosc_caller_process(caller));
	}
	for (unsigned int i = 0; i < 16; i++) {
		EXPECT_EQ(0, iosc_call_wait(caller, &calls[i].call, 0));
		EXPECT_EQ(i + ENTRIES, calls[i].next);
	}
	end();
	EXPECT_EQ(1, files.gone);
}

TEST(a_client_goes_before_its_reply_comes)
{
	struct files_await_call call = { };

	ASSERT_TRUE(begin());
	EXPECT_EQ(0, files_await_start(caller, &call, 1));
	EXPECT_EQ(1, iosc_client_serve(client, 16));
	EXPECT_EQ(1, files.nr_waits);
	iosc_client_free(client);
	client = NULL;
	EXPECT_EQ(0, files.nr_waits);
	files.counter = 1;
	answer_waits(&files);
	end();
}

TEST(replies_that_come_later_wait_for_room)
{
	static struct files_await_call awaits[WAITERS_MAX / 2];
	static char entries[16][4096];
	struct files_get_direntries_call calls[7];
	struct files_open_call open = { };
	unsigned int again = 0;

	memset(awaits, 0, sizeof(awaits));
	memset(calls, 0, sizeof(calls));
	ASSERT_TRUE(begin());
	EXPECT_EQ(0, files_open_start(caller, &open, "/", 1, 0, 0));
	for (unsigned int i = 0; i < WAITERS_MAX / 2; i++)
		EXPECT_EQ(0, files_await_start(caller, &awaits[i], 1));
	EXPECT_TRUE(iosc_client_serve(client, 100) > 0);
	EXPECT_EQ(0, iosc_call_wait(caller, &open.call, -1));
	/* Nobody reads, and replies fill the ring */
	for (unsigned int i = 0; i < 7; i++) {
		calls[i].entries = entries[i];
		calls[i].entries_size = 4096;
		EXPECT_EQ(0, files_get_direntries_start(caller, &calls[i], open.file, i));
	}
	while (iosc_client_serve(client, 100) > 0)
		;
	while (!files_counted_send(client, 0, FILES_KIND_FILE, "", 0))
		;
	files.counter = 1;
	answer_waits(&files);
	EXPECT_TRUE(files.nr_waits > 0);
	EXPECT_EQ(POLLOUT, iosc_client_events(client));
	/* Now somebody does */
	while (files.nr_waits || iosc_client_events(client) != POLLIN) {
		EXPECT_EQ(0, iosc_caller_process(caller));
		EXPECT_TRUE(iosc_client_serve(client, 100) >= 0);
		ASSERT_TRUE(again++ < 100);
	}
	EXPECT_EQ(0, iosc_caller_process(caller));
	for (unsigned int i = 0; i < WAITERS_MAX / 2; i++)
		EXPECT_EQ(0, iosc_call_wait(caller, &awaits[i].call, 0));
	for (unsigned int i = 0; i < 7; i++)
		EXPECT_EQ(0, iosc_call_wait(caller, &calls[i].call, 0));
	end();
}

/* Nonsense */

TEST(a_server_that_sends_without_end)
{
	struct raw {
		struct iosc_message head;
	} event = { .head = { .kind = IOSC_EVENT } };
	struct files_null_call call = { };

	ASSERT_TRUE(begin());
	EXPECT_EQ(0, files_null_start(caller, &call));
	while (!iosc_send(ends[0], &event, sizeof(event), IOSC_DONTWAIT))
		;
	EXPECT_EQ(-ETIMEDOUT, iosc_call_wait(caller, &call.call, 0));
	end();
}

struct raw {
	struct iosc_message head;
	uint8_t bytes[64];
};

static struct raw raw(uint8_t kind, uint16_t method, uint16_t size)
{
	return (struct raw){
		.head = {
			.id = htole32(1), .interface = htole32(FILES_INTERFACE), .kind = kind,
			.method = htole16(method), .size = htole16(size),
		},
	};
}

/* Return: the status of the reply, -1: there is none */
static int send_raw(const struct raw *message, size_t length)
{
	struct raw reply;

	EXPECT_EQ(0, iosc_send(ends[1], message, length, IOSC_DONTWAIT));
	EXPECT_EQ(1, iosc_client_serve(client, 16));
	if (iosc_recv(ends[1], &reply, sizeof(reply), IOSC_DONTWAIT) < 0)
		return -1;
	EXPECT_EQ(IOSC_REPLY, reply.head.kind);
	return le16toh(reply.head.status);
}

static int status(int error)
{
	return IOSC_STATUS_ERRNO - error;
}

TEST(nonsense_is_an_error_of_that_call)
{
	struct raw message = raw(IOSC_CALL, FILES_METHOD_NULL, 0);
	struct files_open_in *open = (void *)message.bytes;

	ASSERT_TRUE(begin());
	EXPECT_EQ(0, send_raw(&message, 16));
	EXPECT_EQ(-1, send_raw(&message, 15));				/* no header */
	message.head.interface = 0;
	EXPECT_EQ(status(-EPROTOTYPE), send_raw(&message, 16));
	message = raw(IOSC_CALL, 200, 0);
	EXPECT_EQ(status(-ENOSYS), send_raw(&message, 16));
	message = raw(IOSC_CALL, FILES_METHOD_COUNTED, 0);
	EXPECT_EQ(status(-ENOSYS), send_raw(&message, 16));
	message = raw(IOSC_CALL, FILES_METHOD_COUNT, FILES_COUNT_IN_SIZE);
	EXPECT_EQ(status(-EBADMSG), send_raw(&message, 24));		/* it is one-way */
	message = raw(9, FILES_METHOD_NULL, 0);
	EXPECT_EQ(-1, send_raw(&message, 16));				/* no such kind */
	message = raw(IOSC_CALL, FILES_METHOD_OPEN, 65535);
	EXPECT_EQ(status(-EBADMSG), send_raw(&message, 32)); /* size beyond the message */
	message = raw(IOSC_CALL, FILES_METHOD_OPEN, FILES_OPEN_IN_SIZE);
	open->path_length = htole32(255);
	EXPECT_EQ(status(-EBADMSG), send_raw(&message, 40)); /* path beyond the message */
	open->path_length = htole32(0xfffffff8);
	EXPECT_EQ(status(-EBADMSG), send_raw(&message, 40)); /* path beyond its maximum */
	open->path_length = htole32(8);
	EXPECT_EQ(0, send_raw(&message, 40));
	EXPECT_EQ(2, iosc_client_dropped(client));
	end();
}

TEST(values_that_are_none)
{
	struct raw message = raw(IOSC_CALL, FILES_METHOD_SORT, FILES_SORT_IN_SIZE);
	struct files_sort_in *sort = (void *)message.bytes;

	ASSERT_TRUE(begin());
	EXPECT_EQ(0, send_raw(&message, iosc_tail(FILES_SORT_IN_SIZE)));
	sort->kind = htole16(FILES_KIND_FOLDER + 1);
	EXPECT_EQ(status(-EBADMSG), send_raw(&message, iosc_tail(FILES_SORT_IN_SIZE)));
	sort->kind = 0;
	sort->first.kind = 0xffff;
	EXPECT_EQ(status(-EBADMSG), send_raw(&message, iosc_tail(FILES_SORT_IN_SIZE)));
	sort->first.kind = 0;
	sort->numbers_count = htole32(0x40000001);
	EXPECT_EQ(status(-EBADMSG), send_raw(&message, iosc_tail(FILES_SORT_IN_SIZE)));
	end();
}

TEST(older_and_newer_clients)
{
	struct raw message = raw(IOSC_CALL, FILES_METHOD_OPEN, 4);

	ASSERT_TRUE(begin());
	/* An older one, which has no flags and no mode */
	EXPECT_EQ(0, send_raw(&message, 24));
	/* Newer ones, without and with what this server does not know */
	message.head.size = htole16(20);
	EXPECT_EQ(0, send_raw(&message, 40));
	message.bytes[18] = 1;
	EXPECT_EQ(status(-EPROTONOSUPPORT), send_raw(&message, 40));
	end();
}

/* A server of nonsense */

static int answer_raw(struct raw *message, size_t length)
{
	struct files_stat_call call = { };
	struct files_file_id file = { 1 };
	const void *bytes;

	/* Of the last call, which may have been cancelled */
	while (iosc_peek(ends[0], &bytes, IOSC_DONTWAIT) > 0)
		iosc_release(ends[0]);
	EXPECT_EQ(0, files_stat_start(caller, &call, file));
	EXPECT_TRUE(iosc_peek(ends[0], &bytes, IOSC_DONTWAIT) > 0);
	message->head.id = ((const struct iosc_message *)bytes)->id;
	iosc_release(ends[0]);
	EXPECT_EQ(0, iosc_send(ends[0], message, length, IOSC_DONTWAIT));
	EXPECT_EQ(0, iosc_caller_process(caller));
	return iosc_call_wait(caller, &call.call, 0);
}

TEST(a_server_of_nonsense)
{
	struct raw message = raw(IOSC_REPLY, FILES_METHOD_STAT, FILES_STAT_OUT_SIZE);
	struct files_stat_out *stat = (void *)message.bytes;

	ASSERT_TRUE(begin());
	EXPECT_EQ(0, answer_raw(&message, 40));
	EXPECT_EQ(-ETIMEDOUT, answer_raw(&message, 39)); /* too short: as if it had not come */
	EXPECT_EQ(-ETIMEDOUT, answer_raw(&message, 1));
	stat->stat.kind = htole16(2);
	EXPECT_EQ(-EBADMSG, answer_raw(&message, 40));
	message = raw(IOSC_REPLY, FILES_METHOD_OPEN, 0);
	EXPECT_EQ(-EBADMSG, answer_raw(&message, 16));
	message = raw(IOSC_REPLY, FILES_METHOD_STAT, 8);	/* of an older server */
	EXPECT_EQ(0, answer_raw(&message, 24));
	message.head.status = htole16(FILES_ERROR_TOO_MANY_FILES);
	EXPECT_EQ(FILES_ERROR_TOO_MANY_FILES, answer_raw(&message, 24));
	message.head.status = htole16(FILES_ERROR_TOO_MANY_FILES + 1); /* of a newer server */
	EXPECT_EQ(-EREMOTEIO, answer_raw(&message, 24));
	message.head.status = htole16(IOSC_STATUS_ERRNO + EPIPE);	/* only we know that */
	EXPECT_EQ(-EREMOTEIO, answer_raw(&message, 24));
	message.head.status = htole16(IOSC_STATUS_ERRNO);
	EXPECT_EQ(-EREMOTEIO, answer_raw(&message, 24));
	message.head.status = htole16(IOSC_STATUS_ERRNO + ENOMEM);
	EXPECT_EQ(-ENOMEM, answer_raw(&message, 24));
	message = raw(IOSC_CALL, 0, 0);
	EXPECT_EQ(-ETIMEDOUT, answer_raw(&message, 16));
	EXPECT_EQ(3, iosc_caller_dropped(caller));
	end();
}

TEST(late_replies_find_nobody)
{
	struct raw message = raw(IOSC_REPLY, FILES_METHOD_NULL, 0);

	ASSERT_TRUE(begin());
	for (unsigned int id = 0; id < 200; id++) {
		message.head.id = htole32(id);
		EXPECT_EQ(0, iosc_send(ends[0], &message, 16, IOSC_DONTWAIT));
	}
	EXPECT_EQ(0, iosc_caller_process(caller));
	EXPECT_EQ(200, iosc_caller_dropped(caller));
	end();
}

TEST_HARNESS_MAIN
