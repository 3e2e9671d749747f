// SPDX-License-Identifier: GPL-2.0
/*
 * The storage of disks: which files are taken for a raw disk, and how they are accessed. File
 * systems and devices that this machine lacks are faked by the system calls that tell of them.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/virtio_blk.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "../../common/guestfile.h"
#include "../../daemon/virtio/buffers.h"
#include "../../daemon/virtio/disk.h"
#include "capture.h"
#include "disk-image.h"
#include "tap.h"
#include "virtio-guest.h"

#define IMAGE_SIZE	(1 << 20)

/* What the faked system calls tell; zeros: nothing else than the kernel does */
static struct {
	bool no_direct;			/* open() refuses O_DIRECT */
	bool no_dioalign;		/* statx() does not know the alignments */
	bool dioalign;			/* it does: */
	unsigned int memory, offset;
	unsigned int reads_at;		/* reads with O_DIRECT need this alignment */
	long file_system;		/* magic number */
	int flags;			/* of the inode */
	unsigned int block_size;	/* a block device */
} fake;

int open(const char *path, int flags, ...)
{
	if (fake.no_direct && flags & O_DIRECT) {
		errno = EINVAL;
		return -1;
	}
	return syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
}

int statx(int folder, const char *path, int flags, unsigned int mask, struct statx *stx)
{
	int ret = syscall(SYS_statx, folder, path, flags, mask, stx);

	if (fake.no_dioalign)
		stx->stx_mask &= ~STATX_DIOALIGN;
	if (fake.dioalign) {
		stx->stx_mask |= STATX_DIOALIGN;
		stx->stx_dio_mem_align = fake.memory;
		stx->stx_dio_offset_align = fake.offset;
	}
	return ret;
}

ssize_t pread(int fd, void *to, size_t len, off_t at)
{
	if (fake.reads_at && fcntl(fd, F_GETFL) & O_DIRECT &&
	    ((uintptr_t)to | len | at) & (fake.reads_at - 1)) {
		errno = EINVAL;
		return -1;
	}
	return syscall(SYS_pread64, fd, to, len, at);
}

int fstatfs(int fd, struct statfs *fs)
{
	int ret = syscall(SYS_fstatfs, fd, fs);

	if (fake.file_system)
		fs->f_type = fake.file_system;
	return ret;
}

int stat(const char *path, struct stat *st)
{
	int ret = syscall(SYS_newfstatat, AT_FDCWD, path, st, 0);

	if (fake.block_size)
		st->st_mode = S_IFBLK | 0600;
	return ret;
}

int fstat(int fd, struct stat *st)
{
	int ret = syscall(SYS_newfstatat, fd, "", st, AT_EMPTY_PATH);

	if (fake.block_size)
		st->st_mode = S_IFBLK | 0600;
	return ret;
}

static int fake_ioctl(unsigned long request, void *data)
{
	switch (request) {
	case BLKGETSIZE64:
		*(uint64_t *)data = IMAGE_SIZE;
		return 0;
	case BLKSSZGET:
	case BLKPBSZGET:
		*(unsigned int *)data = fake.block_size;
		return 0;
	default:
		errno = ENOTTY;
		return -1;
	}
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *data;

	va_start(ap, request);
	data = va_arg(ap, void *);
	va_end(ap);
	if (fake.file_system && request == FS_IOC_GETFLAGS) {
		*(int *)data = fake.flags;
		return 0;
	}
	return fake.block_size ? fake_ioctl(request, data) : syscall(SYS_ioctl, fd, request, data);
}

/* Make the image anew, with these bytes and zeros around them */
static void write_image(const void *bytes, size_t len, off_t at)
{
	int fd = open(image, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (ftruncate(fd, IMAGE_SIZE) || pwrite(fd, bytes, len, at) != (ssize_t)len)
		abort();
	close(fd);
}

static int add_format(struct guest *guest, enum guest_format format)
{
	const struct guest_disk disk = { .path = image, .format = format, .direct = true };

	return guest_add_disk(guest, &disk);
}

/* Why a guest does not get the disk; "": it does */
static const char *refusal(enum guest_format format)
{
	struct guest *guest GUEST = guest_new();
	int ret;

	capture_start();
	ret = add_format(guest, format);
	return ret < 0 ? capture_end() : (capture_end(), "");
}

struct sample {
	const char *bytes;
	size_t len;
	off_t at;
	const char *name, *remedy;
};

#define SAMPLE(bytes, ...)	{ bytes, sizeof(bytes) - 1, __VA_ARGS__ }
#define CONVERT			"'qemu-img convert -O raw'"

/* As qemu-img and the compressors make them */
static const struct sample samples[] = {
	SAMPLE("QFI\xfb\0\0\0\1", 0, "is a qcow image", CONVERT),
	SAMPLE("QFI\xfb\0\0\0\2", 0, "is a qcow2 image", CONVERT),
	SAMPLE("QFI\xfb\0\0\0\3", 0, "is a qcow2 image", CONVERT),
	SAMPLE("KDMV\1\0\0\0", 0, "is a VMDK image", CONVERT),
	SAMPLE("COWD\1\0\0\0", 0, "is a VMDK image", CONVERT),
	SAMPLE("# Disk DescriptorFile\nversion=1\n", 0, "is the descriptor of a VMDK image",
	       CONVERT),
	SAMPLE("\x7f\x10\xda\xbe\1\0\1\0", 64, "is a VDI image", CONVERT),
	SAMPLE("conectix\0\0\0\2", 0, "is a VHD image", CONVERT),
	SAMPLE("vhdxfileQ\0E\0M\0U\0", 0, "is a VHDX image", CONVERT),
	SAMPLE("\x1f\x8b\x08\x08", 0, "is a gzip file", "'gzip -d'"),
	SAMPLE("\xfd" "7zXZ\0\0\4", 0, "is an xz file", "'xz -d'"),
	SAMPLE("\x28\xb5\x2f\xfd\4\0", 0, "is a zstd file", "'zstd -d'"),
	SAMPLE("BZh91AY&SY", 0, "is a bzip2 file", "'bzip2 -d'"),
};

#define NR_SAMPLES	(sizeof(samples) / sizeof(*samples))

TEST(what_is_not_raw_is_refused)
{
	for (size_t i = 0; i < NR_SAMPLES; i++) {
		const struct sample *sample = &samples[i];
		const char *said;

		write_image(sample->bytes, sample->len, sample->at);
		said = refusal(FORMAT_AUTO);
		EXPECT_SAID(image, said);
		EXPECT_SAID(sample->name, said);
		EXPECT_SAID(sample->remedy, said);
		EXPECT_SAID("Format=raw", said);
		EXPECT_STREQ("", refusal(FORMAT_RAW));
	}
}

TEST(what_is_raw_is_not_refused)
{
	static const struct {
		const char bytes[9];
		off_t at;
	} raw[] = {
		{ "QFI", 0 },
		{ "QFI\xfb", 512 },			/* not at its start */
		{ "\x1f\x8b", 0 },
		{ "BZh9", 0 },				/* begins a text, too */
		{ "\x55\xaa", 510 },			/* MBR */
		{ "EFI PART", 512 },			/* GPT */
		{ "\x53\xef", 1080 },			/* ext4 */
		{ "\1CD001\1", 32768 },			/* ISO 9660 */
		{ "conectix", IMAGE_SIZE - 512 },	/* the footer of a fixed VHD */
	};

	for (size_t i = 0; i < sizeof(raw) / sizeof(*raw); i++) {
		write_image(raw[i].bytes, strlen(raw[i].bytes), raw[i].at);
		EXPECT_STREQ("", refusal(FORMAT_AUTO));
	}
}

/* Its size is no multiple of 512, which is not the point */
TEST(odd_size_of_a_compressed_image)
{
	write_image("\xfd" "7zXZ", 6, 0);
	if (truncate(image, 1001))
		abort();
	EXPECT_SAID("is an xz file", refusal(FORMAT_AUTO));
}

/* A guest writes the header of an image to its raw disk */
TEST(header_by_a_guest)
{
	static struct virtio_state state;
	const char *said;

	write_image("", 0, 0);
	{
		struct guest *guest GUEST = guest_new();

		virtio_bus_keep(guest->bus, &state, false);
		ASSERT_EQ(0, add_format(guest, FORMAT_AUTO));
		write_image("QFI\xfb\0\0\0\3", 8, 0);
	}
	/* The next sigmad serves the guest as before */
	{
		struct guest *guest GUEST = guest_new();

		state.device[0].device_id = 2;
		state.device[0].nr_queues = 1;
		state.device[0].doorbell = SIGMA_DOORBELL_FIRST;
		virtio_bus_keep(guest->bus, &state, true);
		EXPECT_EQ(0, add_format(guest, FORMAT_AUTO));
	}
	/* The next start says what may have happened, and what not to do */
	said = refusal(FORMAT_AUTO);
	EXPECT_SAID("or a raw disk to which a guest wrote the header of one", said);
	EXPECT_SAID("do not convert it, since the header may name files of the host", said);
}

/* O_DIRECT */

/* struct opened - a disk as disk_open() makes it */
struct opened {
	struct guest *guest;
	struct virtio_making making;
	struct disk disk;
};

static int open_disk(struct opened *opened)
{
	const struct guest_disk config = { .path = image, .direct = true };

	opened->guest = guest_new();
	opened->making = kinds_begin(opened->guest->bus, &guest_config, 0);
	return disk_open(&opened->disk, &opened->making, &config);
}

static void close_disk(struct opened *opened)
{
	disk_close(&opened->disk);
	guest_free(&opened->guest);
	memset(&fake, 0, sizeof(fake));
}

/* Is this transfer done with O_DIRECT? */
static bool is_direct(const struct opened *opened, uintptr_t address, size_t len, uint64_t offset)
{
	struct iovec iov = { (void *)(SEGMENT_SIZE + address), len };
	const struct vq_buffers buffers = { .iov = &iov, .nr = 1, .len = len };

	return disk_fd(&opened->disk, offset, &buffers) == opened->disk.direct_fd;
}

TEST(alignment_that_the_file_system_tells)
{
	struct opened opened;

	write_image("", 0, 0);
	fake.dioalign = true;
	fake.memory = 4;
	fake.offset = 16384;
	ASSERT_EQ(0, open_disk(&opened));
	if (opened.disk.direct_fd < 0)
		SKIP(goto out, "the file system of /tmp has no O_DIRECT");
	EXPECT_STREQ("", opened.making.said);
	EXPECT_TRUE(is_direct(&opened, 4, 16384, 32768));
	EXPECT_FALSE(is_direct(&opened, 2, 16384, 32768));
	EXPECT_FALSE(is_direct(&opened, 4, 4096, 32768));
	EXPECT_FALSE(is_direct(&opened, 4, 16384, 4096));
out:
	close_disk(&opened);
}

TEST(alignment_that_is_tried)
{
	struct opened opened;

	write_image("", 0, 0);
	fake.no_dioalign = true;
	fake.reads_at = 2048;
	ASSERT_EQ(0, open_disk(&opened));
	if (opened.disk.direct_fd < 0)
		SKIP(goto out, "the file system of /tmp has no O_DIRECT");
	EXPECT_EQ(opened.disk.direct_memory, opened.disk.direct_align);
	EXPECT_TRUE(opened.disk.direct_align >= 2048 && opened.disk.direct_align <= 4096);
out:
	close_disk(&opened);
}

/* The disk works all the same, and the log says once that it is slower */
TEST(no_direct)
{
	struct opened opened;

	write_image("", 0, 0);
	fake.no_direct = true;
	ASSERT_EQ(0, open_disk(&opened));
	EXPECT_EQ(-1, opened.disk.direct_fd);
	EXPECT_SAID("through the host's page cache", opened.making.said);
	EXPECT_SAID("has no O_DIRECT: Invalid argument", opened.making.said);
	EXPECT_FALSE(is_direct(&opened, 0, 4096, 0));
	close_disk(&opened);

	/* For this file, as with compression */
	fake.dioalign = true;
	ASSERT_EQ(0, open_disk(&opened));
	EXPECT_EQ(-1, opened.disk.direct_fd);
	EXPECT_SAID("no O_DIRECT for this file", opened.making.said);
	close_disk(&opened);

	fake.no_dioalign = true;
	fake.reads_at = 8192;
	ASSERT_EQ(0, open_disk(&opened));
	EXPECT_EQ(-1, opened.disk.direct_fd);
	EXPECT_SAID("no O_DIRECT for this file", opened.making.said);
	close_disk(&opened);
}

TEST(btrfs)
{
	struct opened opened;

	write_image("", 0, 0);
	fake.file_system = BTRFS_SUPER_MAGIC;
	ASSERT_EQ(0, open_disk(&opened));
	EXPECT_EQ(-1, opened.disk.direct_fd);
	EXPECT_SAID("btrfs has checksums", opened.making.said);
	EXPECT_SAID("chattr +C", opened.making.said);
	close_disk(&opened);

	fake.file_system = BTRFS_SUPER_MAGIC;
	fake.flags = FS_NOCOW_FL;
	fake.dioalign = true;
	fake.memory = 512;
	fake.offset = 4096;
	ASSERT_EQ(0, open_disk(&opened));
	EXPECT_TRUE(!strstr(opened.making.said, "checksums"));
	close_disk(&opened);
}

TEST(refusal_is_told_once)
{
	struct opened opened;
	const char *said;

	write_image("", 0, 0);
	ASSERT_EQ(0, open_disk(&opened));
	capture_start();
	disk_refused_direct(&opened.disk);
	disk_refused_direct(&opened.disk);
	said = strstr(capture_end(), "refuses requests with O_DIRECT");
	EXPECT_TRUE(said && !strstr(said + 1, "refuses requests"));
	close_disk(&opened);
}

/* A block device with sectors of 4 KiB */
TEST(large_sectors)
{
	const struct guest_disk small = { .path = image, .direct = true, .block_size = 512 };
	const struct guest_disk config = { .path = image, .direct = true };
	struct guest *guest GUEST = guest_new();
	struct sigma_msg_config msg = { 0 };
	struct virtio_blk_config seen = { 0 };
	struct opened opened;

	write_image("", 0, 0);
	fake.block_size = 4096;
	capture_start();
	EXPECT_EQ(-EINVAL, guest_add_disk(guest, &small));
	EXPECT_SAID("has blocks of 4096 bytes itself: BlockSize=512 is too small", capture_end());
	EXPECT_EQ(0, guest_add_disk(guest, &config));
	msg.length = offsetof(struct virtio_blk_config, physical_block_exp);
	EXPECT_EQ(0, ask(guest, 0, SIGMA_MSG_GET_CONFIG, 0, &msg, sizeof(msg), &msg, sizeof(msg)));
	memcpy(&seen, msg.data, msg.length);
	EXPECT_EQ(4096, seen.blk_size);
	EXPECT_EQ(IMAGE_SIZE / 512, seen.capacity);
	virtio_bus_free(guest->bus);	/* and with it the lock on the image */
	guest->bus = NULL;

	/* What is no whole block goes through the page cache, which reads before it writes */
	fake.dioalign = true;
	fake.memory = 512;
	fake.offset = 4096;
	ASSERT_EQ(0, open_disk(&opened));
	EXPECT_FALSE(is_direct(&opened, 0, 512, 512));
	EXPECT_FALSE(is_direct(&opened, 0, 4096, 512));
	if (opened.disk.direct_fd >= 0)
		EXPECT_TRUE(is_direct(&opened, 512, 8192, 4096));
	close_disk(&opened);
}

/* Locks */

/* A lock of another program on one byte of the image; to be closed */
static int other_lock(short type, off_t at)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };
	int fd = open(image, O_RDWR | O_CLOEXEC);

	if (fcntl(fd, F_OFD_SETLK, &lock))
		abort();
	return fd;
}

static int add_locked(bool read_only)
{
	const struct guest_disk disk = { .path = image, .read_only = read_only, .direct = true };
	struct guest *guest GUEST = guest_new();
	int ret;

	capture_start();
	ret = guest_add_disk(guest, &disk);
	capture_end();
	return ret;
}

/* Bytes 100 + n: QEMU does n; 200 + n: it denies n. 0: reading, 1: writing, 3: resizing */
TEST(locks_of_qemu)
{
	static const struct {
		off_t at;
		int reader, writer;
	} locks[] = {
		{ 100, 0, 0 }, { 101, -EBUSY, -EBUSY }, { 103, -EBUSY, -EBUSY },
		{ 200, -EBUSY, -EBUSY }, { 201, 0, -EBUSY }, { 203, 0, -EBUSY }, { 0, 0, 0 },
	};

	write_image("", 0, 0);
	for (size_t i = 0; i < sizeof(locks) / sizeof(*locks); i++) {
		int fd = other_lock(F_RDLCK, locks[i].at);

		EXPECT_EQ(locks[i].reader, add_locked(true));
		EXPECT_EQ(locks[i].writer, add_locked(false));
		close(fd);
	}
}

/* What QEMU would find: F_UNLCK or F_RDLCK */
static int lock_at(off_t at)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };
	int fd = open(image, O_RDWR | O_CLOEXEC);

	if (fcntl(fd, F_OFD_GETLK, &lock))
		abort();
	close(fd);
	return lock.l_type;
}

TEST(locks_for_qemu)
{
	struct opened opened;

	write_image("", 0, 0);
	ASSERT_EQ(0, open_disk(&opened));
	EXPECT_EQ(F_RDLCK, lock_at(100));
	EXPECT_EQ(F_RDLCK, lock_at(101));
	EXPECT_EQ(F_RDLCK, lock_at(103));
	EXPECT_EQ(F_RDLCK, lock_at(201));
	EXPECT_EQ(F_RDLCK, lock_at(203));
	EXPECT_EQ(F_UNLCK, lock_at(200));
	/* Requests in flight of a sigmad that was killed have the file with O_DIRECT only */
	if (opened.disk.direct_fd >= 0) {
		close(opened.disk.fd);
		EXPECT_EQ(-EBUSY, add_locked(false));
		opened.disk.fd = dup(opened.disk.direct_fd);
	}
	close_disk(&opened);
	EXPECT_EQ(F_UNLCK, lock_at(101));
	EXPECT_EQ(0, add_locked(false));
}

/* A lock that was refused is not kept */
TEST(no_lock_is_left)
{
	int fd;

	write_image("", 0, 0);
	fd = other_lock(F_RDLCK, 201);
	EXPECT_EQ(-EBUSY, add_locked(false));
	EXPECT_EQ(F_UNLCK, lock_at(101));
	close(fd);
}

/* NFS makes of flock() a lock on the whole file, which the disk's other open file would meet */
TEST(no_flock_on_a_file)
{
	struct opened opened;
	int fd;

	write_image("", 0, 0);
	ASSERT_EQ(0, open_disk(&opened));
	fd = open(image, O_RDWR | O_CLOEXEC);
	EXPECT_EQ(0, flock(fd, LOCK_EX | LOCK_NB));
	close(fd);
	close_disk(&opened);
}

/* With SMB, a lock keeps everybody from writing to its bytes */
TEST(no_lock_in_the_data_by_smb)
{
	static const long file_systems[] = { CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC };

	for (size_t i = 0; i < sizeof(file_systems) / sizeof(*file_systems); i++) {
		struct opened opened;

		write_image("", 0, 0);
		fake.file_system = file_systems[i];
		ASSERT_EQ(0, open_disk(&opened));
		EXPECT_EQ(F_UNLCK, lock_at(101));
		EXPECT_EQ(F_RDLCK, lock_at((1LL << 62) + 101));
		EXPECT_EQ(-EBUSY, add_locked(false));
		close_disk(&opened);
	}
}

TEST_HARNESS_MAIN
