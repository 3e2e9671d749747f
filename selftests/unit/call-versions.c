// SPDX-License-Identifier: GPL-2.0
/*
 * Two versions of one interface, ../calls/cells1.capnp and cells2.capnp: an older client and a newer
 * server understand each other, and the reverse, as iosc-idl(1) says.
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "../../lib/iosc.h"
#include "cells1-client.h"
#include "cells1-server.h"
#include "cells2-client.h"
#include "cells2-server.h"
#include "tap.h"

#define ID	0x1122334455667788
#define SEALED	77		/* a cell of so many bytes takes none */

/* What a server was called with last, whichever it is */
static struct {
	uint32_t size, at;
	uint16_t colour;
	size_t name, bytes, more;
	char first;
} seen;

/* What a client was told last */
static uint32_t heard, heard_by;
static size_t cell_bytes;

static struct cells1_cell *one(void)
{
	return (void *)&seen;
}

static int make1(struct iosc_request *request, uint32_t size, struct cells1_cell **cell)
{
	seen.size = size;
	*cell = one();
	return 0;
}

static int put1(struct iosc_request *request, struct cells1_cell *cell, const void *bytes,
		size_t bytes_length, uint32_t *count)
{
	seen.bytes = bytes_length;
	seen.first = bytes_length ? *(const char *)bytes : 0;
	*count = bytes_length;
	return cells1_changed_send(request->client, bytes_length);
}

static int get1(struct iosc_request *request, struct cells1_cell *cell, void *bytes,
		size_t *bytes_length)
{
	memset(bytes, 'o', cell_bytes);
	*bytes_length = cell_bytes;
	return 0;
}

static const struct cells1_server server1 = { .make = make1, .put = put1, .get = get1 };

static int make2(struct iosc_request *request, uint32_t size, uint16_t colour, const char *name,
		 size_t name_length, struct cells2_cell **cell, uint64_t *id)
{
	seen.size = size;
	seen.colour = colour;
	seen.name = name_length;
	*cell = (void *)one();
	*id = ID;
	return 0;
}

static int put2(struct iosc_request *request, struct cells2_cell *cell, const void *bytes,
		size_t bytes_length, uint32_t at, const void *more, size_t more_length,
		uint32_t *count, uint32_t *left)
{
	seen.bytes = bytes_length;
	seen.first = bytes_length ? *(const char *)bytes : 0;
	seen.at = at;
	seen.more = more_length;
	*count = bytes_length;
	*left = 1;
	if (bytes_length == SEALED)
		return CELLS2_ERROR_SEALED;
	return cells2_changed_send(request->client, bytes_length, at + 1);
}

static int get2(struct iosc_request *request, struct cells2_cell *cell, void *bytes,
		size_t *bytes_length, char *name, size_t *name_length)
{
	memset(bytes, 'n', cell_bytes);
	*bytes_length = cell_bytes;
	memcpy(name, "red", 3);
	*name_length = 3;
	return 0;
}

static int drop2(struct iosc_request *request, struct cells2_cell *cell)
{
	return 0;
}

static const struct cells2_server server2 = {
	.make = make2, .put = put2, .get = get2, .drop = drop2,
};

static void changed1(void *context, uint32_t count)
{
	heard = count;
}

static void changed2(void *context, uint32_t count, uint32_t by)
{
	heard = count;
	heard_by = by;
}

static const struct cells1_events events1 = { .changed = changed1 };
static const struct cells2_events events2 = { .changed = changed2 };

static struct iosc *ends[2];
static struct iosc_client *client;
static struct iosc_caller *caller;
static pthread_t thread;

static void *serve(void *unused)
{
	do
		iosc_wait(ends[0], iosc_client_events(client), NULL);
	while (iosc_client_serve(client, 16) >= 0);
	return NULL;
}

static bool begin(const struct iosc_service *service, const void *table)
{
	memset(&seen, 0xee, sizeof(seen));
	heard = heard_by = 0;
	if (iosc_pair(ends))
		return false;
	client = iosc_client_new(ends[0], service, table, NULL);
	caller = iosc_caller_new(ends[1]);
	return client && caller && !pthread_create(&thread, NULL, serve, NULL);
}

static void end(void)
{
	iosc_caller_free(caller);
	iosc_close(ends[1]);
	pthread_join(thread, NULL);
	iosc_client_free(client);
	iosc_close(ends[0]);
}

TEST(they_are_one_interface)
{
	EXPECT_EQ(CELLS1_INTERFACE, CELLS2_INTERFACE);
	EXPECT_TRUE(CELLS1_PUT_IN_SIZE < CELLS2_PUT_IN_SIZE);
	EXPECT_TRUE(CELLS1_PUT_OUT_SIZE < CELLS2_PUT_OUT_SIZE);
}

TEST(an_older_client_of_a_newer_server)
{
	struct cells1_cell_id cell;
	char bytes[100];
	uint32_t count;
	size_t length;

	ASSERT_TRUE(begin(&cells2_service, &server2));
	cells1_listen(caller, &events1, NULL);
	/* What it does not send is 0 or empty, and what it does not know is not there */
	EXPECT_EQ(0, cells1_make(caller, 5, &cell));
	EXPECT_EQ(5, seen.size);
	EXPECT_EQ(0, seen.colour);
	EXPECT_EQ(0, seen.name);
	EXPECT_EQ(0, cells1_put(caller, cell, "hello", 5, &count));
	EXPECT_EQ(5, count);
	EXPECT_TRUE(seen.bytes == 5 && seen.first == 'h' && !seen.at && !seen.more);
	EXPECT_EQ(5, heard);
	EXPECT_EQ(0, cells1_put(caller, cell, NULL, 0, &count));
	EXPECT_EQ(0, seen.bytes);
	cell_bytes = 100;
	EXPECT_EQ(0, cells1_get(caller, cell, bytes, sizeof(bytes), &length));
	EXPECT_TRUE(length == 100 && bytes[99] == 'n');
	/* More than its maximum, and an error that it does not know */
	cell_bytes = 101;
	EXPECT_EQ(-EBADMSG, cells1_get(caller, cell, bytes, sizeof(bytes), &length));
	memset(bytes, 'x', sizeof(bytes));
	EXPECT_EQ(-EREMOTEIO, cells1_put(caller, cell, bytes, SEALED, &count));
	EXPECT_EQ(0, cells1_put(caller, cell, bytes, 100, &count));
	EXPECT_EQ(100, count);
	EXPECT_EQ(0, iosc_caller_dropped(caller));
	end();
}

TEST(a_newer_client_of_an_older_server)
{
	struct cells2_cell_id cell;
	char bytes[200], name[20];
	uint32_t count, left = 9;
	uint64_t id = 9;
	size_t length, name_length = 9;

	ASSERT_TRUE(begin(&cells1_service, &server1));
	cells2_listen(caller, &events2, NULL);
	EXPECT_EQ(0, cells2_make(caller, 6, 0, NULL, 0, &cell, &id));
	EXPECT_EQ(6, seen.size);
	EXPECT_EQ(0, id);
	/* What the server does not know is refused, not ignored */
	EXPECT_EQ(-EPROTONOSUPPORT, cells2_make(caller, 6, 1, NULL, 0, &cell, &id));
	EXPECT_EQ(-EPROTONOSUPPORT, cells2_make(caller, 6, 0, "red", 3, &cell, &id));
	EXPECT_EQ(0, cells2_put(caller, cell, "hello", 5, 0, NULL, 0, &count, &left));
	EXPECT_TRUE(count == 5 && left == 0 && seen.bytes == 5 && seen.first == 'h');
	EXPECT_TRUE(heard == 5 && heard_by == 0);
	EXPECT_EQ(-EPROTONOSUPPORT, cells2_put(caller, cell, "hello", 5, 1, NULL, 0, &count, &left));
	EXPECT_EQ(-EPROTONOSUPPORT, cells2_put(caller, cell, "hello", 5, 0, "x", 1, &count, &left));
	memset(bytes, 'x', sizeof(bytes));
	EXPECT_EQ(-EBADMSG, cells2_put(caller, cell, bytes, 101, 0, NULL, 0, &count, &left));
	EXPECT_EQ(0, cells2_put(caller, cell, bytes, 100, 0, NULL, 0, &count, &left));
	cell_bytes = 100;
	EXPECT_EQ(0, cells2_get(caller, cell, bytes, sizeof(bytes), &length, name, sizeof(name),
				&name_length));
	EXPECT_TRUE(length == 100 && bytes[99] == 'o' && !name_length);
	EXPECT_EQ(-ENOSYS, cells2_drop(caller, cell));
	EXPECT_EQ(0, cells2_put(caller, cell, "still", 5, 0, NULL, 0, &count, &left));
	end();
}

TEST(the_same_versions)
{
	struct cells2_cell_id cell;
	char bytes[200], name[20];
	uint32_t count, left;
	uint64_t id;
	size_t length, name_length;

	ASSERT_TRUE(begin(&cells2_service, &server2));
	cells2_listen(caller, &events2, NULL);
	EXPECT_EQ(0, cells2_make(caller, 7, 3, "red", 3, &cell, &id));
	EXPECT_TRUE(seen.size == 7 && seen.colour == 3 && seen.name == 3 && id == ID);
	memset(bytes, 'y', sizeof(bytes));
	EXPECT_EQ(0, cells2_put(caller, cell, bytes, 200, 4, "more", 4, &count, &left));
	EXPECT_TRUE(count == 200 && left == 1 && seen.at == 4 && seen.more == 4);
	EXPECT_TRUE(heard == 200 && heard_by == 5);
	cell_bytes = 150;
	EXPECT_EQ(0, cells2_get(caller, cell, bytes, sizeof(bytes), &length, name, sizeof(name),
				&name_length));
	EXPECT_TRUE(length == 150 && name_length == 3 && !memcmp(name, "red", 3));
	EXPECT_EQ(0, cells2_drop(caller, cell));
	EXPECT_EQ(-EBADF, cells2_drop(caller, cell));
	end();
}

TEST_HARNESS_MAIN
