// SPDX-License-Identifier: GPL-2.0
/* sigmactl agent install, into a root file system whose links lead out of it. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "../../ctl/ctl.h"
#include "tap.h"

static char folder[] = "/tmp/sigma-agent-XXXXXX";

static int install(const char *root)
{
	char *args[] = { "install", (char *)root, NULL };

	return verb_agent.run(NULL, args);
}

static bool shell(const char *script)
{
	return !system(script);
}

TEST(begin)
{
	ASSERT_TRUE(mkdtemp(folder));
	ASSERT_EQ(0, chdir(folder));
	ASSERT_TRUE(shell("mkdir -p host/lib/sigma host/lib/systemd/system root/etc out &&"
			  "echo program >host/lib/sigma/sigma-agent &&"
			  "echo unit >host/lib/systemd/system/sigma-agent.service"));
	setenv("SIGMA_LIBDIR", "host/lib/sigma", 1);
}

TEST(into_an_empty_root)
{
	EXPECT_EQ(EXIT_OK, install("root"));
	EXPECT_TRUE(shell("grep -q program root" SIGMA_LIBDIR "/sigma-agent"));
	EXPECT_TRUE(shell("[ \"$(stat -c %a root" SIGMA_LIBDIR "/sigma-agent)\" = 755 ]"));
	EXPECT_TRUE(shell("cd root/etc/systemd/system && grep -q unit sigma-agent.service &&"
			  "[ \"$(readlink multi-user.target.wants/sigma-agent.service)\" ="
			  "  /etc/systemd/system/sigma-agent.service ]"));
}

TEST(again)
{
	ASSERT_TRUE(shell("echo newer >host/lib/sigma/sigma-agent"));
	EXPECT_EQ(EXIT_OK, install("root"));
	EXPECT_TRUE(shell("grep -q newer root" SIGMA_LIBDIR "/sigma-agent"));
}

TEST(links_stay_in_the_root)
{
	ASSERT_TRUE(shell("rm -r root/etc/* root/usr && mkdir root/sys && ln -s ../../out root/etc/systemd &&"
			  "mkdir root/out && ln -s \"$PWD/out\" root/usr"));
	EXPECT_EQ(EXIT_FAILED, install("root"));
	EXPECT_TRUE(shell("[ -z \"$(ls out)\" ]"));
	ASSERT_TRUE(shell("rm root/usr"));
	EXPECT_EQ(EXIT_OK, install("root"));
	EXPECT_TRUE(shell("[ -z \"$(ls out)\" ] && [ -f root/out/system/sigma-agent.service ]"));
}

TEST(what_is_missing)
{
	EXPECT_EQ(EXIT_FAILED, install("no-such"));
	ASSERT_TRUE(shell("rm host/lib/sigma/sigma-agent"));
	EXPECT_EQ(EXIT_FAILED, install("root"));
	EXPECT_TRUE(chdir("/") == 0);
	setenv("FOLDER", folder, 1);
	EXPECT_TRUE(shell("rm -r \"$FOLDER\""));
}

TEST_HARNESS_MAIN
