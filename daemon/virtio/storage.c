// SPDX-License-Identifier: GPL-2.0
/*
 * Runs qemu-storage-daemon: see storage.h.
 *
 * When sigmad dies, qemu-storage-daemon gets SIGTERM: it stops taking requests, finishes those in
 * flight and ends. It must not see its connection end before: then it would fail an assertion of
 * its own if the guest kicked while requests are in flight. So it holds both ends.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../common/program.h"
#include "format.h"
#include "making.h"
#include "storage.h"

#define PROGRAM		"qemu-storage-daemon"
#define MONITOR_FD	(BACKEND_FD + 2)	/* behind the two ends of the connection */
#define IMAGE_FD	(BACKEND_FD + 3)
#define BACKING_FD	(BACKEND_FD + 4)
#define OPTION_MAX	320

/* The header of a qcow2 image, big-endian: docs/interop/qcow2.txt of QEMU */
struct qcow2_header {
	uint32_t magic, version;
	uint64_t backing_offset;
	uint32_t backing_size, cluster_bits;
	uint64_t size;
	uint32_t crypt_method, l1_size;
	uint64_t l1_offset, refcount_offset;
	uint32_t refcount_clusters, nr_snapshots;
	uint64_t snapshots_offset;
	/* of version 3 and later */
	uint64_t incompatible;
} __attribute__((packed));

#define QCOW2_MAGIC		0x514649fb
#define QCOW2_DATA_FILE		(1ULL << 2)	/* of @incompatible */

/* false: the file does not begin like a qcow2 image. The guest cannot write to the header */
static bool read_header(const struct disk *image, struct qcow2_header *header)
{
	*header = (struct qcow2_header){};
	if (pread(image->fd, header, sizeof(*header), 0) < (ssize_t)sizeof(*header))
		return false;
	if (be32toh(header->version) < 3)
		header->incompatible = 0;
	return header->magic == htobe32(QCOW2_MAGIC) && be32toh(header->version) >= 2;
}

static int check_one(struct virtio_making *making, const struct disk *image,
		     const struct qcow2_header *header)
{
	if (header->incompatible & htobe64(QCOW2_DATA_FILE))
		return making_say(making, -EPERM, "disk %s keeps its data in another file, which its header names and which could be any file of the host; make an image of its own of it with 'qemu-img convert -O qcow2' if you trust it",
				  image->path);
	if (header->crypt_method)
		return making_say(making, -EOPNOTSUPP, "disk %s is encrypted, and sigmad has no key; decrypt it with 'qemu-img convert', or serve it by a program of your own with Socket=",
				  image->path);
	return 0;
}

int storage_check(struct virtio_making *making, const struct guest_disk *wanted,
		  const struct disk *image, const struct disk *backing)
{
	struct qcow2_header header, behind;
	int error;

	if (!read_header(image, &header))
		return making_say(making, -EINVAL, "disk %s is no qcow2 image; leave Format=qcow2 out, or make one with 'qemu-img create -f qcow2'",
				  image->path);
	error = check_one(making, image, &header);
	if (error)
		return error;
	if (header.backing_offset && !backing)
		return making_say(making, -EPERM, "disk %s is based on another file, which its header names and which could be any file of the host; see it with 'qemu-img info', and allow it with Backing=PATH if it is the right one",
				  image->path);
	if (!header.backing_offset && backing)
		return making_say(making, -EINVAL, "disk %s is not based on another file, so leave Backing=%s out",
				  image->path, wanted->backing);
	if (!backing || !read_header(backing, &behind))
		return 0;
	if (behind.backing_offset)
		return making_say(making, -EOPNOTSUPP, "disk %s, which Backing= names, is based on a third file; merge these two with 'qemu-img rebase' or 'qemu-img convert'",
				  backing->path);
	return check_one(making, backing, &behind);
}

struct storage storage_of(const struct guest_disk *wanted, const struct disk *image,
			  const struct disk *backing)
{
	struct storage storage = {
		.path = image->path, .image = image->fd, .backing = -1,
		.read_only = image->read_only, .direct = image->direct_fd >= 0,
		.block_size = wanted->block_size ?: SECTOR_SIZE, .note = { .fd = -1 },
	};
	struct qcow2_header header;

	if (!backing)
		return storage;
	storage.backing = backing->fd;
	storage.backing_direct = backing->direct_fd >= 0;
	storage.backing_qcow2 = read_header(backing, &header);
	return storage;
}

/* The broker's side, which does not read the files */

/* For struct backend_command.prepare: what the process may open. Only system calls */
struct access {
	int image_fd, backing_fd;	/* -1: none */
	bool read_only;
};

static bool allow(int rules, int fd, uint64_t rights)
{
	struct landlock_path_beneath_attr attr = { .allowed_access = rights, .parent_fd = fd };

	return !syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &attr, 0);
}

static bool allow_path(int rules, const char *path, uint64_t rights)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	bool allowed;

	/* A path that does not exist here need not be allowed */
	if (fd < 0)
		return true;
	allowed = allow(rules, fd, rights);
	close(fd);
	return allowed;
}

static const char *confine(const void *data)
{
	static const char failed[] = "cannot confine itself";
	const uint64_t folder = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
				LANDLOCK_ACCESS_FS_EXECUTE;
	const uint64_t file = LANDLOCK_ACCESS_FS_READ_FILE;
	const uint64_t write = LANDLOCK_ACCESS_FS_WRITE_FILE;
	/* All rights of the first version of Landlock */
	const struct landlock_ruleset_attr attr = {
		.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1,
	};
	static const char *const installed[] = { "/usr", "/lib", "/lib64", "/bin", NULL };
	static const char *const read[] = {
		"/etc/ld.so.cache", "/etc/ld.so.preload", "/dev/null", "/dev/urandom", NULL
	};
	const struct access *access = data;
	int rules = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	bool all = true;

	if (rules < 0)
		/* The kernel has no Landlock: then the namespaces have to do */
		return errno == ENOSYS || errno == EOPNOTSUPP ? NULL : failed;
	for (unsigned int i = 0; installed[i]; i++)
		all = all && allow_path(rules, installed[i], folder);
	for (unsigned int i = 0; read[i]; i++)
		all = all && allow_path(rules, read[i], file);
	all = all && allow(rules, access->image_fd, file | (access->read_only ? 0 : write));
	if (access->backing_fd >= 0)
		all = all && allow(rules, access->backing_fd, file);
	if (!all || syscall(SYS_landlock_restrict_self, rules, 0))
		return failed;
	close(rules);
	return NULL;
}

/*
 * The file with number @fd, opened anew, since Debian 12's qemu-storage-daemon takes no open files.
 * The locks are those of @fd itself.
 */
static void format_file(char option[OPTION_MAX], const char *node, int fd, const struct stat *st,
			bool read_only, bool direct)
{
	snprintf(option, OPTION_MAX,
		 "{\"driver\": \"%s\", \"node-name\": \"%s\", \"filename\": \"/proc/self/fd/%d\", \"locking\": \"off\", \"read-only\": %s, \"discard\": \"unmap\", \"cache\": {\"direct\": %s}}",
		 S_ISBLK(st->st_mode) ? "host_device" : "file", node, fd,
		 read_only ? "true" : "false", direct ? "true" : "false");
}

/* @backing: JSON. It is always given, since else the image's header would name it */
static void format_image(char option[OPTION_MAX], const char *node, const char *file,
			 bool read_only, const char *backing)
{
	snprintf(option, OPTION_MAX,
		 "{\"driver\": \"qcow2\", \"node-name\": \"%s\", \"file\": \"%s\", \"read-only\": %s, \"discard\": \"unmap\", \"backing\": %s}",
		 node, file, read_only ? "true" : "false", backing);
}

static int look_at(int fd, struct stat *st)
{
	return fstat(fd, st) || (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode)) ? -EINVAL : 0;
}

int storage_start(struct backend *server, sd_event *event, const struct storage *storage,
		  int *monitor, char why[BACKEND_WHY_MAX])
{
	static const char *const usual[] = { "/usr/bin", NULL };
	char path[PATH_MAX], file[OPTION_MAX], top[OPTION_MAX], base_file[OPTION_MAX];
	char base[OPTION_MAX], export[OPTION_MAX], chardev[64];
	char *argv[20] = {
		path, "--chardev", chardev, "--monitor", "chardev=monitor", "--blockdev", file,
	};
	const bool backing = storage->backing >= 0;
	struct access access = {
		.image_fd = IMAGE_FD, .backing_fd = backing ? BACKING_FD : -1,
		.read_only = storage->read_only,
	};
	struct backend_command command = {
		.name = PROGRAM, .serves = storage->path, .argv = argv,
		.prepare = confine, .data = &access, .confined = true, .finishes = true,
		.nr_files = backing ? 4 : 3, .note = storage->note.fd >= 0 ? &storage->note : NULL,
	};
	int files[BACKEND_FILES], monitors[2], connection, error;
	unsigned int nr = 7;
	struct stat image, behind;

	if (program_find(path, PROGRAM, usual)) {
		snprintf(why, BACKEND_WHY_MAX, "there is no " PROGRAM "; install the package qemu-system-common, or another one that has it");
		return -ENOENT;
	}
	if (look_at(storage->image, &image) || (backing && look_at(storage->backing, &behind))) {
		snprintf(why, BACKEND_WHY_MAX, "it is neither a file nor a block device");
		return -EINVAL;
	}
	command.uid = image.st_uid;
	command.gid = image.st_gid;

	snprintf(chardev, sizeof(chardev), "socket,id=monitor,fd=%d,server=off", MONITOR_FD);
	format_file(file, "file", IMAGE_FD, &image, storage->read_only, storage->direct);
	format_image(top, STORAGE_NODE, "file", storage->read_only, !backing ? "null" :
		     storage->backing_qcow2 ? "\"base\"" : "\"base-file\"");
	if (backing) {
		format_file(base_file, "base-file", BACKING_FD, &behind, true,
			    storage->backing_direct);
		argv[nr++] = "--blockdev";
		argv[nr++] = base_file;
	}
	if (backing && storage->backing_qcow2) {
		format_image(base, "base", "base-file", true, "null");
		argv[nr++] = "--blockdev";
		argv[nr++] = base;
	}
	argv[nr++] = "--blockdev";
	argv[nr++] = top;
	snprintf(export, sizeof(export),
		 "type=vhost-user-blk,id=disk,node-name=" STORAGE_NODE ",addr.type=fd,addr.str=%d,writable=%s,logical-block-size=%u",
		 BACKEND_FD, storage->read_only ? "off" : "on", storage->block_size);
	argv[nr++] = "--export";
	argv[nr++] = export;

	error = backend_sockets(&command.fd, &connection);
	if (error) {
		snprintf(why, BACKEND_WHY_MAX, "no socket for " PROGRAM ": %s", strerror(-error));
		return error;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, monitors)) {
		error = -errno;
		snprintf(why, BACKEND_WHY_MAX, "no socket for the monitor of " PROGRAM ": %s",
			 strerror(-error));
		goto close_connection;
	}
	files[0] = connection;
	files[1] = monitors[1];
	files[2] = storage->image;
	files[3] = storage->backing;
	command.files = files;
	error = backend_start(server, event, &command, 0, why);
	close(monitors[1]);
	if (error) {
		close(monitors[0]);
		goto close_connection;
	}
	close(command.fd);
	*monitor = monitors[0];
	return connection;

close_connection:
	close(command.fd);
	close(connection);
	return error;
}
