// SPDX-License-Identifier: GPL-2.0
/* Lists of page caches, as people may have edited them; and what the agent makes of them. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/cachelist.h"
#include "../../ctl/cache.h"
#include "../../guest/agent/agent.h"
#include "capture.h"
#include "scratch-file.h"
#include "tap.h"

#define PAGE	4096UL
#define PAGES	64

SCRATCH_FILE(path, "/var/tmp/sigma-cache-XXXXXX");
static const char *said;

static int open_text(const char *text)
{
	FILE *file = fopen(path, "w");
	int fd;

	fputs(text, file);
	fclose(file);
	capture_start();
	fd = cache_open(path);
	said = capture_end();
	return fd;
}

TEST(a_good_list)
{
	char text[64] = "";
	int fd = open_text("sigma-cache 1\n0-3,7 /a\\040b\n0 /a\n");

	ASSERT_TRUE(fd >= 0);
	EXPECT_EQ(33, read(fd, text, sizeof(text)));
	close(fd);
	fd = open_text("sigma-cache 1\n");
	EXPECT_TRUE(fd >= 0);
	close(fd);
}

#define EXPECT_REFUSED(what, text) do {		\
	EXPECT_TRUE(open_text(text) < 0);	\
	EXPECT_SAID(what, said);		\
} while (0)

TEST(mistakes)
{
	static char text[CACHELIST_LINE_MAX + 64];

	EXPECT_REFUSED("no list of 'sigmactl cache save'", "");
	EXPECT_REFUSED("no list of 'sigmactl cache save'", "sigma-cache\n");
	EXPECT_REFUSED("no list of 'sigmactl cache save'", "0 /a\n");
	EXPECT_REFUSED("of a newer SIGMA", "sigma-cache 2\n");
	EXPECT_REFUSED(":3: not as it should be", "sigma-cache 1\n0 /a\n0-x /b\n");
	EXPECT_REFUSED(":2: not", "sigma-cache 1\n3-2 /a\n");
	EXPECT_REFUSED(":2: not", "sigma-cache 1\n1,1 /a\n");
	EXPECT_REFUSED(":2: not", "sigma-cache 1\n1, /a\n");
	EXPECT_REFUSED(":2: not", "sigma-cache 1\n1 a\n");
	EXPECT_REFUSED(":2: not", "sigma-cache 1\n1 /a b\n");
	EXPECT_REFUSED(":2: not", "sigma-cache 1\n1 /a\\9\n");
	EXPECT_REFUSED(":2: not", "sigma-cache 1\n281474976710656 /a\n");
	EXPECT_REFUSED(":2: not", "sigma-cache 1\n-1 /a\n");
	EXPECT_REFUSED(":2: not", "sigma-cache 1\n1 /a");
	strcpy(text, "sigma-cache 1\n1 /");
	memset(text + strlen(text), 'a', CACHELIST_LINE_MAX);
	EXPECT_REFUSED(":2: not", text);
	capture_start();
	EXPECT_EQ(-ENOENT, cache_open("/no/such"));
	EXPECT_SAID("'sigmactl cache save' makes such a list", capture_end());
	capture_start();
	EXPECT_EQ(-EINVAL, cache_open("/dev/null"));
	EXPECT_SAID("no file", capture_end());
}

/* Pages of the file that are in memory */
static unsigned int resident(int fd, bool is[PAGES])
{
	unsigned char cached[PAGES] = {};
	void *map = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	unsigned int nr = 0;

	mincore(map, PAGES * PAGE, cached);
	munmap(map, PAGES * PAGE);
	for (unsigned int i = 0; i < PAGES; i++) {
		is[i] = cached[i] & 1;
		nr += is[i];
	}
	return nr;
}

/* Only pages 3, 4 and 20 are there. False: this file system does not do so */
static bool prepare(int fd)
{
	bool is[PAGES];
	char page[PAGE];

	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (resident(fd, is))
		return false;
	return pread(fd, page, PAGE, 3 * PAGE) == PAGE && pread(fd, page, PAGE, 4 * PAGE) == PAGE &&
	       pread(fd, page, PAGE, 20 * PAGE) == PAGE && resident(fd, is) == 3;
}

/* The agent in a process of its own, with these streams; its exit status */
static int agent(int (*what)(char *const *trees), char *const *trees, const char *in,
		 const char *out)
{
	pid_t pid = fork();
	int how;

	if (!pid) {
		if (!freopen(in, "r", stdin) || !freopen(out, "w", stdout) ||
		    !freopen("/dev/null", "w", stderr))
			_exit(2);
		how = what(trees);
		fflush(NULL);
		_exit(how);
	}
	waitpid(pid, &how, 0);
	return WIFEXITED(how) ? WEXITSTATUS(how) : -1;
}

static int load(char *const *trees)
{
	return cache_load_list();
}

TEST(what_is_saved_is_loaded)
{
	/* Not in /tmp, since what is in memory anyway is left out */
	char folder[] = "/var/tmp/sigma-tree-XXXXXX", file[64], list[64], whole[PATH_MAX], text[PATH_MAX + 64];
	char *trees[] = { whole, NULL };
	bool is[PAGES];
	FILE *f;
	int fd;

	ASSERT_TRUE(mkdtemp(folder) && realpath(folder, whole));
	snprintf(file, sizeof(file), "%s/a b", folder);
	snprintf(list, sizeof(list), "%s.list", folder);
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_TRUE(fd >= 0 && !posix_fallocate(fd, 0, PAGES * PAGE) && !fsync(fd));
	if (!prepare(fd))
		SKIP(goto remove, "this file system keeps or drops other pages than those asked for");
	EXPECT_EQ(0, agent(cache_save, trees, "/dev/null", list));
	f = fopen(list, "r");
	EXPECT_TRUE(fgets(text, sizeof(text), f) && !strcmp(text, "sigma-cache 1\n"));
	if (!fgets(text, sizeof(text), f)) {
		fclose(f);
		SKIP(goto remove, "this file system is in memory");
	}
	EXPECT_TRUE(!strncmp(text, "3-4,20 /", 8) && strstr(text, "/a\\040b\n"));
	fclose(f);

	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	EXPECT_EQ(0, resident(fd, is));
	EXPECT_EQ(0, agent(load, NULL, list, "/dev/null"));
	resident(fd, is);
	EXPECT_TRUE(is[3] && is[4] && is[20]);

	/* What is not there any more is left out, and a damaged list is refused */
	f = fopen(list, "w");
	fputs("sigma-cache 1\n0-9 /no/such\n0-99999999 /etc/passwd\n7 /etc\n", f);
	fclose(f);
	EXPECT_EQ(0, agent(load, NULL, list, "/dev/null"));
	f = fopen(list, "w");
	fputs("sigma-cache 1\n9-0 /etc/passwd\n", f);
	fclose(f);
	EXPECT_EQ(EXIT_FAILURE, agent(load, NULL, list, "/dev/null"));
remove:
	close(fd);
	unlink(file);
	unlink(list);
	rmdir(folder);
}

TEST_HARNESS_MAIN
