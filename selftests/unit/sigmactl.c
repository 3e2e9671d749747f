// SPDX-License-Identifier: GPL-2.0
/* How sigmactl prints numbers and words, for people and for Prometheus. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../../ctl/ctl.h"
#include "../../ctl/stats.h"
#include "tap.h"

TEST(distance_of_words)
{
	EXPECT_EQ(0, text_distance("start", "start"));
	EXPECT_EQ(0, text_distance("", ""));
	EXPECT_EQ(4, text_distance("", "stop"));
	EXPECT_EQ(4, text_distance("stop", ""));
	EXPECT_EQ(1, text_distance("stat", "start"));
	EXPECT_EQ(1, text_distance("stopp", "stop"));
	EXPECT_EQ(1, text_distance("lost", "list"));
	EXPECT_EQ(2, text_distance("strat", "start"));
	EXPECT_EQ(3, text_distance("kitten", "sitting"));
	/* Longer than the table */
	EXPECT_TRUE(text_distance("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", "a") > 8);
	EXPECT_TRUE(text_distance("a", "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz") > 8);
}

TEST(sizes_and_spans)
{
	char text[32];

	EXPECT_STREQ("0B", text_size(text, 0));
	EXPECT_STREQ("512M", text_size(text, 512 << 20));
	EXPECT_STREQ("1.5G", text_size(text, 3ULL << 29));
	EXPECT_STREQ("15.9E", text_size(text, UINT64_MAX));
	EXPECT_STREQ("0s", text_span(text, 0));
	EXPECT_STREQ("3min 5s", text_span(text, 185 * USEC_PER_SEC));
	EXPECT_STREQ("1d 0h", text_span(text, 86400 * USEC_PER_SEC));
}

static const struct stats *to_print;
static int nr_to_print;

static void print_prometheus(void)
{
	prometheus_print(to_print, nr_to_print);
}

/* What it prints; the caller frees it */
static char *printed(void (*print)(void))
{
	FILE *out = tmpfile();
	int before = dup(STDOUT_FILENO);
	char *text = calloc(1, 1 << 16);

	fflush(stdout);
	dup2(fileno(out), STDOUT_FILENO);
	print();
	fflush(stdout);
	dup2(before, STDOUT_FILENO);
	close(before);
	rewind(out);
	text[fread(text, 1, (1 << 16) - 1, out)] = '\0';
	fclose(out);
	return text;
}

static char *prometheus(const struct stats *all, int nr)
{
	to_print = all;
	nr_to_print = nr;
	return printed(print_prometheus);
}

static unsigned int count(const char *text, const char *word)
{
	unsigned int nr = 0;

	for (text = strstr(text, word); text; text = strstr(text + 1, word))
		nr++;
	return nr;
}

#define EXPECT_LINE(line, text) EXPECT_EQ(1, count(text, "\n" line "\n"))

/* "shared" of sysfs */
static const char *shared_text;
static bool shared_json, shared_legend;

static void print_shared(void)
{
	FILE *file = fmemopen((void *)shared_text, strlen(shared_text), "r");

	shared_print(file, shared_json, shared_legend);
	fclose(file);
}

static char *shared(const char *text, bool json, bool legend)
{
	shared_text = text;
	shared_json = json;
	shared_legend = legend;
	return printed(print_shared);
}

TEST(who_holds_what)
{
	static const char sysfs[] = "half 16777216 1048576\nhost 2 1 1048576 524288\nnonsense\nguest 16 3 12288 0\n";
	char *text = shared(sysfs, false, true);

	EXPECT_STREQ("Each side has 16M; the host's programs have objects of 1M.\n"
		     "LENDER  CHANNEL  GRANTS       LENT       HELD\n"
		     "host          2       1         1M       512K\n"
		     "guest        16       3        12K         0B\n", text);
	free(text);
	text = shared(sysfs, false, false);
	EXPECT_EQ(2, count(text, "\n"));
	free(text);
	text = shared(sysfs, true, true);
	EXPECT_EQ(2, count(text, "\"lender\""));
	EXPECT_EQ(1, count(text, "16777216"));
	free(text);
	text = shared(" ", false, true);
	EXPECT_EQ(1, count(text, "SharedMemory="));
	free(text);
}

TEST(prometheus_of_two_guests)
{
	struct stats *all = calloc(2, sizeof(*all));
	char *text;

	strcpy(all[0].guest.name, "web");
	strcpy(all[0].guest.state, "running");
	all[0].guest.memory = 1 << 30;
	all[0].guest.doorbells_sent = UINT64_MAX;
	all[0].nr_cpus = 2;
	all[0].uptime = 61 * USEC_PER_SEC + 5;
	all[0].nr_moved = 1;
	strcpy(all[0].moved[0].kind, "disk");
	strcpy(all[0].moved[0].name, "/srv/a\"b\\c\nd.img");
	all[0].moved[0].from = 7;
	strcpy(all[1].guest.name, "db");
	strcpy(all[1].guest.state, "panicked");
	all[1].sigmad = SIGMAD_GONE;

	text = prometheus(all, 2);
	EXPECT_LINE("sigma_guest_state{guest=\"web\",state=\"running\"} 1", text);
	EXPECT_LINE("sigma_guest_state{guest=\"web\",state=\"panicked\"} 0", text);
	EXPECT_LINE("sigma_guest_state{guest=\"db\",state=\"panicked\"} 1", text);
	EXPECT_LINE("sigma_guest_uptime_seconds{guest=\"web\"} 61.000005", text);
	EXPECT_LINE("sigma_guest_sigmad_up{guest=\"web\"} 1", text);
	EXPECT_LINE("sigma_guest_sigmad_up{guest=\"db\"} 0", text);
	EXPECT_LINE("sigma_guest_cpus{guest=\"web\"} 2", text);
	EXPECT_LINE("sigma_guest_memory_bytes{guest=\"web\"} 1073741824", text);
	EXPECT_LINE("sigma_guest_doorbells_sent_total{guest=\"web\"} 18446744073709551615", text);
	EXPECT_LINE("sigma_device_bytes_from_guest_total{guest=\"web\",kind=\"disk\",device=\"/srv/a\\\"b\\\\c\\nd.img\"} 7",
		    text);
	/* Each metric has one HELP and one TYPE line */
	EXPECT_EQ(1, count(text, "# TYPE sigma_guest_state gauge\n"));
	EXPECT_EQ(count(text, "# HELP "), count(text, "# TYPE "));
	free(text);
	free(all);
}

TEST(prometheus_of_none)
{
	char *text = prometheus(NULL, 0);

	EXPECT_EQ(0, count(text, "{"));
	EXPECT_TRUE(count(text, "# TYPE ") > 8);
	free(text);
}

/* A service whose stop timeout is short must not lose the kill that ends its guest */
TEST(kill_asks_the_service_manager_for_time)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char name[] = "no-guest-has-this-name", *args[] = { name, NULL };
	char folder[] = "/tmp/sigmactl-XXXXXX", message[128] = "";
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const struct options options = {};

	ASSERT_TRUE(mkdtemp(folder));
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/notify", folder);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	setenv("NOTIFY_SOCKET", addr.sun_path, 1);
	EXPECT_EQ(EXIT_NO_GUEST, verb_kill.run(&options, args));
	unsetenv("NOTIFY_SOCKET");
	EXPECT_TRUE(recv(fd, message, sizeof(message) - 1, 0) > 0);
	EXPECT_STREQ("EXTEND_TIMEOUT_USEC=300000000", message);
	close(fd);
	unlink(addr.sun_path);
	rmdir(folder);
}

TEST_HARNESS_MAIN
