// SPDX-License-Identifier: GPL-2.0
/* sigmactl run -- CMD: its options, and the guest file that is composed of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../ctl/ctl.h"
#include "../../ctl/run_command.h"
#include "capture.h"
#include "tap.h"

#define ARGS_MAX 16

static struct run_options options;
static const char *said;

/* Parse "run" and these words; getopt_long() changes their order */
static int parse(const char *const *words)
{
	static char copy[ARGS_MAX][128];
	static char *argv[ARGS_MAX + 2];
	int argc = 0, error;

	argv[argc++] = "run";
	for (; words[argc - 1]; argc++) {
		snprintf(copy[argc - 1], sizeof(copy[0]), "%s", words[argc - 1]);
		argv[argc] = copy[argc - 1];
	}
	argv[argc] = NULL;
	capture_start();
	error = run_options_parse(&options, argc, argv);
	said = capture_end();
	return error;
}

#define PARSE(...) parse((const char *const []){ __VA_ARGS__, NULL })

#define EXPECT_REFUSED(what, ...) do {		\
	EXPECT_EQ(-EINVAL, PARSE(__VA_ARGS__));	\
	EXPECT_SAID(what, said);		\
	run_options_free(&options);		\
} while (0)

TEST(defaults)
{
	ASSERT_EQ(0, PARSE("--", "ls", "-l", "--", "--cpus=2"));
	EXPECT_STREQ("ls", options.command[0]);
	EXPECT_STREQ("--", options.command[2]);
	EXPECT_STREQ("--cpus=2", options.command[3]);
	EXPECT_TRUE(!options.command[4] && !options.cpus && !options.name && !options.timeout);
	EXPECT_STREQ("/", options.root);
	EXPECT_EQ(ROOT_WRITES_YES, options.writes);
	EXPECT_EQ(RUN_NET_AUTO, options.net);
	run_options_free(&options);
}

TEST(all_options)
{
	ASSERT_EQ(0, PARSE("--cpus=cpu2,cpu3", "--memory", "2G", "--overlay", "--publish=8080:80",
			   "--publish=udp:127.0.0.1:53:53", "--share=/srv/a:/b", "--timeout=5",
			   "--keep", "--tmp-from-host", "--append=quiet x=1", "--", "true"));
	EXPECT_STREQ("2G", options.memory);
	EXPECT_EQ(ROOT_WRITES_OVERLAY, options.writes);
	ASSERT_EQ(2, options.nr_publish);
	EXPECT_STREQ("tcp:8080:80", options.publish[0]);
	EXPECT_STREQ("udp:127.0.0.1:53:53", options.publish[1]);
	ASSERT_EQ(1, options.nr_shares);
	EXPECT_STREQ("/srv/a", options.shares[0].path);
	EXPECT_STREQ("/b", options.shares[0].at);
	EXPECT_EQ(5 * USEC_PER_SEC, options.timeout);
	EXPECT_TRUE(options.keep && options.tmp_from_host && !options.verbose);
	run_options_free(&options);
	ASSERT_EQ(0, PARSE("--net=bridge=br0", "--", "true"));
	EXPECT_STREQ("br0", options.bridge);
	run_options_free(&options);
}

TEST(environment)
{
	static char *const of_image[] = { "PATH=/bin", "SIGMA_B=image", NULL };
	char **env;

	setenv("SIGMA_A", "here", 1);
	setenv("SIGMA_B", "b=c", 1);
	setenv("INVOCATION_ID", "manager", 1);
	unsetenv("SIGMA_NONE");
	ASSERT_EQ(0, PARSE("-E", "SIGMA_B", "--setenv=SIGMA_A=1", "--setenv", "SIGMA_NONE",
			   "-ESIGMA_A=", "--", "true"));
	ASSERT_EQ(2, options.nr_env);
	env = run_env_join(&options, of_image);
	ASSERT_TRUE(env);
	EXPECT_STREQ("SIGMA_B=b=c", env[0]);
	EXPECT_STREQ("SIGMA_A=", env[1]);
	EXPECT_STREQ("PATH=/bin", env[2]);
	EXPECT_TRUE(!env[3]);
	free(env);

	/* Each variable once, and what a service's manager has set not at all */
	env = run_env_join(&options, NULL);
	ASSERT_TRUE(env);
	EXPECT_STREQ("SIGMA_A=", env[1]);
	for (unsigned int i = 2; env[i]; i++)
		EXPECT_TRUE(strncmp(env[i], "SIGMA_", 6) && strncmp(env[i], "INVOCATION_ID=", 14));
	free(env);
	run_options_free(&options);

	/* But for who asks for it */
	ASSERT_EQ(0, PARSE("-EINVOCATION_ID", "--", "true"));
	env = run_env_join(&options, NULL);
	ASSERT_TRUE(env);
	EXPECT_STREQ("INVOCATION_ID=manager", env[0]);
	free(env);
	run_options_free(&options);
}

TEST(mistakes)
{
	EXPECT_REFUSED("no command behind --", "--");
	EXPECT_REFUSED("'web' is in front of --", "web", "--", "true");
	EXPECT_REFUSED("give one of them", "--read-only", "--overlay", "--", "true");
	EXPECT_REFUSED("give user, none, or bridge=NAME", "--net=x", "--", "true");
	EXPECT_REFUSED("give user, none, or bridge=NAME", "--net=bridge=", "--", "true");
	EXPECT_REFUSED("--publish needs --net=user", "--net=none", "--publish=1:2", "--", "true");
	EXPECT_REFUSED("--timeout=0:", "--timeout=0", "--", "true");
	EXPECT_REFUSED("--timeout=-1:", "--timeout=-1", "--", "true");
	EXPECT_REFUSED("cannot be the name", "--name=../x", "--", "true");
	EXPECT_REFUSED("give absolute paths", "--share=srv", "--", "true");
	EXPECT_REFUSED("give absolute paths", "--share=/a:/b:/c", "--", "true");
	EXPECT_REFUSED("give absolute paths", "--share=/a\"b", "--", "true");
	EXPECT_REFUSED("there is no name", "--setenv==x", "--", "true");
	EXPECT_REFUSED("there is no name", "-E", "", "--", "true");
	EXPECT_REFUSED("--cpus= is empty", "--cpus=", "--", "true");
}

/* No folder is made in the host's root for a share, but where the root is not the host's */
TEST(from_a_saved_guest)
{
	if (!geteuid()) {
		ASSERT_EQ(0, PARSE("--from=file", "--name=a", "--timeout=5", "--verbose", "--", "true"));
		EXPECT_STREQ("file", options.from);
		run_options_free(&options);
		EXPECT_REFUSED("as it was saved", "--from=file", "--cpus=2", "--", "true");
		EXPECT_REFUSED("as it was saved", "--from=file", "--read-only", "--", "true");
		EXPECT_REFUSED("as it was saved", "--from=file", "--net=none", "--", "true");
		EXPECT_REFUSED("as it was saved", "--from=file", "--keep", "--", "true");
	} else {
		EXPECT_REFUSED("only root", "--from=file", "--", "true");
	}
}

TEST(place_of_a_share)
{
	EXPECT_REFUSED("no folder /no/such", "--share=/srv:/no/such", "--", "true");
	EXPECT_REFUSED("no folder /etc/passwd", "--share=/srv:/etc/passwd", "--", "true");
	EXPECT_REFUSED("no folder /no/such", "--read-only", "--share=/srv:/no/such", "--", "true");
	EXPECT_REFUSED("no folder /tmp/../no", "--share=/srv:/tmp/../no", "--", "true");
	EXPECT_REFUSED("no folder /tmp/no", "--tmp-from-host", "--share=/srv:/tmp/no", "--", "true");
	EXPECT_EQ(0, PARSE("--share=/srv:/etc", "--share=/srv:/tmp/no", "--", "true"));
	EXPECT_EQ(0, PARSE("--share=/srv:/no/such", "--overlay", "--", "true"));
	EXPECT_EQ(0, PARSE("--share=/srv:/no/such", "--rootfs=/srv", "--", "true"));
	run_options_free(&options);
}

/* That of an image, perhaps */
TEST(no_command)
{
	EXPECT_EQ(0, PARSE("--rootfs=image", "--"));
	run_options_free(&options);
	EXPECT_REFUSED("no command behind --", "--rootfs=/", "--");
}

/* What would be other lines of the guest file, or a comment in it */
TEST(no_value_leaves_its_line)
{
	EXPECT_REFUSED("line break", "--append=a\nKernel=/x", "--", "true");
	EXPECT_REFUSED("line break", "--kernel=/x\r", "--", "true");
	EXPECT_REFUSED("a blank and a ';'", "--append=a ; b", "--", "true");
	EXPECT_REFUSED("line break", "--net=bridge=a\n[Disk]", "--", "true");
	EXPECT_REFUSED("line break", "--publish=1:2\n", "--", "true");
	EXPECT_REFUSED("line break", "--share=/a\n:/b", "--", "true");
}

TEST(guest_file)
{
	char *text;

	ASSERT_EQ(0, PARSE("--net=none", "--", "true"));
	text = run_guest_text(&options, 300ULL << 20);
	ASSERT_TRUE(text);
	EXPECT_STREQ("# made by 'sigmactl run'\n[Guest]\nMemory=300M\nRoot=/\nRootWrites=yes\n"
		     "VSock=yes\nCommandLine=quiet cryptomgr.notests=1 sigma.run\n", text);
	free(text);
	run_options_free(&options);

	ASSERT_EQ(0, PARSE("--cpus=2", "--memory=2G", "--guard=full", "--net=user", "--keep",
			   "--publish=80:81", "--share=/srv/a b", "--append=x", "--read-only",
			   "--tmp-from-host", "--", "true"));
	text = run_guest_text(&options, 300ULL << 20);
	ASSERT_TRUE(text);
	EXPECT_STREQ("# made by 'sigmactl run'\n[Guest]\nCPUs=2\nMemory=2G\nGuard=full\nRoot=/\n"
		     "RootWrites=no\nVSock=yes\nCommandLine=quiet cryptomgr.notests=1 sigma.run=keep sigma.net=dhcp "
		     "sigma.tmp=host \"sigma.share=run-0:/srv/a b\" x\n[Network]\nUser=yes\n"
		     "Forward=tcp:80:81\n[Share]\nPath=/srv/a b\nTag=run-0\n", text);
	free(text);
	run_options_free(&options);
}

TEST(profile_and_cache)
{
	char *text;

	ASSERT_EQ(0, PARSE("--net=none", "--profile=jvm", "--unchanging", "--share=/srv", "--", "true"));
	text = run_guest_text(&options, 300ULL << 20);
	ASSERT_TRUE(text);
	EXPECT_SAID("\nProfile=jvm\nRoot=/\nRootCache=always\n", text);
	EXPECT_SAID("Tag=run-0\nCache=always\n", text);
	free(text);
	run_options_free(&options);

	/* A path in the guest file is absolute */
	ASSERT_EQ(0, PARSE("--net=none", "--profile=../etc/passwd", "--", "true"));
	if (chdir("/usr"))
		TAP_FAIL("no /usr");
	text = run_guest_text(&options, 300ULL << 20);
	ASSERT_TRUE(text);
	EXPECT_SAID("\nProfile=/etc/passwd\n", text);
	free(text);
	run_options_free(&options);
	/* A root that is unpacked is the guest's alone */
	ASSERT_EQ(0, PARSE("--net=none", "--share=/srv", "--cache=list", "--", "true"));
	EXPECT_STREQ("list", options.cache);
	options.unpacked = true;
	text = run_guest_text(&options, 300ULL << 20);
	ASSERT_TRUE(text);
	EXPECT_SAID("\nRootCache=always\n", text);
	EXPECT_TRUE(!strstr(text, "\nCache=always\n"));
	free(text);
	run_options_free(&options);
	EXPECT_REFUSED("--profile= is empty", "--profile=", "--", "true");
}

TEST(memory_by_default)
{
	uint64_t memory = run_guest_memory();

	EXPECT_TRUE(memory >= 256ULL << 20 && memory <= 1024ULL << 20);
	EXPECT_EQ(0, memory % (2 << 20));
}

TEST_HARNESS_MAIN
