// SPDX-License-Identifier: GPL-2.0
/* Profiles: what is read from good ones, the messages about bad ones, and those of SIGMA themselves. */
#include <errno.h>
#include <unistd.h>

#include "../../common/profile.h"
#include "capture.h"
#include "scratch-file.h"
#include "tap.h"

SCRATCH_FILE(path, "/tmp/sigma-profile-XXXXXX");
static struct guest_profile profile;
static const char *said;

/* Read a profile with this text; capture the messages */
static int load(const char *text)
{
	FILE *file = fopen(path, "w");
	char why[512];
	int error;

	fputs(text, file);
	fclose(file);
	capture_start();
	error = profile_load(&profile, path, why, sizeof(why));
	said = capture_end();
	return error;
}

#define EXPECT_WORDS(expected, text) do {	\
	ASSERT_EQ(0, load(text));		\
	EXPECT_STREQ(expected, profile.words);	\
	profile_free(&profile);			\
} while (0)

/* A bad one is refused with a message that has the line and @what */
#define EXPECT_WRONG(text, line, what) do {				\
	EXPECT_EQ(-EINVAL, load(text));					\
	EXPECT_SAID(":" #line ": ", said);				\
	EXPECT_SAID(path, said);					\
	EXPECT_SAID(what, said);					\
} while (0)

TEST(settings_become_words)
{
	EXPECT_WORDS("", "# nothing\n\n[Kernel]\n");
	EXPECT_WORDS(" a=1 \"b=2 3\" c", "[Kernel]\nCommandLine=a=1 \"b=2 3\"\nCommandLine=c ; why\n");
	EXPECT_WORDS(" nohz=off mitigations=off", "[Kernel]\nTick=periodic\nMitigations=off\n");
	EXPECT_WORDS(" transparent_hugepage=madvise", "[Memory]\nTransparentHugePages=madvise\n");
	EXPECT_WORDS(" sigma.readahead=1024", "[Share]\nReadAhead=1M\n");
	EXPECT_WORDS(" sysctl.vm.swappiness=1 \"sysctl.net.ipv4.tcp_rmem=1 2 3\"",
		     "[Sysctl]\nvm.swappiness=1\nnet.ipv4.tcp_rmem = 1 2 3\n");
}

TEST(settings_that_need_the_guest)
{
	ASSERT_EQ(0, load("[Profile]\nSummary=for a test\n[Kernel]\nTick=full\n"
			  "[Memory]\nHugePageSize=1G\nHugePages=50%\n[Share]\nCache=always\n"));
	EXPECT_STREQ("for a test", profile.summary);
	EXPECT_TRUE(profile.full_tick && profile.huge_1g && !profile.huge_pages);
	EXPECT_EQ(50, profile.huge_percent);
	EXPECT_EQ(CACHE_ALWAYS, profile.cache);
	EXPECT_STREQ(" nohz=on", profile.words);
	profile_free(&profile);
	ASSERT_EQ(0, load("[Memory]\nHugePages=7\n"));
	EXPECT_EQ(7, profile.huge_pages);
	profile_free(&profile);
}

TEST(mistakes)
{
	EXPECT_WRONG("[Kernel]\nTick=no\n", 2, "none of full, idle and periodic");
	EXPECT_WRONG("[Kernel]\n\nMitigation=off\n", 3, "no setting of [Kernel]; it has CommandLine= Tick=");
	EXPECT_WRONG("[Memory]\nTick=full\n", 2, "no setting of [Memory]");
	EXPECT_WRONG("[Net]\nx=1\n", 1, "[Net]: no section of a profile");
	EXPECT_WRONG("Tick=full\n", 1, "in no section");
	EXPECT_WRONG("[Kernel]\nTick=full\nTick=idle\n", 3, "a second time");
	EXPECT_WRONG("[Kernel]\nnothing\n", 2, "neither [Section] nor Key=value");
	EXPECT_WRONG("[Memory]\nHugePages=0\n", 2, "HugePages=0: ");
	EXPECT_WRONG("[Memory]\nHugePages=91%\n", 2, "1% to 90%");
	EXPECT_WRONG("[Memory]\nHugePages=-1\n", 2, "HugePages=-1");
	EXPECT_WRONG("[Memory]\nHugePages=1%%\n", 2, "HugePages=1%%");
	EXPECT_WRONG("[Memory]\nHugePageSize=4K\nHugePages=1\n", 2, "none of 2M and 1G");
	EXPECT_WRONG("[Memory]\nHugePageSize=1G\n", 2, "without HugePages=");
	EXPECT_WRONG("[Share]\nCache=maybe\n", 2, "none of auto, always and never");
	EXPECT_WRONG("[Share]\nReadAhead=1\n", 2, "a multiple of 4K, up to 16M");
	EXPECT_WRONG("[Share]\nReadAhead=32M\n", 2, "a multiple of 4K");
	EXPECT_WRONG("[Share]\nReadAhead=1Mx\n", 2, "a multiple of 4K");
	EXPECT_WRONG("[Sysctl]\nswappiness=1\n", 2, "no name of a sysctl");
	EXPECT_WRONG("[Sysctl]\nvm.swap piness=1\n", 2, "no name of a sysctl");
	EXPECT_WRONG("[Sysctl]\nvm.swappiness=\n", 2, "no value of a sysctl");
	EXPECT_EQ(-EINVAL, load("[Kernel]\nTick=x\n[Memory]\nHugePages=x\n"));
	EXPECT_SAID(":2: ", said);
	EXPECT_SAID(":4: ", said);
}

/* What follows a profile on the command line is what protects the machine */
TEST(no_setting_leaves_its_word)
{
	EXPECT_WRONG("[Kernel]\nCommandLine=a -- b\n", 2, "a word --");
	EXPECT_WRONG("[Kernel]\nCommandLine=--\n", 2, "a word --");
	EXPECT_WRONG("[Kernel]\nCommandLine=a\xa0-- b\n", 2, "a word --");
	EXPECT_WRONG("[Kernel]\nCommandLine=a \"--\" b\n", 2, "a word --");
	EXPECT_WRONG("[Kernel]\nCommandLine=a=\"b\n", 2, "not closed");
	EXPECT_WRONG("[Sysctl]\nkernel.x=a\"b\n", 2, "no value of a sysctl");
	EXPECT_WRONG("[Sysctl]\nkernel.x=-- a\n", 2, "no value of a sysctl");
	EXPECT_WRONG("[Sysctl]\nkernel.x=a\xa0--\n", 2, "no value of a sysctl");
	EXPECT_WORDS(" a--b --c", "[Kernel]\nCommandLine=a--b --c\n");
}

TEST(lines_that_are_too_long)
{
	char text[512];

	snprintf(text, sizeof(text), "# %0*d\n[Kernel]\nTick=full\n", 300, 0);
	EXPECT_WORDS(" nohz=on", text);
	snprintf(text, sizeof(text), "[Kernel]\nCommandLine=a=%0*d\nTick=x\n", 300, 0);
	EXPECT_WRONG(text, 2, "longer than");
	EXPECT_SAID(":3: Tick=x", said);
}

TEST(names)
{
	static const char *const bad[] = { "no-such", "../latency", ".", "", "a b" };
	char why[512];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_EQ(-ENOENT, profile_load(&profile, bad[i], why, sizeof(why)));
		EXPECT_SAID(PROFILES_SHIPPED, why);
	}
}

/* What is no text is no profile, and nothing of it is taken */
TEST(what_is_no_text)
{
	char why[512], large[4096];
	FILE *file = fopen(path, "w");

	fwrite("[Kernel]\n\0Tick=x\n", 1, 18, file);
	fclose(file);
	capture_start();
	EXPECT_EQ(-EINVAL, profile_load(&profile, path, why, sizeof(why)));
	EXPECT_SAID("no text of at most 65536 bytes", capture_end());
	memset(large, '#', sizeof(large));
	file = fopen(path, "w");
	for (size_t at = 0; at <= PROFILE_MAX; at += sizeof(large))
		fwrite(large, 1, sizeof(large), file);
	fclose(file);
	capture_start();
	EXPECT_EQ(-EINVAL, profile_load(&profile, path, why, sizeof(why)));
	EXPECT_SAID("no text of at most 65536 bytes", capture_end());
	EXPECT_WORDS("", "");
}

/* In the sources, since they need not be installed */
TEST(those_of_sigma)
{
	static const char *const names[] = { "latency", "throughput", "jvm", "database", "hpc" };
	char file[PATH_MAX], why[512];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(file, sizeof(file), SOURCES "/profiles/%s.conf", names[i]);
		ASSERT_EQ(0, profile_load(&profile, file, why, sizeof(why)));
		EXPECT_TRUE(profile.summary && *profile.words && profile.cache == CACHE_DEFAULT);
		profile_free(&profile);
	}
}

TEST_HARNESS_MAIN
