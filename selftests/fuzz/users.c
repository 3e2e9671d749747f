// SPDX-License-Identifier: GPL-2.0
/*
 * What a user may send to the service that starts guests as root (ctl/users_request.c), and what
 * sigmad would read in the guest file that is made of it: never more than a user may have.
 */
#include "../../common/guestfile.h"
#include "../../common/version.h"
#include "../../ctl/users.h"
#include "fuzz.h"

FUZZ_TARGET(20000);

#define PIECE_MAX	64	/* bytes that are written over a request at a time */

/* Where a piece goes */
enum place { P_ANY, P_VERSION, P_WHAT, P_CPUS, P_MEMORY, P_NAME, P_KERNEL, P_APPEND, P_SMALL,
	     P_FORWARD, NR_PLACES };

#define PIECE(place, offset, len)	P_##place, B16(offset), len

static const size_t offsets[NR_PLACES] = {
	[P_VERSION] = offsetof(struct users_request, version),
	[P_WHAT] = offsetof(struct users_request, what),
	[P_CPUS] = offsetof(struct users_request, nr_cpus),
	[P_MEMORY] = offsetof(struct users_request, memory),
	[P_NAME] = offsetof(struct users_request, name),
	[P_KERNEL] = offsetof(struct users_request, kernel),
	[P_APPEND] = offsetof(struct users_request, append),
	[P_SMALL] = offsetof(struct users_request, writes),
	[P_FORWARD] = offsetof(struct users_request, forward),
};

static void check_net(const struct guest_config *config)
{
	FUZZ_CHECK(config->nr_nets <= 1);
	if (!config->nr_nets)
		return;
	FUZZ_CHECK(config->net[0].user && !config->net[0].bridge);
	for (unsigned int i = 0; i < config->net[0].nr_forwards; i++)
		FUZZ_CHECK(config->net[0].forward[i].host_port >= 1024);
}

static void check_guest(const struct users_request *request, const char *text)
{
	struct guest_config config;

	if (guestfile_parse(&config, "/tmp/u1000-0000" GUEST_SUFFIX, text, strlen(text)))
		return;
	FUZZ_CHECK(config.guard == SIGMA_GUARD_FULL);
	FUZZ_CHECK(!strcmp(config.root, "/"));
	FUZZ_CHECK((unsigned int)config.root_writes == request->writes);
	FUZZ_CHECK(!config.nr_disks && !config.nr_shares && !config.nr_channels);
	FUZZ_CHECK(!config.cpus_given && config.nr_cpus == request->nr_cpus);
	FUZZ_CHECK(config.memory == request->memory);
	FUZZ_CHECK(!config.initrd && !config.modules && !config.split_cores);
	FUZZ_CHECK(!*request->kernel || (!strncmp(config.kernel, "/boot/", 6) &&
					 !strchr(config.kernel + 6, '/')));
	check_net(&config);
	guestfile_free(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size }, *in = &input;
	struct users_request request = {
		.version = SIGMA_VERSION, .what = USERS_RUN, .nr_cpus = 1, .memory = 512 << 20,
		.net = USERS_NET_USER, .nr_forwards = 1,
		.forward = { { .host_port = 8080, .guest_port = 80 } },
	};
	char why[USERS_WHY_MAX] = "", *text;

	while (in->left) {
		size_t at = offsets[take8(in) % NR_PLACES] + take16(in);
		uint8_t piece[PIECE_MAX], len = take8(in) % (PIECE_MAX + 1);

		take(in, piece, len);
		if (at + len <= sizeof(request))
			memcpy((char *)&request + at, piece, len);
	}
	if (users_request_check(&request, why)) {
		FUZZ_CHECK(*why && strlen(why) < sizeof(why));
		for (const char *at = why; *at; at++)
			FUZZ_CHECK(*at >= ' ' && *at <= '~');
		return 0;
	}
	if (request.what != USERS_RUN)
		return 0;
	if (!request.memory)
		request.memory = 256 << 20;	/* as users_serve.c does */
	text = users_request_text(&request);
	FUZZ_CHECK(text);
	check_guest(&request, text);
	free(text);
	return 0;
}

CASE(good, PIECE(APPEND, 0, 5), 'q', 'u', 'i', 'e', 't')
CASE(ends_the_line, PIECE(APPEND, 0, 16), 'x', '\n', '[', 'D', 'i', 's', 'k', ']', '\n', 'P', 'a', 't',
	'h', '=', '/', 'x')
CASE(begins_a_comment, PIECE(APPEND, 0, 4), 'x', ' ', ';', 'y')
CASE(quotes, PIECE(APPEND, 0, 4), '"', '\'', '\\', '#')
CASE(kernel_elsewhere, PIECE(KERNEL, 0, 13), '.', '.', '/', 'e', 't', 'c', '/', 's', 'h', 'a', 'd', 'o', 'w')
CASE(kernel, PIECE(KERNEL, 0, 7), 'v', 'm', 'l', 'i', 'n', 'u', 'x')
CASE(low_port, PIECE(FORWARD, offsetof(struct users_forward, host_port), 2), B16(80))
CASE(address, PIECE(FORWARD, 0, 9), '1', '2', '7', '.', '0', '.', '0', '.', '1')
CASE(other_address, PIECE(FORWARD, 0, 3), ':', ':', '1')
CASE(address_and_more, PIECE(FORWARD, 0, 5), ':', ':', '1', '\n', 'x')
CASE(too_many_forwards, PIECE(SMALL, 3, 1), 255)
CASE(all_cpus, PIECE(CPUS, 0, 4), 255, 255, 255, 255)
CASE(no_memory, PIECE(MEMORY, 0, 8), 0, 0, 0, 0, 0, 0, 0, 0)
CASE(all_memory, PIECE(MEMORY, 0, 8), 0, 0, 0, 255, 255, 255, 255, 255)
CASE(join, PIECE(WHAT, 0, 4), USERS_JOIN, 0, 0, 0, PIECE(NAME, 0, 4), 'u', '1', '-', '0')
CASE(join_elsewhere, PIECE(WHAT, 0, 4), USERS_JOIN, 0, 0, 0, PIECE(NAME, 0, 5), '.', '.', '/', 'x', 'y')
