// SPDX-License-Identifier: GPL-2.0
/*
 * Roots of runs: what is unpacked, and that it is removed again. In a mount namespace of its own, so that
 * the machine's /var/lib stays as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../ctl/run_root.h"
#include "capture.h"
#include "tap.h"

static struct run_root root;
static const char *said;
static bool is_root;

/* A root, an image whose program is /bin/true, and archives of both */
static const char script[] =
	"set -e; mount -t tmpfs tmpfs /var/lib; mkdir /var/lib/test; cd /var/lib/test\n"
	"mkdir -p tree/bin; echo program >tree/bin/true; tar -czf root.tar.gz -C tree .\n"
	"mkdir -p image/blobs/sha256; echo '{}' >image/oci-layout\n"
	"put() { sum=$(sha256sum <$1 | cut -d ' ' -f 1); mv $1 image/blobs/sha256/$sum; }\n"
	"cp root.tar.gz layer; put layer; layer=$sum\n"
	"echo '{\"config\": {\"Cmd\": [\"/bin/true\"], \"WorkingDir\": \"/new/folder\"}}' >config; put config\n"
	"echo \"{\\\"config\\\": {\\\"digest\\\": \\\"sha256:$sum\\\"},\n"
	"	\\\"layers\\\": [{\\\"digest\\\": \\\"sha256:$layer\\\"}]}\" >manifest; put manifest\n"
	"echo \"{\\\"manifests\\\": [{\\\"digest\\\": \\\"sha256:$sum\\\", \\\"annotations\\\":\n"
	"	{\\\"org.opencontainers.image.ref.name\\\": \\\"new\\\"}}]}\" >image/index.json\n"
	"tar -cf image.tar -C image .\n"
	"mkdir docker; echo '[]' >docker/manifest.json; tar -cf docker.tar -C docker .\n";

static void __attribute__((constructor)) make_place(void)
{
	is_root = !geteuid() && !unshare(CLONE_NEWNS) &&
		  !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	if (is_root && (system(script) || chdir("/var/lib/test"))) {
		fputs("cannot make the test's files\n", stderr);
		exit(EXIT_FAILURE);
	}
}

#define NEED_ROOT() do {						\
	if (!is_root)							\
		SKIP(return, "only root unpacks, in a mount namespace of its own");	\
} while (0)

static int open_root(const char *what)
{
	int error;

	capture_start();
	error = run_root_open(&root, what, "unit");
	said = capture_end();
	return error;
}

static bool has(const char *path)
{
	char whole[2 * PATH_MAX];

	snprintf(whole, sizeof(whole), "%s/%s", root.path, path);
	return !access(whole, F_OK);
}

TEST(a_folder_is_used_as_it_is)
{
	NEED_ROOT();
	ASSERT_EQ(0, open_root("./tree"));
	EXPECT_STREQ("./tree", root.path);
	EXPECT_FALSE(root.has_image);
	run_root_close(&root, false);
	EXPECT_FALSE(access("tree", F_OK));
}

TEST(an_archive)
{
	struct stat st;

	NEED_ROOT();
	ASSERT_EQ(0, open_root("root.tar.gz"));
	EXPECT_STREQ(RUN_ROOTS "/unit/root", root.path);
	EXPECT_TRUE(has("bin/true") && has("proc") && has("dev") && !root.has_image);
	/* Nobody else gets in */
	ASSERT_EQ(0, stat(RUN_ROOTS, &st));
	EXPECT_EQ(0700, st.st_mode & 07777);
	run_root_close(&root, false);
	EXPECT_TRUE(access(RUN_ROOTS "/unit", F_OK));
}

TEST(an_image)
{
	static const char *const given[] = { "image", "image:new", "image.tar", "image.tar:new" };

	NEED_ROOT();
	for (size_t i = 0; i < sizeof(given) / sizeof(*given); i++) {
		ASSERT_EQ(0, open_root(given[i]));
		EXPECT_TRUE(has("bin/true") && has("new/folder") && root.has_image);
		EXPECT_STREQ("/bin/true", root.image.argv[0]);
		EXPECT_TRUE(access(RUN_ROOTS "/unit/layout", F_OK));
		run_root_close(&root, false);
		EXPECT_TRUE(access(RUN_ROOTS "/unit", F_OK));
	}
	EXPECT_FALSE(access("image/index.json", F_OK));
}

TEST(what_cannot_be_a_root)
{
	static const char *const given[][2] = {
		{ "none", "No such file or directory; give a folder, a tar archive, or an OCI image" },
		{ "none:tag", "No such file or directory" },
		{ "/dev/null", "neither a folder nor a file" },
		{ "image/index.json", "no tar archive" },
		{ "image:old", "with the tag old; it has: new" },
		{ "tree:tag", "is no image, so it has no tag" },
		{ "root.tar.gz:tag", "is no image, so it has no tag tag" },
		{ "docker.tar", "skopeo copy docker-archive:docker.tar" },
	};

	NEED_ROOT();
	for (size_t i = 0; i < sizeof(given) / sizeof(*given); i++) {
		EXPECT_TRUE(open_root(given[i][0]) < 0);
		EXPECT_SAID(given[i][1], said);
		EXPECT_TRUE(access(RUN_ROOTS "/unit", F_OK));
	}
}

/* One that was killed has no lock any more, and its guest is gone soon */
TEST(what_is_left_is_removed)
{
	int fd;

	NEED_ROOT();
	ASSERT_EQ(0, open_root("root.tar.gz"));
	run_root_remove_left();
	EXPECT_TRUE(has("bin/true"));
	run_root_close(&root, true);
	EXPECT_TRUE(has("bin/true"));
	fd = open(RUN_ROOTS "/unit", O_RDONLY | O_DIRECTORY);
	ASSERT_EQ(0, flock(fd, LOCK_EX));
	run_root_remove_left();
	EXPECT_TRUE(has("bin/true"));
	close(fd);
	run_root_remove_left();
	EXPECT_FALSE(has("bin/true"));
}

TEST_HARNESS_MAIN
