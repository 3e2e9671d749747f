// SPDX-License-Identifier: GPL-2.0
/* The initrd that sigmad makes, read back with libarchive. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "../../daemon/load/load.h"
#include "capture.h"
#include "moduletree.h"
#include "tap.h"

static char dir[] = "/tmp/sigma-unit-XXXXXX";
static char tree[128];
static bool have_tree;
static struct initrd initrd;

static char names[1024];		/* of all entries, one per line */
static char order[1024];		/* modules.load */
static char xfs[256], btrfs[256];	/* modules.xfs, modules.btrfs */
static char network[256];
static char init[64];
static mode_t init_mode;
static dev_t console;

static void __attribute__((constructor)) make_tree(void)
{
	if (!mkdtemp(dir)) {
		perror(dir);
		exit(EXIT_FAILURE);
	}
	have_tree = moduletree_make(dir, TREE_VERSION);
	snprintf(tree, sizeof(tree), "%s/sigma", dir);
	setenv("SIGMA_LIBDIR", tree, 1);
	snprintf(tree, sizeof(tree), "%s/lib/modules/" TREE_VERSION, dir);
}

static void __attribute__((destructor)) remove_tree(void)
{
	moduletree_remove(dir);
}

static void list(const uint8_t *data, size_t size)
{
	struct archive *in = archive_read_new();
	struct archive_entry *entry;

	names[0] = init[0] = '\0';
	memset(order, 0, sizeof(order));
	memset(xfs, 0, sizeof(xfs));
	memset(btrfs, 0, sizeof(btrfs));
	memset(network, 0, sizeof(network));
	archive_read_support_format_cpio(in);
	archive_read_open_memory(in, data, size);
	while (archive_read_next_header(in, &entry) == ARCHIVE_OK) {
		const char *name = archive_entry_pathname(entry);

		strcat(strcat(names, name), "\n");
		if (!strcmp(name, "modules.load"))
			archive_read_data(in, order, sizeof(order) - 1);
		if (!strcmp(name, "modules.xfs"))
			archive_read_data(in, xfs, sizeof(xfs) - 1);
		if (!strcmp(name, "modules.btrfs"))
			archive_read_data(in, btrfs, sizeof(btrfs) - 1);
		if (!strcmp(name, "network"))
			archive_read_data(in, network, sizeof(network) - 1);
		if (!strcmp(name, "init")) {
			archive_read_data(in, init, sizeof(init) - 1);
			init_mode = archive_entry_mode(entry);
		}
		if (!strcmp(name, "dev/console"))
			console = archive_entry_rdev(entry);
		if (strstr(name, "virtio_blk")) {
			char elf[4] = "";

			archive_read_data(in, elf, sizeof(elf));
			EXPECT_EQ(0, memcmp(elf, "\x7f" "ELF", 4));
		}
	}
	archive_read_free(in);
}

/* The module's place in the load order, counted from 1; 0: it is not there */
static size_t place_of(const char *module)
{
	char line[64];
	const char *at;

	snprintf(line, sizeof(line), "/modules/%s.ko\n", module);
	at = strstr(order, line);
	return at ? at - order + 1 : 0;
}

#define NEED_TREE() do {						\
	if (!have_tree)							\
		SKIP(return, "cc, xz or depmod is missing");		\
} while (0)

TEST(without_a_user_initrd)
{
	NEED_TREE();
	ASSERT_EQ(0, initrd_build(&initrd, TREE_VERSION, tree, NULL, "", true, ""));
	list(initrd.data, initrd.size);
	initrd_free(&initrd);

	EXPECT_STREQ("I am init\n", init);
	EXPECT_EQ(S_IFREG | 0755, init_mode);
	EXPECT_EQ(makedev(5, 1), console);
	EXPECT_TRUE(strstr(names, "proc\n") && strstr(names, "sys\n"));
	EXPECT_TRUE(strstr(names, "newroot\n") && strstr(names, "modules/virtio.ko\n"));
	/* The module is built in */
	EXPECT_EQ(0, place_of("virtio_rng"));
	EXPECT_FALSE(strstr(names, "virtio_rng"));
}

TEST(addresses)
{
	static char keys[] = "";	/* the NIC is there */
	static struct guest_config config = {
		.nr_nets = 3,
		.net = {
			{ .keys = keys },
			{
				.keys = keys, .mac = { 0x52, 0x54, 0, 1, 2, 0xab },
				.guest_address = {
					.nr = 2, .at = {
						{ .text = "10.0.0.2", .prefix = 24 },
						{ .text = "fd00::2", .prefix = 64 },
					},
				},
				.gateway = { .nr = 1, .at = { { .text = "10.0.0.1" } } },
				.dns = { .nr = 1, .at = { { .text = "fd00::53" } } },
			},
			{ .guest_address = { .nr = 1, .at = { { .text = "10.9.0.2", .prefix = 24 } } } },
		},
	};
	char *text = network_list(&config);

	EXPECT_STREQ("nic 52:54:00:01:02:ab\naddress 10.0.0.2/24\naddress fd00::2/64\n"
		     "gateway 10.0.0.1\ndns fd00::53\n", text);
	NEED_TREE();
	ASSERT_EQ(0, initrd_build(&initrd, TREE_VERSION, tree, NULL, "", true, text));
	list(initrd.data, initrd.size);
	initrd_free(&initrd);
	EXPECT_STREQ(text, network);
	free(text);
	config.nr_nets = 1;
	text = network_list(&config);
	EXPECT_STREQ("", text);
	ASSERT_EQ(0, initrd_build(&initrd, TREE_VERSION, tree, NULL, "", true, text));
	list(initrd.data, initrd.size);
	initrd_free(&initrd);
	free(text);
	EXPECT_FALSE(strstr(names, "network\n"));
}

TEST(load_order)
{
	NEED_TREE();
	ASSERT_EQ(0, initrd_build(&initrd, TREE_VERSION, tree, NULL, "", true, ""));
	list(initrd.data, initrd.size);
	initrd_free(&initrd);

	EXPECT_TRUE(place_of("virtio"));
	EXPECT_TRUE(place_of("virtio") < place_of("virtio_ring"));
	EXPECT_TRUE(place_of("virtio_ring") < place_of("virtio_blk"));
	EXPECT_TRUE(place_of("virtio_ring") < place_of("virtio_net"));
	EXPECT_TRUE(place_of("virtio_ring") < place_of("sigma_guest"));
	EXPECT_TRUE(place_of("crc32c_a") && place_of("crc32c_a") < place_of("ext4"));
}

/* Both need libcrc32c, and only one of them is loaded */
TEST(drivers_of_file_systems)
{
	const char *at;

	NEED_TREE();
	ASSERT_EQ(0, initrd_build(&initrd, TREE_VERSION, tree, NULL, "ext4,xfs,btrfs,none", true, ""));
	list(initrd.data, initrd.size);
	initrd_free(&initrd);

	EXPECT_STREQ("/modules/libcrc32c.ko\n/modules/xfs.ko\n", xfs);
	EXPECT_STREQ("/modules/libcrc32c.ko\n/modules/btrfs.ko\n", btrfs);
	EXPECT_TRUE(place_of("ext4"));
	EXPECT_EQ(0, place_of("xfs"));
	EXPECT_FALSE(strstr(names, "modules.ext4") || strstr(names, "modules.none"));
	at = strstr(names, "modules/libcrc32c.ko");
	ASSERT_TRUE(at);
	EXPECT_FALSE(strstr(at + 1, "modules/libcrc32c.ko"));

	ASSERT_EQ(0, initrd_build(&initrd, TREE_VERSION, tree, NULL, "", true, ""));
	list(initrd.data, initrd.size);
	initrd_free(&initrd);
	EXPECT_FALSE(strstr(names, "xfs") || strstr(names, "libcrc32c"));

	ASSERT_EQ(0, initrd_build(&initrd, TREE_VERSION, tree, NULL, "", false, ""));
	list(initrd.data, initrd.size);
	initrd_free(&initrd);
	EXPECT_FALSE(strstr(names, "ext4") || strstr(names, "crc32c_a"));
	EXPECT_TRUE(place_of("sigma_guest"));

	capture_start();
	EXPECT_EQ(-E2BIG, initrd_build(&initrd, TREE_VERSION, tree, NULL,
				       "a-type-with-a-name-of-more-than-31-letters", true, ""));
	EXPECT_SAID("rootfstype=: more than 7 types", capture_end());
}

/* A disk image with @mark at @offset, as the guest's first disk; then its types for root=@root */
static const char *types_of(long offset, const char *mark, const char *root, const char *fstype)
{
	static struct guest_config config;
	static char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/disk", dir);
	file = fopen(path, "w");
	if (!file || fseek(file, offset, SEEK_SET) || fputs(mark, file) < 0 || fclose(file))
		return "cannot write";
	config = (struct guest_config) { .nr_disks = 2, .disk = { { .path = path } } };
	return rootfs_types(&config, root, fstype);
}

TEST(types_from_disks)
{
	struct guest_config config = { .nr_disks = 1, .disk = { { .path = "/no/disk" } } };

	EXPECT_STREQ("", types_of(0x438, "\x53\xef", "/dev/vda", NULL));
	EXPECT_STREQ("xfs", types_of(0, "XFSB", "/dev/vda", NULL));
	EXPECT_STREQ("xfs", types_of(0, "XFSB", "UUID=1", NULL));
	EXPECT_STREQ("xfs", types_of(0, "XFSB", NULL, NULL));
	EXPECT_STREQ("", types_of(0, "XFSB", "/dev/vdb", NULL));
	EXPECT_STREQ("btrfs", types_of(0x10040, "_BHRfS_M", "/dev/vda", NULL));
	EXPECT_STREQ("", types_of(0x10040, "_BHRfS_", "/dev/vda", NULL));
	EXPECT_STREQ("xfs,btrfs", types_of(510, "\x55\xaa", "/dev/vda2", NULL));
	EXPECT_STREQ("f2fs", types_of(510, "\x55\xaa", "/dev/vda2", "f2fs"));
	EXPECT_STREQ("", rootfs_types(&config, NULL, NULL));
	config.disk[0] = (struct guest_disk) { .socket = "/no/socket" };
	EXPECT_STREQ("xfs,btrfs", rootfs_types(&config, NULL, NULL));
	config.initrd = "/boot/initrd.img";
	EXPECT_STREQ("", rootfs_types(&config, NULL, "xfs"));
}

TEST(guest_module_from_dkms)
{
	char path[256];
	int error;

	NEED_TREE();
	snprintf(path, sizeof(path), "%s/dkms/lib/modules/" TREE_VERSION, dir);
	setenv("SIGMA_LIBDIR", "/no/such/folder", 1);
	capture_start();
	/* Beside a user's initrd, sigmad adds nothing else from the tree */
	error = initrd_build(&initrd, TREE_VERSION, path, "/dev/null", "", true, "");
	EXPECT_STREQ("", capture_end());
	snprintf(path, sizeof(path), "%s/sigma", dir);
	setenv("SIGMA_LIBDIR", path, 1);
	ASSERT_EQ(0, error);
	list(initrd.data, initrd.size);
	initrd_free(&initrd);
	EXPECT_TRUE(place_of("virtio_ring") < place_of("sigma_guest"));
}

/* Beside a user's initrd, so no guest-init is needed. @folder: SIGMA_LIBDIR, below the usual one */
static int build_with(const char *folder, const char *modules)
{
	char path[256];
	int error;

	snprintf(path, sizeof(path), "%s/sigma/%s", dir, folder);
	setenv("SIGMA_LIBDIR", path, 1);
	capture_start();
	error = initrd_build(&initrd, TREE_VERSION, modules, "/dev/null", "xfs", true, "");
	capture_end();
	snprintf(path, sizeof(path), "%s/sigma", dir);
	setenv("SIGMA_LIBDIR", path, 1);
	if (!error) {
		list(initrd.data, initrd.size);
		initrd_free(&initrd);
	}
	return error;
}

TEST(signature_of_the_driver)
{
	NEED_TREE();
	ASSERT_EQ(0, build_with(".", tree));
	EXPECT_FALSE(initrd.driver_signed);
	ASSERT_EQ(0, build_with("signed", tree));
	EXPECT_TRUE(initrd.driver_signed);
}

TEST(all_drivers_built_in)
{
	NEED_TREE();
	ASSERT_EQ(0, build_with("alone", "/no/such/tree"));
	EXPECT_STREQ("/modules/sigma_guest.ko\n", order);
	EXPECT_EQ(-ENOENT, build_with(".", "/no/such/tree"));
	EXPECT_SAID("cannot be a guest: it needs CONFIG_MODULES=y", capture_buffer);
}

TEST(with_a_user_initrd)
{
	static const char theirs[] = "compressed";	/* 10 bytes: padded by 2 */
	char path[256];
	FILE *file;

	NEED_TREE();
	snprintf(path, sizeof(path), "%s/initrd", dir);
	file = fopen(path, "w");
	ASSERT_TRUE(file);
	fputs(theirs, file);
	fclose(file);

	ASSERT_EQ(0, initrd_build(&initrd, TREE_VERSION, tree, path, "", true, ""));
	EXPECT_EQ(0, memcmp(initrd.data, "compressed\0\0" "070701", 18));
	list(initrd.data + 12, initrd.size - 12);
	initrd_free(&initrd);
	EXPECT_TRUE(place_of("sigma_guest"));
	EXPECT_FALSE(strstr(names, "init\n"));
	EXPECT_FALSE(strstr(names, "dev/console"));
}

TEST(what_is_missing)
{
	const char *said;
	char path[256];

	capture_start();
	EXPECT_EQ(-ENOENT, initrd_build(&initrd, "0.0.0", "/no/such/tree", NULL, "", true, ""));
	EXPECT_SAID("/no/such/tree/modules.dep.bin: No such file", capture_end());

	NEED_TREE();
	capture_start();
	EXPECT_EQ(-ENOENT, initrd_build(&initrd, "0.0.0", tree, NULL, "", true, ""));
	said = capture_end();
	EXPECT_SAID("no sigma_guest.ko for Linux 0.0.0", said);
	EXPECT_SAID(" -k 0.0.0, or in SIGMA's sources", said);
	capture_start();
	EXPECT_EQ(-EINVAL, initrd_build(&initrd, "other", tree, NULL, "", true, ""));
	EXPECT_SAID("the guest's kernel is other", capture_end());
	capture_start();
	EXPECT_EQ(-ENOENT, initrd_build(&initrd, TREE_VERSION, tree, "/no/initrd", "", true, ""));
	EXPECT_SAID("/no/initrd: cannot open the initrd", capture_end());

	snprintf(path, sizeof(path), "%s/sigma/damaged", dir);
	setenv("SIGMA_LIBDIR", path, 1);
	capture_start();
	EXPECT_EQ(-EINVAL, initrd_build(&initrd, TREE_VERSION, tree, NULL, "", true, ""));
	EXPECT_SAID("sigma_guest.ko: damaged", capture_end());
	snprintf(path, sizeof(path), "%s/sigma", dir);
	setenv("SIGMA_LIBDIR", path, 1);

	snprintf(path, sizeof(path), "%s/sigma/guest-init", dir);
	unlink(path);
	capture_start();
	EXPECT_EQ(-ENOENT, initrd_build(&initrd, TREE_VERSION, tree, NULL, "", true, ""));
	EXPECT_SAID("guest-init: No such file", capture_end());
}

TEST_HARNESS_MAIN
