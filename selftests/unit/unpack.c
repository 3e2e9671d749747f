// SPDX-License-Identifier: GPL-2.0
/*
 * What is made of archives, and of hostile ones: nothing outside of the root changes. Owners can only
 * be given by root.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../../ctl/in_root.h"
#include "../../ctl/unpack.h"
#include "capture.h"
#include "scratch-folder.h"
#include "tap.h"

static struct unpack_report report;
static struct archive *out;
static const char *said;
static int fd, root = -1;

/* For the names in archives that the test writes */
static void __attribute__((constructor)) choose_charset(void)
{
	if (!setlocale(LC_CTYPE, "C.UTF-8")) {
		perror("C.UTF-8");
		exit(EXIT_FAILURE);
	}
}

/* An empty root, beside a file that must stay as it is */
static void begin(void)
{
	int here = open(".", O_RDONLY | O_DIRECTORY);
	FILE *file;

	ASSERT_EQ(0, in_root_empty(here));
	close(here);
	file = fopen("outside", "w");
	fputs("safe", file);
	fclose(file);
	ASSERT_EQ(0, mkdir("root", 0755));
	if (root >= 0)
		close(root);
	root = open("root", O_RDONLY | O_DIRECTORY);
	report = (struct unpack_report) { .entries_max = 100, .bytes_max = 1 << 20 };
}

static bool is_safe(void)
{
	char text[8] = "";
	struct stat st;
	int file = open("outside", O_RDONLY | O_NOFOLLOW);
	bool safe = file >= 0 && read(file, text, sizeof(text)) == 4 && !strcmp(text, "safe") &&
		    !fstat(file, &st) && st.st_nlink == 1;

	if (file >= 0)
		close(file);
	return safe && access("evil", F_OK) && access("/tmp/evil", F_OK);
}

static void open_archive(int filter)
{
	FILE *file = tmpfile();

	fd = dup(fileno(file));
	fclose(file);
	out = archive_write_new();
	archive_write_set_format_pax_restricted(out);
	archive_write_add_filter(out, filter);
	archive_write_open_fd(out, fd);
}

enum link { NO_LINK, SYMBOLIC, HARD };

static void add(const char *path, mode_t mode, enum link link, const char *target)
{
	struct archive_entry *entry = archive_entry_new();
	const bool data = S_ISREG(mode) && !link;

	archive_entry_set_pathname(entry, path);
	archive_entry_set_mode(entry, mode);
	archive_entry_set_mtime(entry, 1000000000, 0);
	archive_entry_set_uid(entry, getuid());
	archive_entry_set_gid(entry, getgid());
	archive_entry_set_size(entry, data ? 4 : 0);
	if (link == HARD)
		archive_entry_set_hardlink(entry, target);
	else if (link)
		archive_entry_set_symlink(entry, target);
	if (S_ISREG(mode) && !link)
		archive_entry_xattr_add_entry(entry, "user.note", "x", 1);
	EXPECT_EQ(ARCHIVE_OK, archive_write_header(out, entry));
	if (data)
		EXPECT_EQ(4, archive_write_data(out, target ?: "evil", 4));
	archive_entry_free(entry);
}

#define FILE_AT(path)		add(path, S_IFREG | 0644, NO_LINK, NULL)
#define FOLDER_AT(path)		add(path, S_IFDIR | 0755, NO_LINK, NULL)
#define LINK_AT(path, to)	add(path, S_IFLNK | 0777, SYMBOLIC, to)
#define HARD_AT(path, to)	add(path, S_IFREG | 0644, HARD, to)

static int close_archive(bool layer)
{
	int error;

	archive_write_free(out);
	capture_start();
	error = unpack(root, fd, "test.tar", layer, &report);
	said = capture_end();
	close(fd);
	return error;
}

static bool exists(const char *path)
{
	struct stat st;

	return !fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW);
}

TEST(a_good_archive)
{
	const int filters[] = { ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD,
				ARCHIVE_FILTER_XZ };
	struct stat st;
	char note[4];

	for (size_t i = 0; i < sizeof(filters) / sizeof(*filters); i++) {
		begin();
		open_archive(filters[i]);
		add("./", S_IFDIR | 0711, NO_LINK, NULL);
		FOLDER_AT("./usr/lib");
		LINK_AT("lib", "usr/lib");
		add("lib/tool", S_IFREG | 04755, NO_LINK, "text");
		HARD_AT("usr/other", "./lib/tool");
		add("deep/in/there", S_IFIFO | 0620, NO_LINK, NULL);
		FILE_AT("Stra\xc3\x9f" "e");
		add("tty", S_IFCHR | 0620, NO_LINK, NULL);
		EXPECT_EQ(0, close_archive(false));
		EXPECT_EQ(1, report.devices);
		EXPECT_FALSE(exists("tty"));
		ASSERT_EQ(0, fstat(root, &st));
		EXPECT_EQ(0711, st.st_mode & 07777);
		ASSERT_EQ(0, fstatat(root, "usr/lib/tool", &st, 0));
		EXPECT_EQ(04755, st.st_mode & 07777);
		EXPECT_EQ(2, st.st_nlink);
		EXPECT_EQ(4, st.st_size);
		EXPECT_EQ(1000000000, st.st_mtime);
		ASSERT_EQ(0, fstatat(root, "deep/in/there", &st, AT_SYMLINK_NOFOLLOW));
		EXPECT_TRUE(S_ISFIFO(st.st_mode) && (st.st_mode & 07777) == 0620);
		EXPECT_TRUE(exists("Stra\xc3\x9f" "e"));
	}
	if (getxattr("root/usr/lib/tool", "user.note", note, sizeof(note)) < 0)
		EXPECT_EQ(EOPNOTSUPP, errno);
	else
		EXPECT_EQ('x', note[0]);
}

TEST(no_dots)
{
	static const char *const paths[] = { "../evil", "a/../../evil", "/../evil", "./.././evil" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		begin();
		open_archive(ARCHIVE_FILTER_NONE);
		FILE_AT(paths[i]);
		EXPECT_EQ(-EINVAL, close_archive(false));
		EXPECT_SAID("may lead out of the root", said);
		EXPECT_TRUE(is_safe());
	}
	/* From the top on is in the root */
	begin();
	open_archive(ARCHIVE_FILTER_NONE);
	FILE_AT("/tmp/evil");
	EXPECT_EQ(0, close_archive(false));
	EXPECT_TRUE(exists("tmp/evil") && is_safe());
}

TEST(no_links_out)
{
	char absolute[128];

	snprintf(absolute, sizeof(absolute), "%s", folder);
	begin();
	open_archive(ARCHIVE_FILTER_NONE);
	LINK_AT("up", "..");
	LINK_AT("far", absolute);
	LINK_AT("file", "../outside");
	FILE_AT("up/evil");
	FILE_AT("file");		/* in place of the link */
	EXPECT_EQ(0, close_archive(false));
	EXPECT_TRUE(exists("evil") && is_safe());

	/* The folder is not there in this root */
	begin();
	open_archive(ARCHIVE_FILTER_NONE);
	LINK_AT("far", absolute);
	FILE_AT("far/evil");
	EXPECT_TRUE(close_archive(false) < 0);
	EXPECT_TRUE(is_safe());
	begin();
	open_archive(ARCHIVE_FILTER_NONE);
	LINK_AT("loop", "loop");
	FILE_AT("loop/evil");
	EXPECT_EQ(-ELOOP, close_archive(false));
}

TEST(no_hard_links_out)
{
	static const char *const targets[] = { "../outside", "up/outside", "/etc/passwd", "" };

	for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
		begin();
		open_archive(ARCHIVE_FILTER_NONE);
		LINK_AT("up", "..");
		HARD_AT("hard", *targets[i] ? targets[i] : "hard");
		add("hard/evil", S_IFREG | 0644, NO_LINK, NULL);
		EXPECT_TRUE(close_archive(false) < 0);
		EXPECT_TRUE(is_safe());
	}
	/* One to a link is the link, and what is written to its name takes its place */
	begin();
	open_archive(ARCHIVE_FILTER_NONE);
	LINK_AT("to", "../outside");
	HARD_AT("hard", "to");
	FILE_AT("hard");
	EXPECT_EQ(0, close_archive(false));
	EXPECT_TRUE(is_safe());
}

TEST(the_root_stays_a_folder)
{
	begin();
	open_archive(ARCHIVE_FILTER_NONE);
	LINK_AT("./", "/");
	EXPECT_TRUE(close_archive(false) < 0);
	begin();
	open_archive(ARCHIVE_FILTER_NONE);
	add(".", S_IFREG | 0644, NO_LINK, NULL);
	EXPECT_TRUE(close_archive(false) < 0);
	EXPECT_TRUE(is_safe());
}

TEST(files_take_each_others_place)
{
	struct stat st;

	begin();
	open_archive(ARCHIVE_FILTER_NONE);
	FILE_AT("a/b/c");
	FILE_AT("a/b");			/* a file for a folder */
	FILE_AT("d");
	FILE_AT("d/e");			/* and the other way round: it has no place */
	EXPECT_EQ(-ENOTDIR, close_archive(false));
	ASSERT_EQ(0, fstatat(root, "a/b", &st, AT_SYMLINK_NOFOLLOW));
	EXPECT_TRUE(S_ISREG(st.st_mode));

	begin();
	open_archive(ARCHIVE_FILTER_NONE);
	FOLDER_AT("real");
	LINK_AT("folder", "real");
	FOLDER_AT("folder");		/* takes the link's place */
	FILE_AT("folder/x");
	EXPECT_EQ(0, close_archive(false));
	EXPECT_TRUE(exists("folder/x") && !exists("real/x"));
}

/* layer.md of the OCI image specification */
TEST(whiteouts)
{
	begin();
	open_archive(ARCHIVE_FILTER_NONE);
	FILE_AT("a/lower");
	FILE_AT("a/gone");
	FILE_AT("b/lower");
	FILE_AT("tree/x/y");
	LINK_AT("up", "..");
	EXPECT_EQ(0, close_archive(true));

	/* They are about what is below, wherever they stand */
	open_archive(ARCHIVE_FILTER_GZIP);
	FILE_AT("a/.wh.gone");
	FILE_AT("b/upper");
	FILE_AT("b/.wh..wh..opq");
	FILE_AT("again");
	FILE_AT(".wh.again");
	FILE_AT(".wh.tree");
	FILE_AT("none/.wh.x");
	FILE_AT(".wh..wh.plnk");
	EXPECT_EQ(0, close_archive(true));
	EXPECT_TRUE(exists("a/lower") && !exists("a/gone") && !exists("b/lower"));
	EXPECT_TRUE(exists("b/upper") && exists("again") && !exists("tree") && !exists("none"));
	EXPECT_FALSE(exists("a/.wh.gone"));
	EXPECT_FALSE(exists(".wh..wh.plnk"));

	/* In an archive that is no layer they are files */
	open_archive(ARCHIVE_FILTER_NONE);
	FILE_AT("a/.wh.lower");
	EXPECT_EQ(0, close_archive(false));
	EXPECT_TRUE(exists("a/lower") && exists("a/.wh.lower"));
}

TEST(hostile_whiteouts)
{
	static const char *const paths[] = { ".wh...", ".wh..", ".wh.", "a/.wh..." };

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		begin();
		mkdirat(root, "a", 0755);
		open_archive(ARCHIVE_FILTER_NONE);
		FILE_AT(paths[i]);
		EXPECT_EQ(-EINVAL, close_archive(true));
		EXPECT_TRUE(is_safe() && exists("a"));
	}
	/* Through a link they are in the root, too */
	begin();
	ASSERT_EQ(0, symlinkat("..", root, "up"));
	open_archive(ARCHIVE_FILTER_NONE);
	FILE_AT("up/.wh.outside");
	EXPECT_EQ(0, close_archive(true));
	EXPECT_TRUE(is_safe());
	begin();
	ASSERT_EQ(0, symlinkat("..", root, "up"));
	open_archive(ARCHIVE_FILTER_NONE);
	FILE_AT("up/.wh..wh..opq");
	EXPECT_EQ(0, close_archive(true));
	EXPECT_TRUE(is_safe() && !exists("up"));
}

TEST(what_is_no_archive)
{
	static const char *const texts[] = { "no archive", "\x1f\x8b\x08", "PK\x03\x04" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		begin();
		open_archive(ARCHIVE_FILTER_NONE);
		EXPECT_EQ((ssize_t)strlen(texts[i]), write(fd, texts[i], strlen(texts[i])));
		capture_start();
		EXPECT_TRUE(unpack(root, fd, "test.tar", false, &report) < 0);
		EXPECT_SAID("test.tar: no tar archive", capture_end());
		archive_write_free(out);
		close(fd);
	}
	/* Cut off */
	begin();
	open_archive(ARCHIVE_FILTER_NONE);
	FILE_AT("a");
	archive_write_close(out);
	EXPECT_EQ(0, ftruncate(fd, 1536 + 2));
	EXPECT_TRUE(close_archive(false) < 0);
}

/* As "umoci insert" makes layers; and one whose last file is not whole */
TEST(layers_without_an_end)
{
	for (int i = 0; i < 2; i++) {
		begin();
		open_archive(ARCHIVE_FILTER_NONE);
		FILE_AT("a");
		archive_write_close(out);
		/* Headers of the attributes and of the file, and the attributes */
		EXPECT_EQ(0, ftruncate(fd, 3 * 512 + 4 - i));
		EXPECT_EQ(i ? -EBADMSG : 0, close_archive(true));
		begin();
		open_archive(ARCHIVE_FILTER_NONE);
		FILE_AT("a");
		archive_write_close(out);
		EXPECT_EQ(0, ftruncate(fd, 3 * 512 + 4 - i));
		EXPECT_EQ(-EBADMSG, close_archive(false));
	}
}

TEST(too_many_entries)
{
	begin();
	report.entries_max = 3;
	open_archive(ARCHIVE_FILTER_GZIP);
	FILE_AT("a");
	LINK_AT("b", "a");
	HARD_AT("c", "a");
	FILE_AT("d");
	EXPECT_EQ(-EOVERFLOW, close_archive(false));
	EXPECT_SAID("test.tar: d: the root has more than 3 files", said);
	EXPECT_SAID("unpack it into a folder yourself", said);
	EXPECT_TRUE(exists("c") && !exists("d"));

	/* Folders that have no entry count, and so do other archives of the same root */
	begin();
	report.entries_max = 5;
	open_archive(ARCHIVE_FILTER_NONE);
	FILE_AT("x/y/z");
	EXPECT_EQ(0, close_archive(true));
	open_archive(ARCHIVE_FILTER_NONE);
	FILE_AT("d/e/f/g/h");
	EXPECT_EQ(-EOVERFLOW, close_archive(true));
	EXPECT_FALSE(exists("d"));
}

/*
 * A file of zeros, which compresses well. With @pieces it is sparse, as tar(1) writes it: a hole takes
 * nothing, and each piece of one byte takes a block
 */
static void add_zeros(const char *path, size_t size, unsigned int pieces)
{
	struct archive_entry *entry = archive_entry_new();
	char *zeros = calloc(1, size);

	archive_entry_set_pathname(entry, path);
	archive_entry_set_mode(entry, S_IFREG | 0644);
	archive_entry_set_uid(entry, getuid());
	archive_entry_set_gid(entry, getgid());
	archive_entry_set_size(entry, size);
	for (unsigned int i = 0; i < pieces; i++)
		archive_entry_sparse_add_entry(entry, (off_t)i * (size / pieces), 1);
	EXPECT_EQ(ARCHIVE_OK, archive_write_header(out, entry));
	EXPECT_EQ((la_ssize_t)size, archive_write_data(out, zeros, size));
	archive_entry_free(entry);
	free(zeros);
}

TEST(too_many_bytes)
{
	struct stat st;

	begin();
	open_archive(ARCHIVE_FILTER_GZIP);
	add_zeros("bomb", 64 << 20, 0);
	EXPECT_EQ(-EOVERFLOW, close_archive(false));
	EXPECT_SAID("test.tar: bomb: the root is larger than 1 MiB", said);
	EXPECT_SAID("make room there, or if you trust it", said);
	ASSERT_EQ(0, fstatat(root, "bomb", &st, 0));
	EXPECT_TRUE(st.st_size <= 1 << 20);

	begin();
	for (int i = 0; i < 2; i++) {
		open_archive(ARCHIVE_FILTER_GZIP);
		add_zeros(i ? "b" : "a", 600 << 10, 0);
		EXPECT_EQ(i ? -EOVERFLOW : 0, close_archive(true));
	}
}

TEST(sparse_files)
{
	struct stat st;

	begin();
	open_archive(ARCHIVE_FILTER_GZIP);
	add_zeros("sparse", 16 << 20, 4);
	EXPECT_EQ(0, close_archive(false));
	ASSERT_EQ(0, fstatat(root, "sparse", &st, 0));
	EXPECT_EQ(16 << 20, st.st_size);
	EXPECT_TRUE(st.st_blocks * 512 < 1 << 20);

	begin();
	open_archive(ARCHIVE_FILTER_GZIP);
	add_zeros("sparse", 16 << 20, 1000);
	EXPECT_EQ(-EOVERFLOW, close_archive(false));
	EXPECT_SAID("sparse: the root is larger than 1 MiB", said);
}

TEST(limits_of_this_disk)
{
	begin();
	report = (struct unpack_report) {};
	EXPECT_EQ(0, unpack_limit(&report, root));
	EXPECT_TRUE(report.bytes_max > 0 && report.bytes_max <= UNPACK_BYTES_MAX);
	EXPECT_TRUE(report.entries_max > 0 && report.entries_max <= UNPACK_ENTRIES_MAX);
	capture_start();
	EXPECT_EQ(-EBADF, unpack_limit(&report, -1));
	EXPECT_SAID("cannot see what is free", capture_end());
}

TEST_HARNESS_MAIN
