// SPDX-License-Identifier: GPL-2.0
/* Waiting for what a guest file names: it comes, it does not, and sigmad is to end meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "../../daemon/late.h"
#include "capture.h"
#include "tap.h"

#define LONG_USEC	1000000000ULL

static char dir[] = "/tmp/sigma-unit-XXXXXX";
static struct guest_config config;
static unsigned int waited;
static const char *said;

static void __attribute__((constructor)) make_file(void)
{
	FILE *file;

	if (!mkdtemp(dir) || chdir(dir) || !(file = fopen("web.guest", "w"))) {
		perror(dir);
		exit(EXIT_FAILURE);
	}
	fprintf(file, "[Guest]\nKernel=%s/vmlinuz\n", dir);
	fclose(file);
}

static void __attribute__((destructor)) remove_files(void)
{
	unlink("vmlinuz");
	unlink("web.guest");
	rmdir(dir);
}

static void comes(const char *what)
{
	waited++;
	close(creat("vmlinuz", 0600));
}

static void does_not_come(const char *what)
{
	waited++;
}

static void ends(const char *what)
{
	waited++;
	kill(getpid(), SIGTERM);
}

static int load(struct late *late, uint64_t usec)
{
	int error;

	unlink("vmlinuz");
	waited = 0;
	late_begin(late, usec);
	capture_start();
	error = late_load(late, &config, "./web.guest");
	said = capture_end();
	return error;
}

TEST(it_comes)
{
	struct late late = { .waits = comes };

	ASSERT_EQ(0, load(&late, LONG_USEC));
	EXPECT_EQ(1, waited);
	EXPECT_FALSE(late.over);
	EXPECT_SAID("waiting for Kernel=/tmp/sigma-unit-", said);
	EXPECT_SAID("/vmlinuz (./web.guest:2), which is not there yet", said);
	guestfile_free(&config);
}

TEST(it_does_not_come)
{
	struct late late = { .waits = does_not_come };

	EXPECT_EQ(-ENOENT, load(&late, 1));
	EXPECT_TRUE(late.over && !late.ended);
	EXPECT_SAID("web.guest:2: Kernel=", said);
}

TEST(nobody_waits)
{
	struct late late = { .waits = does_not_come };

	EXPECT_EQ(-ENOENT, load(&late, 0));
	EXPECT_EQ(0, waited);
	EXPECT_FALSE(late.waited);
	EXPECT_FALSE(strstr(said, "waiting"));
}

TEST(sigmad_is_to_end)
{
	struct late late = { .waits = ends };

	EXPECT_EQ(-EINTR, load(&late, UINT64_MAX));
	EXPECT_TRUE(late.ended && !late.over);
}

TEST_HARNESS_MAIN
