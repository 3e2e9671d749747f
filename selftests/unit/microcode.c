// SPDX-License-Identifier: GPL-2.0
/* What 'sigmactl check' says of CPUs with different microcode. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../ctl/ctl.h"
#include "capture.h"
#include "tap.h"

static char dir[] = "/tmp/sigma-microcode-XXXXXX";

static void __attribute__((constructor)) make_dir(void)
{
	if (!mkdtemp(dir) || chdir(dir) || mkdir("web", 0700) || mkdir("db", 0700)) {
		perror(dir);
		exit(EXIT_FAILURE);
	}
}

static void __attribute__((destructor)) remove_dir(void)
{
	static const char *const files[] = { "cpuinfo", "web/microcode", "db/microcode" };

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		unlink(files[i]);
	rmdir("web");
	rmdir("db");
	rmdir(dir);
}

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	if (!file || fputs(text, file) < 0 || fclose(file))
		abort();
}

/* What is said of a host with two CPUs of these revisions, and of two guests with these */
static const char *says(const char *first, const char *second, const char *web, const char *db)
{
	static char said[4096];
	int copy = dup(STDOUT_FILENO), file = memfd_create("stdout", MFD_CLOEXEC);
	char text[256];
	ssize_t len;

	snprintf(text, sizeof(text), "processor\t: 0\nmicrocode\t: %s\nflags\t: fpu\n\nprocessor\t: 1\nmicrocode\t: %s\n",
		 first, second);
	put("cpuinfo", text);
	put("web/microcode", web);
	put("db/microcode", db);
	fflush(stdout);
	dup2(file, STDOUT_FILENO);
	microcode_check("cpuinfo", "*/microcode");
	fflush(stdout);
	dup2(copy, STDOUT_FILENO);
	close(copy);
	len = pread(file, said, sizeof(said) - 1, 0);
	said[len < 0 ? 0 : len] = '\0';
	close(file);
	return said;
}

TEST(all_have_the_same)
{
	EXPECT_STREQ("", says("0xf0", "0xf0", "0xf0\n", "0xf0\n"));
	/* A hypervisor may show none, and an older sigma.ko has no such file */
	EXPECT_STREQ("", says("0x0", "0x0", "0x0\n", "0x0\n"));
	EXPECT_STREQ("", says("0xf0", "0xf0", "0x0\n", ""));
}

TEST(loaded_while_a_guest_runs)
{
	const char *said = says("0xf4", "0xf4", "0xf0\n", "0xf4\n");

	EXPECT_SAID("a CPU of guest web has revision 0xf0, and the host 0xf4", said);
	EXPECT_SAID("-> stop the guest and start it", said);
	EXPECT_TRUE(!strstr(said, "guest db"));
}

TEST(not_on_all_of_the_host)
{
	const char *said = says("0xf4", "0xf0", "0xf4\n", "0xf4\n");

	EXPECT_SAID("CPUs of the host have different revisions, 0xf0 to 0xf4", said);
	EXPECT_TRUE(!strstr(said, "guest"));
}

TEST_HARNESS_MAIN
