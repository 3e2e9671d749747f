// SPDX-License-Identifier: GPL-2.0
/* OCI images, good, damaged and hostile. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../ctl/image.h"
#include "../../ctl/in_root.h"
#include "capture.h"
#include "scratch-folder.h"
#include "tap.h"

#define TEXT_SIZE	4096
#define CONFIG		"{\"architecture\": \"amd64\", \"os\": \"linux\", \"config\": {\"User\": \"7:8\"," \
			" \"WorkingDir\": \"/srv\", \"Env\": [\"PATH=/bin\", \"A=b c\"]," \
			" \"Entrypoint\": [\"/bin/sh\", \"-c\"], \"Cmd\": [\"true\"]}}"

static struct image image;
static const char *said;

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	fputs(text, file);
	fclose(file);
}

/* Move a file to where its digest says, "sha256:HEX" */
static void move_blob(const char *path, char digest[128])
{
	char command[256], to[256];
	FILE *pipe;

	snprintf(command, sizeof(command), "sha256sum %s", path);
	pipe = popen(command, "r");
	strcpy(digest, "sha256:");
	if (fscanf(pipe, "%64s", digest + 7) != 1)
		TAP_FAIL("no sha256sum");
	pclose(pipe);
	snprintf(to, sizeof(to), "layout/blobs/sha256/%s", digest + 7);
	EXPECT_EQ(0, rename(path, to));
}

static void put_blob(const char *text, char digest[128])
{
	put("blob", text);
	move_blob("blob", digest);
}

static void put_layer(const char *name, char digest[128])
{
	struct archive *out = archive_write_new();
	struct archive_entry *entry = archive_entry_new();

	archive_write_set_format_pax_restricted(out);
	archive_write_add_filter_gzip(out);
	archive_write_open_filename(out, "blob");
	archive_entry_set_pathname(entry, name);
	archive_entry_set_mode(entry, S_IFREG | 0644);
	archive_entry_set_uid(entry, getuid());
	archive_entry_set_gid(entry, getgid());
	archive_entry_set_size(entry, 0);
	archive_write_header(out, entry);
	archive_entry_free(entry);
	archive_write_free(out);
	move_blob("blob", digest);
}

/* A layout with an image of two layers; the manifest's digest */
static void make_layout(const char *config_text, char manifest[128])
{
	char lower[128], upper[128], config[128], text[TEXT_SIZE];
	int here = open(".", O_RDONLY | O_DIRECTORY);

	in_root_empty(here);
	close(here);
	mkdir("root", 0755);
	mkdir("layout", 0755);
	mkdir("layout/blobs", 0755);
	mkdir("layout/blobs/sha256", 0755);
	put("layout/oci-layout", "{\"imageLayoutVersion\": \"1.0.0\"}");
	put_layer("lower", lower);
	put_layer(".wh.lower", upper);
	put_blob(config_text, config);
	snprintf(text, sizeof(text), "{\"config\": {\"digest\": \"%s\"}, \"layers\": [{\"digest\": \"%s\"}, {\"digest\": \"%s\"}]}",
		 config, lower, upper);
	put_blob(text, manifest);
}

/* Index entries are written as in printf(), with the digest */
static void put_index(const char *entries, const char *digest)
{
	char list[TEXT_SIZE / 2], text[TEXT_SIZE];

	snprintf(list, sizeof(list), entries, digest, digest, digest);
	snprintf(text, sizeof(text), "{\"manifests\": [%s]}", list);
	put("layout/index.json", text);
}

static int take(const char *tag)
{
	struct unpack_report report = { .entries_max = 100, .bytes_max = 1 << 20 };
	int layout = open("layout", O_RDONLY | O_DIRECTORY), root = open("root", O_RDONLY | O_DIRECTORY);
	int error;

	capture_start();
	error = image_unpack(layout, "./layout", tag, root, &image, &report);
	said = capture_end();
	close(layout);
	close(root);
	return error;
}

#define EXPECT_DAMAGED(what) do {	\
	EXPECT_TRUE(take(NULL) < 0);	\
	EXPECT_SAID(what, said);	\
	image_free(&image);		\
} while (0)

TEST(a_good_image)
{
	char manifest[128];

	make_layout(CONFIG, manifest);
	put_index("{\"digest\": \"%s\"}", manifest);
	ASSERT_EQ(0, take(NULL));
	EXPECT_STREQ("/bin/sh", image.argv[0]);
	EXPECT_STREQ("-c", image.argv[1]);
	EXPECT_STREQ("true", image.argv[2]);
	EXPECT_TRUE(!image.argv[3] && !image.env[2]);
	EXPECT_STREQ("A=b c", image.env[1]);
	EXPECT_STREQ("7:8", image.user);
	EXPECT_STREQ("/srv", image.workdir);
	EXPECT_TRUE(access("root/lower", F_OK));
	image_free(&image);
}

TEST(a_bare_configuration)
{
	char manifest[128];

	make_layout("{}", manifest);
	put_index("{\"digest\": \"%s\"}", manifest);
	ASSERT_EQ(0, take(NULL));
	EXPECT_TRUE(!*image.argv && !*image.env && !image.user && !image.workdir);
	image_free(&image);
}

TEST(several_images)
{
	char manifest[128], index[128], text[TEXT_SIZE];

	make_layout(CONFIG, manifest);
	put_index("{\"digest\": \"%s\", \"annotations\": {\"org.opencontainers.image.ref.name\": \"one\"}},"
		  "{\"digest\": \"%s\", \"annotations\": {\"org.opencontainers.image.ref.name\": \"host/x:two\"}},"
		  "{\"digest\": \"%s\", \"platform\": {\"architecture\": \"arm64\", \"os\": \"linux\"}}", manifest);
	EXPECT_DAMAGED("has 2 images for this machine; give the tag of one, as in --rootfs=./layout:TAG: one host/x:two");
	EXPECT_EQ(0, take("two"));
	image_free(&image);
	EXPECT_EQ(0, take("one"));
	image_free(&image);
	EXPECT_EQ(-EINVAL, take("wo"));
	EXPECT_SAID("with the tag wo; it has: one", said);
	put_index("{\"digest\": \"%s\", \"platform\": {\"architecture\": \"arm64\"}}", manifest);
	EXPECT_DAMAGED("no image for linux/amd64");

	/* An index in the index */
	snprintf(text, sizeof(text), "{\"manifests\": [{\"digest\": \"%s\"}]}", manifest);
	put_blob(text, index);
	put_index("{\"digest\": \"%s\"}", index);
	EXPECT_EQ(0, take(NULL));
	image_free(&image);
}

TEST(damaged_images)
{
	char manifest[128], path[256], other[128];

	make_layout(CONFIG, manifest);
	put_index("{\"digest\": \"%s\"}", manifest);
	snprintf(path, sizeof(path), "layout/blobs/sha256/%s", manifest + 7);
	put(path, "{}");
	EXPECT_DAMAGED("is not what its digest says");
	unlink(path);
	EXPECT_DAMAGED("the image is not whole");
	mkdir(path, 0755);
	EXPECT_DAMAGED("no file; the image is damaged");
	rmdir(path);
	mkfifo(path, 0600);
	EXPECT_DAMAGED("no file; the image is damaged");
	unlink(path);
	/* Out of the layout */
	put("secret", "{}");
	ASSERT_EQ(0, symlink("../../../secret", path));
	EXPECT_DAMAGED("the image is not whole");

	put_index("{\"digest\": \"sha256:../../../secret\"}%.0s", manifest);
	EXPECT_DAMAGED("no digest by sha256 or sha512");
	put_index("{\"digest\": \"md5:0\"}%.0s", manifest);
	EXPECT_DAMAGED("no digest");
	put_index("{\"digest\": 7}%.0s", manifest);
	EXPECT_DAMAGED("no digest");
	put_index("7, null, [], {\"platform\": 1}%.0s", manifest);
	EXPECT_DAMAGED("images for this machine");
	put("layout/index.json", "{\"manifests\": [");
	EXPECT_DAMAGED("no JSON object");
	put("layout/index.json", "[]");
	EXPECT_DAMAGED("no JSON object");
	put("layout/index.json", "{}");
	EXPECT_DAMAGED("no digest");
	put_blob("{\"layers\": [{\"digest\": \"sha256:x\"}], \"config\": []}", other);
	put_index("{\"digest\": \"%s\"}", other);
	EXPECT_DAMAGED("no digest");
}

TEST(bad_configurations)
{
	static const char *const texts[] = {
		"{\"config\": {\"Env\": [\"PATH\"]}}", "{\"config\": {\"Env\": [\"=x\"]}}",
		"{\"config\": {\"Env\": [7]}}", "{\"config\": {\"Cmd\": [null]}}",
		"{\"config\": {\"WorkingDir\": \"srv\"}}",
	};
	char manifest[128];

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		make_layout(texts[i], manifest);
		put_index("{\"digest\": \"%s\"}", manifest);
		EXPECT_DAMAGED("its configuration is not as it should be");
	}
	make_layout("{\"architecture\": \"arm64\"}", manifest);
	put_index("{\"digest\": \"%s\"}", manifest);
	EXPECT_DAMAGED("is an image for arm64");
}

TEST_HARNESS_MAIN
