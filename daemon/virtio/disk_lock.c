// SPDX-License-Identifier: GPL-2.0
/*
 * Locks on a disk, so that nothing else writes to what a guest uses: see disk_lock.h.
 *
 * Locks on bytes of the file, as QEMU has them (raw_check_lock_bytes() in its block/file-posix.c):
 * BYTE_USES + n says that the owner does n, BYTE_DENIES + n that nobody else may. All of them are
 * shared locks, set first and then tested against those of others. So both open files of a disk
 * have them, and the requests in flight of a sigmad that was killed have them, too.
 *
 * They are open file description locks only. NFS and CIFS make of flock(2) a lock on the whole
 * file, which would conflict with these.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/vfs.h>

#include "../../common/lock.h"
#include "disk_lock.h"

enum {
	BYTE_USES = 100, BYTE_DENIES = 200,
	TO_READ = 0, TO_WRITE = 1, TO_RESIZE = 3,
};

#define READER_LOCKS	3

/* A reader has and tests the first READER_LOCKS, a writer all */
static const struct {
	unsigned int set, test;
} byte_locks[] = {
	{ BYTE_USES + TO_READ, BYTE_DENIES + TO_READ },
	{ BYTE_DENIES + TO_WRITE, BYTE_USES + TO_WRITE },
	{ BYTE_DENIES + TO_RESIZE, BYTE_USES + TO_RESIZE },
	{ BYTE_USES + TO_WRITE, BYTE_DENIES + TO_WRITE },
	{ BYTE_USES + TO_RESIZE, BYTE_DENIES + TO_RESIZE },
};

static unsigned int nr_locks(bool read_only)
{
	return read_only ? READER_LOCKS : sizeof(byte_locks) / sizeof(*byte_locks);
}

/*
 * A lock of SMB keeps others, and its owner, from writing to the bytes. There the locks are behind
 * all data, where QEMU does not see them.
 */
static off_t lock_offset(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) || ((unsigned int)fs.f_type != CIFS_SUPER_MAGIC &&
				 (unsigned int)fs.f_type != SMB2_SUPER_MAGIC))
		return 0;
	return 1LL << 62;
}

int disk_lock_also(int fd, bool read_only)
{
	const off_t offset = lock_offset(fd);
	int ret = 0;

	for (unsigned int i = 0; i < nr_locks(read_only) && !ret; i++)
		ret = lock_byte(fd, offset + byte_locks[i].set);
	return ret;
}

static int test_locks(int fd, bool read_only)
{
	const off_t offset = lock_offset(fd);
	int ret = 0;

	for (unsigned int i = 0; i < nr_locks(read_only) && !ret; i++)
		ret = lock_test(fd, offset + byte_locks[i].test);
	return ret;
}

/* struct attempt - the arguments of disk_lock() */
struct attempt {
	int fd;
	bool read_only, block_device;
};

/* Programs such as udevd and mkfs have a flock on a block device, which is always local */
static int try_lock(void *what)
{
	const struct attempt *attempt = what;
	int ret = 0;

	if (attempt->block_device)
		ret = lock_file(attempt->fd, attempt->read_only ? LOCK_SH : LOCK_EX);
	if (!ret)
		ret = disk_lock_also(attempt->fd, attempt->read_only);
	if (!ret)
		ret = test_locks(attempt->fd, attempt->read_only);
	if (ret)
		lock_release(attempt->fd);
	return ret;
}

int disk_lock(int fd, bool read_only, bool block_device, unsigned int seconds)
{
	struct attempt attempt = {
		.fd = fd, .read_only = read_only, .block_device = block_device,
	};

	return lock_patiently(try_lock, &attempt, seconds);
}
