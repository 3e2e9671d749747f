// SPDX-License-Identifier: GPL-2.0
/* What sigmactl cp makes of a tar stream, of its own or of a hostile guest. */
#include <stdlib.h>

#include "../../ctl/cp.c"

#include "tap.h"

static char folder[] = "/tmp/sigma-cp-XXXXXX";

/* An empty folder with "in", the working directory, where copies go */
static void begin(void)
{
	char command[128];

	ASSERT_EQ(0, library_load(LIBARCHIVE, library_functions));
	if (!strstr(folder, "XXXXXX")) {
		snprintf(command, sizeof(command), "rm -rf %s/*", folder);
		ASSERT_EQ(0, system(command));
	} else {
		ASSERT_TRUE(mkdtemp(folder));
	}
	ASSERT_EQ(0, chdir(folder));
	ASSERT_EQ(0, mkdir("in", 0755));
	ASSERT_EQ(0, chdir("in"));
}

/* One entry of a stream; @target: of a link */
static void add(struct archive *out, const char *path, mode_t mode, const char *target, bool hard)
{
	struct archive_entry *entry = archive_entry_new();
	bool data = S_ISREG(mode) && !target;

	archive_entry_set_pathname(entry, path);
	archive_entry_set_mode(entry, mode);
	archive_entry_set_size(entry, data ? 4 : 0);
	if (target && hard)
		archive_entry_set_hardlink(entry, target);
	else if (target)
		archive_entry_set_symlink(entry, target);
	EXPECT_EQ(ARCHIVE_OK, archive_write_header(out, entry));
	if (data)
		EXPECT_EQ(4, archive_write_data(out, "evil", 4));
	archive_entry_free(entry);
}

static struct archive *open_stream(int *fd)
{
	struct archive *out = archive_write_new();
	FILE *file = tmpfile();

	*fd = dup(fileno(file));
	fclose(file);
	archive_write_set_format_pax_restricted(out);
	archive_write_open_fd(out, *fd);
	return out;
}

/* What take_all() says of the stream */
static int close_stream(struct archive *out, int fd)
{
	int error;

	archive_write_free(out);
	lseek(fd, 0, SEEK_SET);
	error = take_all(fd, "asked", "copy");
	close(fd);
	return error;
}

/* Of a stream with one entry */
static int take_one(const char *path, mode_t mode, const char *target, bool hard)
{
	struct archive *out;
	int fd;

	begin();
	out = open_stream(&fd);
	add(out, path, mode, target, hard);
	return close_stream(out, fd);
}

static bool exists(const char *path)
{
	struct stat st;

	return !lstat(path, &st);
}

TEST(only_what_was_asked_for)
{
	EXPECT_EQ(0, take_one("asked", S_IFREG | 0644, NULL, false));
	EXPECT_TRUE(exists("copy"));
	EXPECT_EQ(0, take_one("./asked", S_IFREG | 0644, NULL, false));
	EXPECT_EQ(-EPROTO, take_one("other", S_IFREG | 0644, NULL, false));
	EXPECT_EQ(-EPROTO, take_one("asked2", S_IFREG | 0644, NULL, false));
	EXPECT_EQ(-EPROTO, take_one("../asked", S_IFREG | 0644, NULL, false));
	EXPECT_EQ(-EPROTO, take_one("/asked", S_IFREG | 0644, NULL, false));
	EXPECT_EQ(-EPROTO, take_one("asked", S_IFREG | 0644, "/etc/passwd", true));
	EXPECT_EQ(-EIO, take_one("asked/../../out", S_IFREG | 0644, NULL, false));
	EXPECT_FALSE(exists("../out"));
}

TEST(nothing_with_more_rights)
{
	struct stat st;

	EXPECT_EQ(0, take_one("asked", S_IFREG | 06755, NULL, false));
	EXPECT_EQ(0, stat("copy", &st));
	EXPECT_EQ(0755, st.st_mode & 07777);
	EXPECT_EQ(0, take_one("asked", S_IFCHR | 0666, NULL, false));
	EXPECT_FALSE(exists("copy"));
	EXPECT_EQ(0, take_one("asked", S_IFIFO | 0666, NULL, false));
	EXPECT_FALSE(exists("copy"));
}

TEST(not_through_a_link)
{
	struct archive *out;
	int fd;

	begin();
	out = open_stream(&fd);
	add(out, "asked", S_IFDIR | 0755, NULL, false);
	add(out, "asked/link", S_IFLNK | 0777, "../..", false);
	add(out, "asked/link/out", S_IFREG | 0644, NULL, false);
	/* A folder takes the link's place */
	EXPECT_EQ(0, close_stream(out, fd));
	EXPECT_FALSE(exists("../out"));
	EXPECT_TRUE(exists("copy/link/out"));
}

TEST(no_archive)
{
	int fd;

	begin();
	fd = open("/dev/urandom", O_RDONLY);
	EXPECT_EQ(-EIO, take_all(fd, "asked", "copy"));
	close(fd);
	/* tar has failed, and says why itself */
	fd = open("/dev/null", O_RDONLY);
	EXPECT_EQ(0, take_all(fd, "asked", "copy"));
	close(fd);
}

TEST(there_and_back)
{
	FILE *file = tmpfile();
	struct stat st;
	int fd = dup(fileno(file));

	fclose(file);
	begin();
	ASSERT_EQ(0, system("mkdir -p ../from/sub && echo a >../from/sub/file && "
			    "ln ../from/sub/file ../from/again && ln -s nowhere ../from/link && "
			    "chmod 640 ../from/sub/file && chmod 711 ../from/sub && mkfifo ../from/fifo"));
	EXPECT_EQ(0, send_all(fd, "../from", "asked"));
	lseek(fd, 0, SEEK_SET);
	EXPECT_EQ(0, take_all(fd, "asked", "copy"));
	close(fd);
	EXPECT_EQ(0, system("rm ../from/fifo && diff -r --no-dereference ../from copy"));
	EXPECT_EQ(0, stat("copy/sub", &st));
	EXPECT_EQ(0711, st.st_mode & 07777);
	EXPECT_EQ(0, stat("copy/sub/file", &st));
	EXPECT_EQ(0640, st.st_mode & 07777);
}

TEST(names)
{
	struct place place;
	char into[PATH_MAX], as[PATH_MAX];

	parse(&place, "web:/etc");
	EXPECT_STREQ("web", place.name);
	EXPECT_STREQ("/etc", place.path);
	parse(&place, "web:");
	EXPECT_STREQ(".", place.path);
	parse(&place, "./web:/etc");
	EXPECT_STREQ("", place.name);
	choose_target("/srv", true, "site", into, as);
	EXPECT_STREQ("/srv", into);
	EXPECT_STREQ("site", as);
	choose_target("/srv/new", false, "site", into, as);
	EXPECT_STREQ("/srv", into);
	EXPECT_STREQ("new", as);
	EXPECT_EQ(0, chdir("/"));
	snprintf(into, sizeof(into), "rm -rf %s", folder);
	EXPECT_EQ(0, system(into));
}

TEST_HARNESS_MAIN
