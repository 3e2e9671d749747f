// SPDX-License-Identifier: GPL-2.0
/*
 * The storage of a virtual disk: see disk.h.
 *
 * Transfers use O_DIRECT, since the guest has a page cache of its own. Where that is not possible
 * they use the host's page cache; the kernel keeps the two consistent. In both cases a flush of the
 * guest waits for fdatasync(). To find out what the file system or device supports, it is asked for
 * an operation that changes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../../common/guestfile.h"
#include "../../common/log.h"
#include "../../common/lock.h"
#include "buffers.h"
#include "disk.h"
#include "disk_lock.h"
#include "format.h"
#include "making.h"
#include "state.h"

#define DIRECT_ALIGN_MAX	4096U
#define FILE_BLOCK_MAX		65536	/* a larger st_blksize is a hint, not a physical block */
#define LOCK_SECONDS		2
/* A slow device needs this long for a full queue, or for a flush of the host's page cache */
#define TAKEOVER_SECONDS	60

static unsigned int patience(const struct virtio_making *making)
{
	return making->resuming ? TAKEOVER_SECONDS : LOCK_SECONDS;
}

static int lock(const struct disk *disk, struct virtio_making *making)
{
	int ret = disk_lock(disk->fd, disk->read_only, disk->block_device, patience(making));

	if (ret == -EBUSY)
		return making_say(making, ret, disk->read_only ?
				 "disk %s is being written to by another guest or program; stop that one first" :
				 "disk %s is used by another guest or program; stop that one first, or set ReadOnly=yes for both",
				 disk->path);
	if (ret)
		return making_say(making, ret, "cannot lock disk %s: %s", disk->path,
				  strerror(-ret));
	return 0;
}

static bool is_power_of_two(unsigned int n)
{
	return n && !(n & (n - 1));
}

/*
 * Punching a hole past the end changes nothing, but fails if that is not supported. Some file systems take
 * it for a change, which disk_stamp() must not see
 */
static bool file_can_discard(int fd, const struct stat *st)
{
	const struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, st->st_mtim };

	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, st->st_size, SECTOR_SIZE))
		return false;
	futimens(fd, times);
	return true;
}

static int measure_file(struct disk *disk, const struct stat *st)
{
	disk->can_discard = !disk->read_only && file_can_discard(disk->fd, st);
	disk->size = st->st_size;
	disk->block_size = SECTOR_SIZE;
	disk->physical_size = SECTOR_SIZE;
	if (is_power_of_two(st->st_blksize) && st->st_blksize > SECTOR_SIZE &&
	    st->st_blksize <= FILE_BLOCK_MAX)
		disk->physical_size = st->st_blksize;
	return 0;
}

static int measure_block_device(struct disk *disk, struct virtio_making *making)
{
	uint64_t misaligned[2] = { 1, 1 };
	unsigned int physical = 0, optimal = 0;
	int logical = 0, alignment = 0;

	if (ioctl(disk->fd, BLKGETSIZE64, &disk->size) || ioctl(disk->fd, BLKSSZGET, &logical))
		return making_say(making, -errno, "cannot get the size of disk %s: %s", disk->path,
				 strerror(errno));
	disk->block_size = logical;
	disk->physical_size = logical;
	if (!ioctl(disk->fd, BLKPBSZGET, &physical) && is_power_of_two(physical) &&
	    physical >= disk->block_size)
		disk->physical_size = physical;
	if (!ioctl(disk->fd, BLKALIGNOFF, &alignment) && alignment > 0)
		disk->alignment = alignment;
	if (!ioctl(disk->fd, BLKIOOPT, &optimal))
		disk->optimal_size = optimal;

	/* The kernel checks the alignment only for a device that supports discard */
	if (!disk->read_only)
		disk->can_discard = ioctl(disk->fd, BLKDISCARD, misaligned) && errno == EINVAL;
	return 0;
}

static int measure(struct disk *disk, struct virtio_making *making, const struct stat *st)
{
	int ret = disk->block_device ? measure_block_device(disk, making) : measure_file(disk, st);

	if (ret < 0)
		return ret;
	if (!disk->size)
		return making_say(making, -EINVAL, "disk %s is empty; give it a size, as with truncate -s 8G",
				 disk->path);
	if (disk->size % SECTOR_SIZE)
		return making_say(making, -EINVAL, "disk %s has %llu bytes, which is no multiple of %u: it is truncated or not a disk image",
				 disk->path, (unsigned long long)disk->size, SECTOR_SIZE);
	return 0;
}

/* Set the larger block size that the guest file asks for */
static int set_block_size(struct disk *disk, struct virtio_making *making, unsigned int size)
{
	if (size < disk->block_size)
		return making_say(making, -EINVAL, "disk %s has blocks of %u bytes itself: BlockSize=%u is too small",
				 disk->path, disk->block_size, size);
	if (disk->size % size)
		return making_say(making, -EINVAL, "disk %s has %llu bytes, which is no multiple of BlockSize=%u; make it larger or leave BlockSize= out",
				 disk->path, (unsigned long long)disk->size, size);
	disk->block_size = size;
	if (disk->physical_size < size)
		disk->physical_size = size;
	return 0;
}

/*
 * For writing, a block device is opened with O_EXCL, which fails if it is mounted, or used by LVM
 * or RAID (open(2)). Readers share the device, so for them there is only the lock.
 */
static int try_open(void *what)
{
	struct disk *disk = what;

	disk->fd = open(disk->path, disk->flags);
	return disk->fd < 0 ? -errno : 0;
}

static int open_path(struct disk *disk, struct virtio_making *making, struct stat *st)
{
	int ret, flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (disk->read_only ? O_RDONLY : O_RDWR);

	if (stat(disk->path, st))
		return making_say(making, -errno, "cannot open disk %s: %s", disk->path,
				  strerror(errno));
	if (S_ISBLK(st->st_mode) && !disk->read_only)
		flags |= O_EXCL;

	disk->flags = flags;
	ret = lock_patiently(try_open, disk, patience(making));
	if (ret == -EBUSY)
		return making_say(making, ret, "disk %s is mounted or otherwise in use on the host; unmount it first",
				 disk->path);
	if (ret)
		return making_say(making, ret, "cannot open disk %s: %s", disk->path,
				  strerror(-ret));
	/*
	 * O_NONBLOCK is only for open() of files that are no disks, such as FIFOs. With it io_uring
	 * would fail requests that have to wait.
	 */
	fcntl(disk->fd, F_SETFL, flags & ~O_NONBLOCK);
	/* Look at the file that was opened: the path may have changed since stat() */
	if (fstat(disk->fd, st)) {
		ret = -errno;
		close(disk->fd);
		return making_say(making, ret, "cannot look at disk %s: %s", disk->path,
				  strerror(-ret));
	}
	return 0;
}

/*
 * btrfs computes the checksum of data before it writes them from the guest's memory, where the
 * guest may change them meanwhile: then the checksum does not fit, and reading gives EIO for ever
 * (btrfs(5), "Checksumming"). Linux 6.14 and older do so also with O_DIRECT.
 */
static bool has_checksums(int fd)
{
	struct statfs fs;
	int flags;

	if (fstatfs(fd, &fs) || (unsigned int)fs.f_type != BTRFS_SUPER_MAGIC)
		return false;
	return ioctl(fd, FS_IOC_GETFLAGS, &flags) || !(flags & FS_NOCOW_FL);
}

/*
 * Find the alignments that requests with O_DIRECT need. STATX_DIOALIGN is new in Linux 6.1, and not
 * every file system supports it: there, try reads with growing alignments. Return: is there one?
 */
static bool find_alignment(struct disk *disk)
{
	uint8_t block[2 * DIRECT_ALIGN_MAX] __attribute__((aligned(DIRECT_ALIGN_MAX)));
	unsigned int align = SECTOR_SIZE;
	struct statx stx;

	if (!statx(disk->direct_fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) &&
	    stx.stx_mask & STATX_DIOALIGN) {
		disk->direct_memory = stx.stx_dio_mem_align;
		disk->direct_align = stx.stx_dio_offset_align;
		return is_power_of_two(disk->direct_memory) && is_power_of_two(disk->direct_align);
	}
	/* The address block + align is aligned no better than the test needs */
	while (align <= DIRECT_ALIGN_MAX && pread(disk->direct_fd, block + align, align, 0) <= 0)
		align *= 2;
	disk->direct_memory = align;
	disk->direct_align = align;
	return align <= DIRECT_ALIGN_MAX;
}

/* Open the file again with O_DIRECT. Where that is impossible, a note says so */
static int open_direct(struct disk *disk, struct virtio_making *making)
{
	char path[32];
	int ret;

	if (!disk->block_device && has_checksums(disk->fd))
		return making_say(making, 0, "disk %s: its data go through the host's page cache, since btrfs has checksums of them; to avoid that, make the image anew in a folder with the attribute C (chattr +C)",
				  disk->path);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", disk->fd);
	disk->direct_fd = open(path, O_DIRECT | O_CLOEXEC | O_NOCTTY |
			       (disk->read_only ? O_RDONLY : O_RDWR));
	if (disk->direct_fd < 0)
		return making_say(making, 0, "disk %s: its data go through the host's page cache, since its file system has no O_DIRECT: %s",
				  disk->path, strerror(errno));
	if (!find_alignment(disk)) {
		ret = making_say(making, 0, "disk %s: its data go through the host's page cache, since its file system has no O_DIRECT for this file",
				 disk->path);
		goto close_direct;
	}
	ret = disk_lock_also(disk->direct_fd, disk->read_only);
	if (!ret)
		return 0;
	making_say(making, ret, "cannot lock disk %s: %s", disk->path, strerror(-ret));
close_direct:
	close(disk->direct_fd);
	disk->direct_fd = -1;
	return ret;
}

/*
 * Refuse a disk that looks as if it were not raw, unless the guest file says that it is. A guest
 * that was served so far and is taken over keeps its disk, whatever it has written there.
 */
static int check_raw(const struct disk *disk, struct virtio_making *making)
{
	const struct format *format;

	format = making->resuming ? NULL : format_recognise(disk->fd);
	if (!format)
		return 0;
	if (!format->image)
		return making_say(making, -EINVAL, "disk %s is %s, or a raw disk to which a guest wrote the beginning of one; make a raw disk of the former with '%s', and give the latter Format=raw",
				  disk->path, format->name, format->remedy);
	return making_say(making, -EINVAL, "disk %s is %s, or a raw disk to which a guest wrote the header of one; %smake a raw disk of the former with '%s', and give the latter Format=raw; do not convert it, since the header may name files of the host",
			  disk->path, format->name,
			  format->served ? "give Format=qcow2 for the former, or " : "",
			  format->remedy);
}

static int open_and_lock(struct disk *disk, struct virtio_making *making,
			 const struct guest_disk *config, struct stat *st)
{
	const char *path = config->path;
	int ret;

	*disk = (struct disk) {
		.fd = -1, .direct_fd = -1, .read_only = config->read_only, .path = strdup(path),
	};
	if (!disk->path)
		return making_say(making, -ENOMEM, "cannot open disk %s: out of memory", path);

	ret = open_path(disk, making, st);
	if (ret < 0)
		goto free_path;
	if (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode)) {
		ret = making_say(making, -EINVAL, "disk %s is neither a regular file nor a block device",
				path);
		goto close_fd;
	}
	disk->block_device = S_ISBLK(st->st_mode);

	ret = lock(disk, making);
	if (!ret)
		return 0;
close_fd:
	close(disk->fd);
free_path:
	free(disk->path);
	return ret;
}

int disk_open_image(struct disk *disk, struct virtio_making *making,
		    const struct guest_disk *config)
{
	struct stat st;
	int ret;

	ret = open_and_lock(disk, making, config, &st);
	if (ret)
		return ret;
	ret = config->direct ? open_direct(disk, making) : 0;
	if (ret)
		disk_close(disk);
	return ret;
}

int disk_open(struct disk *disk, struct virtio_making *making, const struct guest_disk *config)
{
	struct stat st;
	int ret;

	ret = open_and_lock(disk, making, config, &st);
	if (ret)
		return ret;
	ret = config->format == FORMAT_AUTO ? check_raw(disk, making) : 0;
	if (!ret)
		ret = measure(disk, making, &st);
	if (!ret && config->block_size)
		ret = set_block_size(disk, making, config->block_size);
	if (!ret && config->direct)
		ret = open_direct(disk, making);
	if (ret)
		disk_close(disk);
	return ret;
}

static int set_file_size(const struct disk *disk, uint64_t now, uint64_t size)
{
	int ret;

	if (disk->block_device)
		return log_error(-EINVAL, "disk %s is a block device; make it larger by its own tool, such as lvextend, and give no size here",
				 disk->path);
	if (disk->read_only)
		return log_error(-EROFS, "disk %s has ReadOnly=yes; make the file larger by another program, and give no size here",
				 disk->path);
	if (size < now)
		return log_error(-EINVAL, "disk %s has %llu bytes already, and does not shrink to %llu; give a larger size",
				 disk->path, (unsigned long long)now, (unsigned long long)size);
	do {
		ret = size > now ? ftruncate(disk->fd, size) : 0;
	} while (ret && errno == EINTR);
	return ret ? log_error(-errno, "cannot make disk %s larger: %s", disk->path,
			       strerror(errno)) : 0;
}

int disk_look(const struct disk *disk, uint64_t *size)
{
	struct stat st;

	if (disk->block_device ? ioctl(disk->fd, BLKGETSIZE64, size) : fstat(disk->fd, &st))
		return -errno;
	if (!disk->block_device)
		*size = st.st_size;
	return 0;
}

bool disk_removed(const struct disk *disk)
{
	struct stat st;

	return !disk->block_device && !fstat(disk->fd, &st) && !st.st_nlink;
}

int disk_resize(struct disk *disk, uint64_t size)
{
	uint64_t now;
	int ret;

	if (size % disk->block_size)
		return log_error(-EINVAL, "%llu bytes are no multiple of %u, the size of a block of disk %s; give one",
				 (unsigned long long)size, disk->block_size, disk->path);
	ret = disk_look(disk, &now);
	if (ret)
		return log_error(ret, "cannot get the size of disk %s: %s", disk->path,
				 strerror(-ret));
	if (now < disk->size)
		return log_error(-EINVAL, "disk %s has %llu bytes only, and the guest was given %llu; make it as large again, since a disk does not shrink",
				 disk->path, (unsigned long long)now,
				 (unsigned long long)disk->size);
	if (size) {
		ret = set_file_size(disk, now, size);
		if (ret)
			return ret;
		now = size;
	}
	if (now % disk->block_size)
		return log_error(-EINVAL, "disk %s has %llu bytes, which is no multiple of %u, the size of its blocks; make it larger by some bytes",
				 disk->path, (unsigned long long)now, disk->block_size);
	/* The disk's thread reads it */
	__atomic_store_n(&disk->size, now, __ATOMIC_RELAXED);
	return 0;
}

void disk_close(struct disk *disk)
{
	if (disk->direct_fd >= 0)
		close(disk->direct_fd);
	close(disk->fd);	/* this releases the lock */
	free(disk->path);
}

int disk_fd(const struct disk *disk, uint64_t offset, const struct vq_buffers *buf)
{
	uint64_t addresses = 0, bits = offset;

	if (disk->direct_fd < 0)
		return disk->fd;
	for (unsigned int i = 0; i < buf->nr; i++) {
		addresses |= (uintptr_t)buf->iov[i].iov_base;
		bits |= buf->iov[i].iov_len;
	}
	return addresses & (disk->direct_memory - 1) || bits & (disk->direct_align - 1) ?
		disk->fd : disk->direct_fd;
}

void disk_refused_direct(struct disk *disk)
{
	if (!disk->refused_direct)
		log_info("disk %s: some of its data go through the host's page cache, since its file system refuses requests with O_DIRECT",
			 disk->path);
	disk->refused_direct = true;
}

/*
 * Linux reports a failed write-back once, and marks the pages as clean whose data it could not
 * write. The next fdatasync() then succeeds although that data is lost, in another process, too. So
 * after a failed flush all later ones have to fail.
 */
int disk_flushed(struct disk *disk, int error)
{
	if (*disk->failed || !error)
		return -(int)*disk->failed;
	/* Before the guest is told, so that no sigmad forgets what it was told */
	keep(*disk->failed, -error);
	return log_error(error, "disk %s: the host could not write out its cache (%s): what the guest wrote may be lost, and each flush fails from now on; find the cause in the host's kernel log, then stop the guest, check the disk and start the guest again",
			 disk->path, strerror(-error));
}

static int allocate(const struct disk *disk, int mode, uint64_t offset, uint64_t len)
{
	int ret;

	do {
		ret = fallocate(disk->fd, mode | FALLOC_FL_KEEP_SIZE, offset, len);
	} while (ret && errno == EINTR);
	return ret ? -errno : 0;
}

int disk_discard(const struct disk *disk, uint64_t offset, uint64_t len)
{
	uint64_t range[2] = { offset, len };

	if (!disk->block_device)
		return allocate(disk, FALLOC_FL_PUNCH_HOLE, offset, len);
	return ioctl(disk->fd, BLKDISCARD, range) ? -errno : 0;
}

static int write_zeros(const struct disk *disk, uint64_t offset, uint64_t len)
{
	static const uint8_t zeros[65536];

	while (len) {
		ssize_t n = pwrite(disk->fd, zeros, MIN(len, sizeof(zeros)), offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		offset += n;
		len -= n;
	}
	return 0;
}

int disk_zero(const struct disk *disk, uint64_t offset, uint64_t len, bool unmap)
{
	uint64_t range[2] = { offset, len };
	int ret = -EOPNOTSUPP;

	if (disk->block_device) {
		ret = ioctl(disk->fd, BLKZEROOUT, range) ? -errno : 0;
	} else {
		if (unmap)
			ret = allocate(disk, FALLOC_FL_PUNCH_HOLE, offset, len);
		if (ret == -EOPNOTSUPP)
			ret = allocate(disk, FALLOC_FL_ZERO_RANGE, offset, len);
	}
	/* EINVAL: the block device needs a larger alignment than the guest was told */
	return ret == -EOPNOTSUPP || ret == -EINVAL ? write_zeros(disk, offset, len) : ret;
}
