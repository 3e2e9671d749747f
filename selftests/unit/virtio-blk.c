// SPDX-License-Identifier: GPL-2.0
/*
 * Disks: requests on real files, and requests that must fail. The tests run with io_uring and, in
 * virtio-blk-blocking.c, without it, where they can make system calls fail.
 */
#include <fcntl.h>
#include <liburing.h>
#include <linux/loop.h>
#include <linux/virtio_blk.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "../../common/guestfile.h"
#include "../../daemon/virtio/disk_stamp.h"
#include "capture.h"
#include "disk-image.h"
#include "tap.h"
#include "virtio-guest.h"

#define F_VERSION_1	(1ULL << VIRTIO_F_VERSION_1)
#define IMAGE_SECTORS	2048ULL
#define IMAGE_SIZE	(IMAGE_SECTORS * 512)
#define PATIENCE	10000		/* ms */
#define NO_ANSWER	0xff
#define W		VRING_DESC_F_WRITE

/* Fill the image with 0xaa, so that zeroes are seen */
static void fill_image(off_t size)
{
	char block[4096];
	int fd = open(image, O_WRONLY | O_TRUNC);

	memset(block, 0xaa, sizeof(block));
	for (off_t at = 0; at < size; at += sizeof(block))
		if (pwrite(fd, block, sizeof(block), at) != sizeof(block))
			abort();
	if (ftruncate(fd, size))
		abort();
	close(fd);
}

static int image_byte(off_t at)
{
	uint8_t byte;
	int fd = open(image, O_RDONLY);
	int ret = pread(fd, &byte, 1, at) == 1 ? byte : -1;

	close(fd);
	return ret;
}

#ifdef WITHOUT_IO_URING
#define WITH_IO_URING 0

int io_uring_queue_init_params(unsigned int entries, struct io_uring *ring,
			       struct io_uring_params *params)
{
	return -EPERM;		/* as when kernel.io_uring_disabled is set */
}
#else
#define WITH_IO_URING 1
#endif

static int memory_error;	/* -ENOMEM: RLIMIT_MEMLOCK, without CAP_IPC_LOCK */
static unsigned int buffers;	/* number of the last ones that were to be registered */

#define HUGE_BUFFERS	9	/* of which there are more, are of a guest whose memory is mostly a gap */

/* Of a huge guest, all buffers but the last are left out: memory in them would be allocated */
int io_uring_register_buffers(struct io_uring *ring, const struct iovec *iov, unsigned int nr)
{
	struct iovec last[nr];
	int error = __atomic_load_n(&memory_error, __ATOMIC_ACQUIRE);

	__atomic_store_n(&buffers, nr, __ATOMIC_RELEASE);
	if (error)
		return error;
	memcpy(last, iov, sizeof(last));
	if (nr > HUGE_BUFFERS)
		memset(last, 0, (nr - 1) * sizeof(*last));
	/* The last one of a guest with still more memory is in the gap */
	if (nr > HUGE_BUFFERS && last[nr - 1].iov_len == 1ULL << 30)
		memset(last, 0, sizeof(last));
	return syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_BUFFERS, last, nr) ?
		-errno : 0;
}

static int flush_error;		/* the error of the next fdatasync(), once, as in Linux */
static bool writes_fail;

int fdatasync(int fd)
{
	int error = __atomic_exchange_n(&flush_error, 0, __ATOMIC_ACQ_REL);

	if (!error)
		return syscall(SYS_fdatasync, fd);
	errno = error;
	return -1;
}

ssize_t pwritev(int fd, const struct iovec *iov, int nr, off_t offset)
{
	if (!__atomic_load_n(&writes_fail, __ATOMIC_ACQUIRE))
		return syscall(SYS_pwritev, fd, iov, nr, offset, 0);
	errno = ENOSPC;
	return -1;
}

static unsigned int allocations;	/* calls of fallocate() */
static unsigned int allocation_usec;	/* duration of each */

int fallocate(int fd, int mode, off_t offset, off_t len)
{
	__atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
	usleep(__atomic_load_n(&allocation_usec, __ATOMIC_RELAXED));
	return syscall(SYS_fallocate, fd, mode, offset, len);
}

static int add_disk(struct guest *guest, bool read_only)
{
	const struct guest_disk disk = { .path = image, .read_only = read_only, .direct = true };

	return guest_add_disk(guest, &disk);
}

struct disk {
	struct guest *guest;
	struct ring ring;
	uint64_t head, status, data;	/* guest physical */
};

#define DATA_SIZE	65536

static void disk_start(struct disk *disk, struct guest *guest, uint64_t without)
{
	disk->guest = guest;
	disk->head = guest_alloc(guest, sizeof(struct virtio_blk_outhdr));
	disk->status = guest_alloc(guest, 1);
	disk->data = guest_alloc(guest, DATA_SIZE);
	if (!negotiate(guest, 0, get_features(guest, 0) & ~without) ||
	    ring_open(&disk->ring, guest, 0, 0, 64) || !driver_ok(guest, 0))
		abort();
}

static struct guest *disk_new(struct disk *disk, bool read_only)
{
	struct guest *guest = guest_new();

	fill_image(IMAGE_SIZE);
	if (add_disk(guest, read_only) < 0)
		abort();
	disk_start(disk, guest, 0);
	return guest;
}

/* Do one chain and wait for it. Return: its status; @written is the length in the used entry */
static uint8_t do_chain(struct disk *disk, const struct buffer *chain, unsigned int nr,
			uint32_t *written)
{
	uint8_t *status = at(disk->guest, disk->status);
	struct vring_used_elem elem;

	*status = NO_ANSWER;
	vring_used_event(&disk->ring.v) = disk->ring.seen;
	ring_add(&disk->ring, chain, nr);
	ring_kick(&disk->ring);
	if (!ring_take(&disk->ring, PATIENCE, &elem))
		return NO_ANSWER;
	*written = elem.len;
	return *status;
}

static uint8_t do_request(struct disk *disk, uint32_t type, uint64_t sector, uint32_t len,
			  uint32_t *written)
{
	struct virtio_blk_outhdr *head = at(disk->guest, disk->head);
	bool in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
	const struct buffer chain[] = {
		{ disk->head, sizeof(*head), 0 },
		{ disk->data, len, in ? W : 0 },
		{ disk->status, 1, W },
	};
	const struct buffer without_data[] = { chain[0], chain[2] };

	*head = (struct virtio_blk_outhdr) { .type = type, .sector = sector };
	return len ? do_chain(disk, chain, 3, written) :
		     do_chain(disk, without_data, 2, written);
}

static uint8_t request(struct disk *disk, uint32_t type, uint64_t sector, uint32_t len)
{
	uint32_t written;

	return do_request(disk, type, sector, len, &written);
}

static uint8_t range_request(struct disk *disk, uint32_t type, uint64_t sector, uint32_t nr,
			     uint32_t flags)
{
	struct virtio_blk_discard_write_zeroes *range = at(disk->guest, disk->data);

	*range = (struct virtio_blk_discard_write_zeroes) {
		.sector = sector, .num_sectors = nr, .flags = flags,
	};
	return request(disk, type, 0, sizeof(*range));
}

static struct virtio_blk_config read_config(struct guest *guest)
{
	struct sigma_msg_device_info info = { 0 };
	struct virtio_blk_config config = { 0 };
	struct sigma_msg_config msg = { 0 };

	ask(guest, 0, SIGMA_MSG_DEVICE_INFO, 0, NULL, 0, &info, sizeof(info));
	msg.length = info.config_size;
	ask(guest, 0, SIGMA_MSG_GET_CONFIG, 0, &msg, sizeof(msg), &msg, sizeof(msg));
	memcpy(&config, msg.data, msg.length < sizeof(config) ? msg.length : sizeof(config));
	return config;
}

TEST(describes_the_file)
{
	struct guest *guest GUEST = guest_new();
	struct virtio_blk_config config;
	uint64_t features;

	fill_image(IMAGE_SIZE);
	ASSERT_EQ(0, add_disk(guest, false));
	config = read_config(guest);
	features = get_features(guest, 0);
	EXPECT_EQ(IMAGE_SECTORS, config.capacity);
	EXPECT_EQ(512, config.blk_size);
	EXPECT_EQ(VIRTQUEUE_SEGMENTS_MAX - 2, config.seg_max);
	EXPECT_TRUE(features & 1ULL << VIRTIO_BLK_F_FLUSH);
	EXPECT_TRUE(features & 1ULL << VIRTIO_BLK_F_WRITE_ZEROES);
	EXPECT_FALSE(features & 1ULL << VIRTIO_BLK_F_RO);
	EXPECT_TRUE(config.max_write_zeroes_sectors && config.max_write_zeroes_seg);
}

TEST(described_by_the_guest_file)
{
	struct guest_disk config = {
		.path = image, .serial = "a-serial-of-20-chars", .block_size = 4096,
	};
	struct guest *guest GUEST = guest_new();
	struct virtio_blk_config seen;
	struct disk disk;

	fill_image(IMAGE_SIZE);
	ASSERT_EQ(0, guest_add_disk(guest, &config));
	seen = read_config(guest);
	EXPECT_EQ(4096, seen.blk_size);
	EXPECT_EQ(0, seen.physical_block_exp);
	EXPECT_EQ(IMAGE_SECTORS, seen.capacity);
	disk_start(&disk, guest, 0);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_GET_ID, 0, VIRTIO_BLK_ID_BYTES));
	EXPECT_EQ(0, memcmp(at(guest, disk.data), config.serial, VIRTIO_BLK_ID_BYTES));
}

TEST(block_size_that_does_not_fit)
{
	const struct guest_disk config = { .path = image, .block_size = 4096 };
	struct guest *guest GUEST = guest_new();

	fill_image(IMAGE_SIZE);
	if (truncate(image, IMAGE_SIZE - 512))
		abort();
	capture_start();
	EXPECT_EQ(-EINVAL, guest_add_disk(guest, &config));
	EXPECT_SAID("no multiple of BlockSize=4096", capture_end());
}

TEST(reads_and_writes)
{
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, false);
	uint8_t *data = at(guest, disk.data);
	uint32_t written;

	for (unsigned int i = 0; i < 4096; i++)
		data[i] = i / 16;
	EXPECT_EQ(VIRTIO_BLK_S_OK, do_request(&disk, VIRTIO_BLK_T_OUT, 8, 4096, &written));
	EXPECT_EQ(1, written);
	EXPECT_EQ(0xaa, image_byte(4095));
	EXPECT_EQ(0, image_byte(4096));
	EXPECT_EQ(0xff, image_byte(8191));
	EXPECT_EQ(0xaa, image_byte(8192));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_FLUSH, 0, 0));

	memset(data, 0, DATA_SIZE);
	EXPECT_EQ(VIRTIO_BLK_S_OK, do_request(&disk, VIRTIO_BLK_T_IN, 9, 1024, &written));
	EXPECT_EQ(1025, written);
	EXPECT_EQ(32, data[0]);
	EXPECT_EQ(95, data[1023]);
	EXPECT_EQ(0, data[1024]);
}

static void expect_slow(int error, const char *said)
{
	struct disk disk;
	struct guest *guest;

	__atomic_store_n(&memory_error, error, __ATOMIC_RELEASE);
	capture_start();
	guest = disk_new(&disk, false);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_IN, 0, 1024));
	EXPECT_EQ(0xaa, *(uint8_t *)at(guest, disk.data));
	EXPECT_SAID(said, capture_end());
	__atomic_store_n(&memory_error, 0, __ATOMIC_RELEASE);
	guest_free(&guest);
}

TEST(memory_that_cannot_be_registered)
{
	if (!WITH_IO_URING)
		SKIP(return, "only io_uring registers memory");
	expect_slow(-ENOMEM, "slower than it could be, since sigmad cannot lock the guest's memory");
	expect_slow(-EFAULT, "slower than it could be, since the kernel does not register");
}

#define GIB	(1ULL << 30)

/* A guest with so many bytes of memory, the last SEGMENT_SIZE of which exist, and a request there */
static const char *use_end(uint64_t size)
{
	struct guest *guest = guest_new_with_gap(size - 2 * SEGMENT_SIZE);
	struct disk disk;
	const char *said;

	fill_image(IMAGE_SIZE);
	if (add_disk(guest, false) < 0)
		abort();
	capture_start();
	disk_start(&disk, guest, 0);
	disk.data = SEGMENT_1;
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_IN, 0, 1024));
	EXPECT_EQ(0xaa, *(uint8_t *)at(guest, SEGMENT_1));
	EXPECT_EQ(0xaa, *(uint8_t *)at(guest, SEGMENT_1 + 1023));
	memset(at(guest, SEGMENT_1), 0x55, 1024);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_OUT, 2, 1024));
	EXPECT_EQ(0x55, image_byte(2047));
	said = capture_end();
	guest_free(&guest);
	return said;
}

TEST(much_memory_is_registered)
{
	if (!WITH_IO_URING)
		SKIP(return, "only io_uring registers memory");
	EXPECT_STREQ("", use_end(9 * GIB + SEGMENT_SIZE));
	EXPECT_EQ(10, __atomic_load_n(&buffers, __ATOMIC_ACQUIRE));
	EXPECT_STREQ("", use_end(63 * GIB + SEGMENT_SIZE));
	EXPECT_EQ(64, __atomic_load_n(&buffers, __ATOMIC_ACQUIRE));
	EXPECT_SAID("above the first 64 GiB of the guest's memory", use_end(65 * GIB));
	EXPECT_EQ(64, __atomic_load_n(&buffers, __ATOMIC_ACQUIRE));
}

TEST(driver_without_a_queue)
{
	struct guest *guest GUEST = guest_new();
	uint32_t now;

	fill_image(IMAGE_SIZE);
	ASSERT_EQ(0, add_disk(guest, false));
	capture_start();
	EXPECT_TRUE(negotiate(guest, 0, get_features(guest, 0)));
	EXPECT_FALSE(driver_ok(guest, 0));
	EXPECT_SAID("left out its queue", capture_end());
	EXPECT_TRUE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
	EXPECT_EQ(0, set_status(guest, 0, 0, &now));
	EXPECT_TRUE(negotiate(guest, 0, get_features(guest, 0)));
}

TEST(works_without_flush)
{
	struct guest *guest GUEST = guest_new();
	struct disk disk;

	fill_image(IMAGE_SIZE);
	ASSERT_EQ(0, add_disk(guest, false));
	disk_start(&disk, guest, 1ULL << VIRTIO_BLK_F_FLUSH);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_OUT, 0, 512));
	EXPECT_EQ(0, image_byte(0));
}

TEST(failed_flush_is_not_forgotten)
{
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, false);
	const char *said, *first;
	uint32_t now;

	if (WITH_IO_URING)
		SKIP(return, "fdatasync() can't be made to fail within io_uring");
	capture_start();
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_FLUSH, 0, 0));
	__atomic_store_n(&flush_error, EIO, __ATOMIC_RELEASE);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&disk, VIRTIO_BLK_T_FLUSH, 0, 0));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&disk, VIRTIO_BLK_T_FLUSH, 0, 0));
	EXPECT_SAID("cannot be flushed", virtio_bus_trouble(guest->bus, 0));
	/* Data that is on the disk can still be read and written */
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_IN, 0, 512));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_OUT, 0, 512));
	/* A reset does not clear the error, nor does a driver that never flushes */
	EXPECT_EQ(0, set_status(guest, 0, 0, &now));
	disk_start(&disk, guest, 1ULL << VIRTIO_BLK_F_FLUSH);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&disk, VIRTIO_BLK_T_OUT, 0, 512));
	said = capture_end();
	EXPECT_SAID("Input/output error", said);
	first = strstr(said, "write out its cache");
	EXPECT_TRUE(first && !strstr(first + 1, "write out its cache"));	/* said once */
}

static void pause_disk(struct guest *guest)
{
	/* A moment after the guest has seen it, the last request is no longer in flight */
	for (unsigned int i = 0; i < PATIENCE && !virtio_bus_idle(guest->bus); i++)
		usleep(1000);
	EXPECT_TRUE(virtio_bus_idle(guest->bus));
	virtio_bus_pause(guest->bus);
}

TEST(pauses_and_goes_on)
{
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, false);
	struct disk_stamp was, is;

	EXPECT_TRUE(virtio_bus_pauses(guest->bus, 0));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_OUT, 0, 512));
	pause_disk(guest);
	ASSERT_EQ(1, virtio_bus_stamp(guest->bus, 0, &was));
	EXPECT_EQ(0, virtio_bus_stamp(guest->bus, 1, &is));
	EXPECT_EQ(IMAGE_SIZE, was.size);
	EXPECT_NE(0, was.modified_ns);
	/* Nobody serves the queue */
	EXPECT_EQ(-1, guest->kick_fd[disk.ring.kick]);
	ASSERT_EQ(0, virtio_bus_resume(guest->bus));

	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_IN, 0, 512));
	pause_disk(guest);
	ASSERT_EQ(1, virtio_bus_stamp(guest->bus, 0, &is));
	EXPECT_EQ(0, memcmp(&was, &is, sizeof(is)));
	ASSERT_EQ(0, virtio_bus_resume(guest->bus));

	memset(at(guest, disk.data), 0x5a, 512);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_OUT, 0, 512));
	pause_disk(guest);
	ASSERT_EQ(1, virtio_bus_stamp(guest->bus, 0, &is));
	EXPECT_NE(was.sample, is.sample);
	/* What the guest wrote is not stable */
	__atomic_store_n(&flush_error, EIO, __ATOMIC_RELEASE);
	EXPECT_EQ(-EIO, virtio_bus_stamp(guest->bus, 0, &is));
	ASSERT_EQ(0, virtio_bus_resume(guest->bus));
}

/* To look at what a disk can do does not change it */
TEST(opening_is_no_change)
{
	struct guest *guest GUEST = guest_new();
	struct stat was, is;

	fill_image(IMAGE_SIZE);
	ASSERT_EQ(0, stat(image, &was));
	usleep(20000);			/* longer than a tick, by which times of files go */
	ASSERT_EQ(0, add_disk(guest, false));
	ASSERT_EQ(0, stat(image, &is));
	EXPECT_EQ(0, memcmp(&was.st_mtim, &is.st_mtim, sizeof(is.st_mtim)));
}

TEST(failed_flush_is_persisted)
{
	static struct virtio_state state;
	struct guest *guest GUEST = guest_new();
	struct disk disk;

	if (WITH_IO_URING)
		SKIP(return, "fdatasync() can't be made to fail within io_uring");
	/* A disk that was removed has left it */
	state.device[0].failed = ENOSPC;
	virtio_bus_keep(guest->bus, &state, false);
	fill_image(IMAGE_SIZE);
	ASSERT_EQ(0, add_disk(guest, false));
	disk_start(&disk, guest, 0);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_FLUSH, 0, 0));
	EXPECT_EQ(0, state.device[0].failed);
	__atomic_store_n(&flush_error, EIO, __ATOMIC_RELEASE);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&disk, VIRTIO_BLK_T_FLUSH, 0, 0));
	EXPECT_EQ(EIO, state.device[0].failed);
}

TEST(failed_write_fails_alone)
{
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, false);

	if (WITH_IO_URING)
		SKIP(return, "pwritev() can't be made to fail within io_uring");
	__atomic_store_n(&writes_fail, true, __ATOMIC_RELEASE);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&disk, VIRTIO_BLK_T_OUT, 0, 512));
	__atomic_store_n(&writes_fail, false, __ATOMIC_RELEASE);
	ASSERT_TRUE(guest);
	EXPECT_SAID("had no room on the host", virtio_bus_trouble(guest->bus, 0));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_OUT, 0, 512));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_FLUSH, 0, 0));
}

TEST(any_layout)
{
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, false);
	struct virtio_blk_outhdr *head = at(guest, disk.head);
	/* The header has three parts, the last with data; the status shares a buffer with data */
	struct buffer chain[] = {
		{ disk.head, 1, 0 }, { disk.head + 1, 14, 0 }, { disk.head + 15, 1 + 512, 0 },
		{ disk.status, 1, W },
	};
	struct buffer read[] = {
		{ disk.head, 16, 0 }, { disk.data, 100, W }, { disk.data + 100, 413, W },
	};
	uint32_t written;

	*head = (struct virtio_blk_outhdr) { .type = VIRTIO_BLK_T_OUT, .sector = 1 };
	memset(head + 1, 0x55, 512);
	EXPECT_EQ(VIRTIO_BLK_S_OK, do_chain(&disk, chain, 4, &written));
	EXPECT_EQ(0x55, image_byte(512));
	EXPECT_EQ(0x55, image_byte(1023));
	EXPECT_EQ(0xaa, image_byte(1024));

	head->type = VIRTIO_BLK_T_IN;
	((uint8_t *)at(guest, disk.data))[512] = NO_ANSWER;
	do_chain(&disk, read, 3, &written);
	EXPECT_EQ(513, written);
	EXPECT_EQ(0x55, *(uint8_t *)at(guest, disk.data + 511));
	EXPECT_EQ(VIRTIO_BLK_S_OK, *(uint8_t *)at(guest, disk.data + 512));
}

/* Moved in several steps, which begin and end within buffers */
TEST(large_request)
{
	enum { MIB = 1 << 20, LEN = 10 * MIB };
	struct guest *guest GUEST = guest_new();
	struct virtio_blk_outhdr *head;
	uint32_t written, *words;
	struct disk disk;
	uint64_t data;

	fill_image(0);
	if (truncate(image, LEN))
		abort();
	ASSERT_EQ(0, add_disk(guest, false));
	disk_start(&disk, guest, 0);
	data = guest_alloc(guest, LEN);
	words = at(guest, data);
	head = at(guest, disk.head);
	for (unsigned int round = 0; round < 2; round++) {
		uint16_t flags = round ? W : 0;
		const struct buffer chain[] = {
			{ disk.head, sizeof(*head), 0 }, { data, 6 * MIB + 512, flags },
			{ data + 6 * MIB + 512, MIB, flags },
			{ data + 7 * MIB + 512, 3 * MIB - 512, flags }, { disk.status, 1, W },
		};

		for (unsigned int i = 0; i < LEN / sizeof(*words); i++)
			words[i] = round ? 0 : i;
		*head = (struct virtio_blk_outhdr) {
			.type = round ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT,
		};
		EXPECT_EQ(VIRTIO_BLK_S_OK, do_chain(&disk, chain, 5, &written));
		EXPECT_EQ(round ? LEN + 1 : 1, written);
	}
	for (unsigned int i = 0; i < LEN / sizeof(*words); i++)
		ASSERT_EQ(i, words[i]);
}

TEST(get_id)
{
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, false);
	char *data = at(guest, disk.data);

	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_GET_ID, 0, VIRTIO_BLK_ID_BYTES));
	EXPECT_STREQ("sigma-0", data);
	memset(data, 'x', 8);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_GET_ID, 0, 3));
	EXPECT_EQ('g', data[2]);
	EXPECT_EQ('x', data[3]);
}

TEST(bounds)
{
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, false);
	static const struct {
		uint64_t sector;
		uint32_t len;
		uint8_t status;
	} cases[] = {
		{ IMAGE_SECTORS - 1, 512, VIRTIO_BLK_S_OK },
		{ IMAGE_SECTORS, 0, VIRTIO_BLK_S_OK },
		{ IMAGE_SECTORS, 512, VIRTIO_BLK_S_IOERR },
		{ IMAGE_SECTORS - 1, 1024, VIRTIO_BLK_S_IOERR },
		{ IMAGE_SECTORS + 1, 0, VIRTIO_BLK_S_IOERR },
		{ ~0ULL, 512, VIRTIO_BLK_S_IOERR },
		{ ~0ULL / 512 + 1, 512, VIRTIO_BLK_S_IOERR },	/* byte offset wraps to 0 */
		{ 1ULL << 63, 512, VIRTIO_BLK_S_IOERR },
		{ 0, 511, VIRTIO_BLK_S_IOERR },
		{ 0, 513, VIRTIO_BLK_S_IOERR },
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		EXPECT_EQ(cases[i].status, request(&disk, VIRTIO_BLK_T_IN, cases[i].sector,
						   cases[i].len));
		EXPECT_EQ(cases[i].status, request(&disk, VIRTIO_BLK_T_OUT, cases[i].sector,
						   cases[i].len));
	}
	EXPECT_EQ(0xaa, image_byte(0));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_FLUSH, 0, 0));
	guest_run(guest, 0);
	EXPECT_FALSE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

TEST(unknown_requests)
{
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, false);

	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, request(&disk, 2, 0, 512));
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, request(&disk, VIRTIO_BLK_T_SECURE_ERASE, 0, 16));
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, request(&disk, 0xffffffff, 0, 512));
}

TEST(write_zeroes)
{
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, false);
	struct virtio_blk_config config = read_config(guest);
	const uint32_t type = VIRTIO_BLK_T_WRITE_ZEROES;

	EXPECT_EQ(VIRTIO_BLK_S_OK, range_request(&disk, type, 1, 2, 0));
	EXPECT_EQ(0xaa, image_byte(511));
	EXPECT_EQ(0, image_byte(512));
	EXPECT_EQ(0, image_byte(1535));
	EXPECT_EQ(0xaa, image_byte(1536));
	EXPECT_EQ(VIRTIO_BLK_S_OK, range_request(&disk, type, 8, 16,
						 VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP));
	EXPECT_EQ(0, image_byte(8 * 512));
	EXPECT_EQ(0, image_byte(24 * 512 - 1));
	EXPECT_EQ(0xaa, image_byte(24 * 512));
	EXPECT_EQ(VIRTIO_BLK_S_OK, range_request(&disk, type, IMAGE_SECTORS, 0, 0));

	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, range_request(&disk, type, 0, 1, 2));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, range_request(&disk, type, IMAGE_SECTORS - 1, 2, 0));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, range_request(&disk, type, ~0ULL, 1, 0));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, range_request(&disk, type, 0, 0xffffffff, 0));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&disk, type, 0, 15));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&disk, type, 0, 0));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&disk, type, 0,
					      16 * (config.max_write_zeroes_seg + 1)));
	EXPECT_EQ(0xaa, image_byte(IMAGE_SIZE - 1));
}

TEST(discard)
{
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, false);
	struct virtio_blk_config config = read_config(guest);
	const uint32_t type = VIRTIO_BLK_T_DISCARD;
	struct stat before, after;

	if (!(get_features(guest, 0) & 1ULL << VIRTIO_BLK_F_DISCARD))
		SKIP(return, "the file system of /tmp can't punch holes");
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_FLUSH, 0, 0));
	stat(image, &before);
	EXPECT_EQ(VIRTIO_BLK_S_OK, range_request(&disk, type, 1024, 1024, 0));
	stat(image, &after);
	EXPECT_TRUE(after.st_blocks < before.st_blocks);
	EXPECT_EQ(IMAGE_SIZE, after.st_size);
	EXPECT_EQ(0xaa, image_byte(1024 * 512 - 1));

	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, range_request(&disk, type, 0, 1, 1));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, range_request(&disk, type, IMAGE_SECTORS, 1, 0));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&disk, type, 0,
					      16 * (config.max_discard_seg + 1)));
	EXPECT_EQ(0xaa, image_byte(0));
}

/* Each disk is sparse, and so large that only its own limit can refuse the request */
static void too_large(uint32_t type, uint32_t max)
{
	struct guest *guest GUEST = guest_new();
	struct disk disk;

	fill_image(0);
	if (truncate(image, (max + 1ULL) * 512))
		SKIP(return, "the file system of /tmp takes no large file");
	ASSERT_EQ(0, add_disk(guest, false));
	disk_start(&disk, guest, 0);
	EXPECT_EQ(VIRTIO_BLK_S_OK, range_request(&disk, type, 1, max, type ==
						 VIRTIO_BLK_T_WRITE_ZEROES));
	capture_start();
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, range_request(&disk, type, 0, max + 1, 0));
	EXPECT_SAID("larger than the disk allows", capture_end());
}

TEST(ranges_are_limited)
{
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, false);
	struct virtio_blk_config config = read_config(guest);

	virtio_bus_free(guest->bus);	/* and with it the lock on the image */
	guest->bus = NULL;
	if (!config.max_discard_seg)
		SKIP(return, "the file system of /tmp can't punch holes");
	too_large(VIRTIO_BLK_T_DISCARD, config.max_discard_sectors);
	too_large(VIRTIO_BLK_T_WRITE_ZEROES, config.max_write_zeroes_sectors);
}

TEST(reset_between_ranges)
{
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, false);
	unsigned int nr = read_config(guest).max_discard_seg;
	struct virtio_blk_discard_write_zeroes *range = at(guest, disk.data);
	struct virtio_blk_outhdr *head = at(guest, disk.head);
	const struct buffer chain[] = {
		{ disk.head, sizeof(*head), 0 }, { disk.data, nr * sizeof(*range), 0 },
		{ disk.status, 1, W },
	};
	uint32_t now;

	if (!nr)
		SKIP(return, "the file system of /tmp can't punch holes");
	*head = (struct virtio_blk_outhdr) { .type = VIRTIO_BLK_T_DISCARD };
	for (unsigned int i = 0; i < nr; i++)
		range[i] = (struct virtio_blk_discard_write_zeroes) { i * 8, 8, 0 };
	__atomic_store_n(&allocations, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&allocation_usec, 100000, __ATOMIC_RELAXED);
	ring_add(&disk.ring, chain, 3);
	ring_kick(&disk.ring);
	while (!__atomic_load_n(&allocations, __ATOMIC_RELAXED))
		usleep(100);
	EXPECT_EQ(0, set_status(guest, 0, 0, &now));
	__atomic_store_n(&allocation_usec, 0, __ATOMIC_RELAXED);
	EXPECT_TRUE(__atomic_load_n(&allocations, __ATOMIC_RELAXED) < nr);
}

TEST(feature_not_negotiated)
{
	struct guest *guest GUEST = guest_new();
	struct disk disk;

	fill_image(IMAGE_SIZE);
	ASSERT_EQ(0, add_disk(guest, false));
	disk_start(&disk, guest, 1ULL << VIRTIO_BLK_F_WRITE_ZEROES);
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP,
		  range_request(&disk, VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0));
	EXPECT_EQ(0xaa, image_byte(0));
}

TEST(read_only)
{
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, true);

	EXPECT_TRUE(get_features(guest, 0) & 1ULL << VIRTIO_BLK_F_RO);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_IN, 0, 512));
	EXPECT_EQ(0xaa, *(uint8_t *)at(guest, disk.data));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&disk, VIRTIO_BLK_T_OUT, 0, 512));
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP,
		  range_request(&disk, VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0));
	EXPECT_EQ(0xaa, image_byte(0));
}

TEST(file_that_shrank)
{
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, false);
	uint32_t written;

	EXPECT_TRUE(!virtio_bus_trouble(guest->bus, 0));
	if (truncate(image, 512))
		abort();
	EXPECT_SAID("has become smaller", virtio_bus_trouble(guest->bus, 0));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, do_request(&disk, VIRTIO_BLK_T_IN, 0, 1024, &written));
	EXPECT_EQ(512, written);	/* that much, but not the status after the gap */
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_IN, 0, 512));
}

TEST(file_that_was_removed)
{
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, false);

	ASSERT_TRUE(guest);
	if (unlink(image))
		abort();
	EXPECT_SAID("was removed on the host", virtio_bus_trouble(guest->bus, 0));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_OUT, 0, 512));
	/* For the next test */
	if (close(creat(image, 0600)))
		abort();
}

static uint32_t generation(struct guest *guest)
{
	struct sigma_msg_config msg = { .length = 8 };

	ask(guest, 0, SIGMA_MSG_GET_CONFIG, 0, &msg, sizeof(msg), &msg, sizeof(msg));
	return msg.generation;
}

/* Resize the disk. Return: its new size, or a negative errno and the reason in @said */
static int64_t resize(struct guest *guest, uint64_t size, const char **said)
{
	int ret;

	guest->nr_messages = 0;
	capture_start();
	ret = virtio_bus_resize(guest->bus, 0, &size);
	*said = capture_end();
	return ret ?: (int64_t)size;
}

TEST(file_that_grew)
{
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, false);
	uint32_t first = generation(guest);
	const char *said;

	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&disk, VIRTIO_BLK_T_OUT, IMAGE_SECTORS, 512));
	if (truncate(image, 2 * IMAGE_SIZE))
		abort();
	/* The guest has the old size until it is told */
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&disk, VIRTIO_BLK_T_OUT, IMAGE_SECTORS, 512));
	EXPECT_EQ(IMAGE_SECTORS, read_config(guest).capacity);
	EXPECT_EQ(2 * IMAGE_SIZE, resize(guest, 0, &said));
	EXPECT_EQ(1, guest->nr_messages);
	EXPECT_EQ(SIGMA_MSG_EVENT_CONFIG, guest->message[0].head.id);
	EXPECT_EQ(first + 1, generation(guest));
	EXPECT_EQ(2 * IMAGE_SECTORS, read_config(guest).capacity);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_OUT, 2 * IMAGE_SECTORS - 1, 512));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&disk, VIRTIO_BLK_T_OUT, 2 * IMAGE_SECTORS, 512));
	/* The size did not change, and the guest is told all the same */
	EXPECT_EQ(2 * IMAGE_SIZE, resize(guest, 0, &said));
	EXPECT_EQ(1, guest->nr_messages);
}

/* Run the event loop until sigmad has said this, which it must */
static void run_until_said(struct guest *guest, const char *text)
{
	for (unsigned int i = 0; i < 200 && !strstr(capture_peek(), text); i++)
		guest_run(guest, 100);
	EXPECT_SAID(text, capture_end());
}

TEST(growth_is_noticed)
{
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, false);
	int fd = open(image, O_WRONLY | O_CLOEXEC);

	guest->nr_messages = 0;
	capture_start();
	if (ftruncate(fd, 2 * IMAGE_SIZE))
		abort();
	close(fd);
	run_until_said(guest, "has grown to 2097152 bytes, and the guest was told");
	EXPECT_EQ(1, guest->nr_messages);
	EXPECT_EQ(SIGMA_MSG_EVENT_CONFIG, guest->message[0].head.id);
	EXPECT_EQ(2 * IMAGE_SECTORS, read_config(guest).capacity);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_OUT, 2 * IMAGE_SECTORS - 1, 512));

	/* Neither a size that is no size of a disk nor a smaller one is passed on */
	fd = open(image, O_WRONLY | O_CLOEXEC);
	capture_start();
	if (ftruncate(fd, 2 * IMAGE_SIZE + 511))
		abort();
	close(fd);
	run_until_said(guest, "which is no multiple of 512");
	fd = open(image, O_WRONLY | O_CLOEXEC);
	capture_start();
	if (ftruncate(fd, IMAGE_SIZE))
		abort();
	close(fd);
	run_until_said(guest, "has 1048576 bytes only now, and the guest was given 2097152, which it keeps");
	EXPECT_EQ(1, guest->nr_messages);
	EXPECT_EQ(2 * IMAGE_SECTORS, read_config(guest).capacity);
}

/* What the guest writes, or changes in the file otherwise, does not wake sigmad */
TEST(writes_are_no_growth)
{
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, false);

	/* What the driver's start has left is done */
	while (sd_event_run(guest->event, 100000) > 0)
		;
	for (unsigned int i = 0; i < 8; i++)
		EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_OUT, i, 512));
	EXPECT_EQ(0, sd_event_run(guest->event, 200000));
}

TEST(file_that_is_made_larger)
{
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, false);
	const char *said;
	struct stat st;

	EXPECT_EQ(3 * IMAGE_SIZE, resize(guest, 3 * IMAGE_SIZE, &said));
	EXPECT_TRUE(!stat(image, &st) && st.st_size == 3 * IMAGE_SIZE);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_IN, 3 * IMAGE_SECTORS - 1, 512));
	EXPECT_EQ(0xaa, image_byte(IMAGE_SIZE - 1));
	EXPECT_EQ(3 * IMAGE_SIZE, resize(guest, 3 * IMAGE_SIZE, &said));
}

TEST(disk_does_not_shrink)
{
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, false);
	const char *said;
	struct stat st;

	EXPECT_EQ(-EINVAL, resize(guest, IMAGE_SIZE - 512, &said));
	EXPECT_SAID("has 1048576 bytes already, and does not shrink to 1048064", said);
	EXPECT_EQ(-EINVAL, resize(guest, IMAGE_SIZE + 511, &said));
	EXPECT_SAID("1049087 bytes are no multiple of 512", said);
	EXPECT_TRUE(!stat(image, &st) && st.st_size == IMAGE_SIZE);
	if (truncate(image, IMAGE_SIZE + 511))
		abort();
	EXPECT_EQ(-EINVAL, resize(guest, 0, &said));
	EXPECT_SAID("has 1049087 bytes, which is no multiple of 512", said);
	if (truncate(image, 512))
		abort();
	EXPECT_EQ(-EINVAL, resize(guest, 0, &said));
	EXPECT_SAID("has 512 bytes only, and the guest was given 1048576", said);
	EXPECT_EQ(0, guest->nr_messages);
	EXPECT_EQ(IMAGE_SECTORS, read_config(guest).capacity);
}

TEST(read_only_disk_that_grew)
{
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, true);
	const char *said;

	EXPECT_EQ(-EROFS, resize(guest, 2 * IMAGE_SIZE, &said));
	EXPECT_SAID("has ReadOnly=yes; make the file larger by another program", said);
	if (truncate(image, 2 * IMAGE_SIZE))
		abort();
	EXPECT_EQ(2 * IMAGE_SIZE, resize(guest, 0, &said));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_IN, 2 * IMAGE_SECTORS - 1, 512));
}

/* Whole blocks, and no event to a guest without a driver */
TEST(growth_in_blocks)
{
	const struct guest_disk config = { .path = image, .block_size = 4096 };
	struct guest *guest GUEST = guest_new();
	const char *said;

	fill_image(IMAGE_SIZE);
	ASSERT_EQ(0, guest_add_disk(guest, &config));
	EXPECT_EQ(-EINVAL, resize(guest, IMAGE_SIZE + 512, &said));
	EXPECT_SAID("no multiple of 4096", said);
	EXPECT_EQ(IMAGE_SIZE + 4096, resize(guest, IMAGE_SIZE + 4096, &said));
	EXPECT_EQ(0, guest->nr_messages);
	EXPECT_EQ(IMAGE_SECTORS + 8, read_config(guest).capacity);
}

/* A full queue of writes and flushes, then one of reads: all are answered, and data is right */
TEST(many_at_once)
{
	enum { REQUESTS = 20, SECTORS = 3, LEN = SECTORS * 512 };
	struct guest *guest GUEST = guest_new();
	struct virtio_blk_outhdr *head;
	uint64_t heads, data, states;
	struct vring_used_elem elem;
	unsigned int answered;
	struct disk disk;

	fill_image(IMAGE_SIZE);
	ASSERT_EQ(0, add_disk(guest, false));
	disk_start(&disk, guest, 0);
	heads = guest_alloc(guest, REQUESTS * sizeof(*head));
	data = guest_alloc(guest, REQUESTS * LEN);
	states = guest_alloc(guest, REQUESTS);
	head = at(guest, heads);

	for (unsigned int round = 0; round < 2; round++) {
		memset(at(guest, states), NO_ANSWER, REQUESTS);
		for (unsigned int i = 0; i < REQUESTS; i++) {
			bool flush = !round && i % 5 == 4;
			const struct buffer chain[] = {
				{ heads + i * sizeof(*head), sizeof(*head), 0 },
				{ data + i * LEN, LEN, round ? W : 0 },
				{ states + i, 1, W },
			};
			const struct buffer no_data[] = { chain[0], chain[2] };

			head[i] = (struct virtio_blk_outhdr) {
				.type = flush ? VIRTIO_BLK_T_FLUSH :
					round ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT,
				.sector = i * SECTORS,
			};
			memset(at(guest, data + i * LEN), round ? 0 : i + 1, LEN);
			ring_add(&disk.ring, flush ? no_data : chain, flush ? 2 : 3);
		}
		vring_used_event(&disk.ring.v) = disk.ring.seen + REQUESTS - 1;
		ring_kick(&disk.ring);
		for (answered = 0; answered < REQUESTS; answered++)
			if (!ring_take(&disk.ring, PATIENCE, &elem))
				break;
		EXPECT_EQ(REQUESTS, answered);
		for (unsigned int i = 0; i < REQUESTS; i++)
			EXPECT_EQ(VIRTIO_BLK_S_OK, *(uint8_t *)at(guest, states + i));
	}
	for (unsigned int i = 0; i < REQUESTS; i++) {
		const uint8_t *bytes = at(guest, data + i * LEN);

		EXPECT_EQ(i % 5 == 4 ? 0xaa : i + 1, bytes[0]);
		EXPECT_EQ(i % 5 == 4 ? 0xaa : i + 1, bytes[LEN - 1]);
	}
}

static void malformed(const struct buffer *chain, unsigned int nr)
{
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, false);
	uint32_t now;

	ring_add(&disk.ring, chain, nr);
	ring_kick(&disk.ring);
	for (unsigned int i = 0; i < PATIENCE; i++) {
		if (get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET)
			break;
		usleep(1000);
	}
	EXPECT_TRUE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
	guest->nr_messages = 0;
	/* The thread sets the status first, and then tells the event loop */
	for (unsigned int i = 0; i < PATIENCE && !guest->nr_messages; i++)
		guest_run(guest, 1);
	EXPECT_EQ(1, guest->nr_messages);	/* by the event loop, not by the thread */

	EXPECT_EQ(0, set_status(guest, 0, 0, &now));
	disk_start(&disk, guest, 0);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_IN, 0, 512));
}

TEST(request_without_status)
{
	const struct buffer chain[] = { { SEGMENT_1, 16, 0 }, { SEGMENT_1, 512, 0 } };

	malformed(chain, 2);
}

TEST(request_without_header)
{
	const struct buffer chain[] = { { SEGMENT_1, 15, 0 }, { SEGMENT_1 + 512, 1, W } };

	malformed(chain, 2);
}

TEST(request_outside_memory)
{
	const struct buffer chain[] = {
		{ SEGMENT_1, 16, 0 }, { NOWHERE, 512, W }, { SEGMENT_1 + 512, 1, W },
	};

	malformed(chain, 3);
}

TEST(many_requests_few_interrupts)
{
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, false);
	struct virtio_blk_outhdr *head = at(guest, disk.head);
	const struct buffer chain[] = {
		{ disk.head, 16, 0 }, { disk.data, 512, W }, { disk.status, 1, W },
	};
	struct vring_used_elem elem;

	*head = (struct virtio_blk_outhdr) { .type = VIRTIO_BLK_T_IN };
	for (unsigned int round = 0; round < 200; round++) {
		vring_used_event(&disk.ring.v) = disk.ring.seen + 19;
		for (unsigned int i = 0; i < 20; i++)
			ring_add(&disk.ring, chain, 3);
		ring_kick(&disk.ring);
		for (unsigned int i = 0; i < 20; i++)
			ASSERT_TRUE(ring_take(&disk.ring, PATIENCE, &elem));
	}
}

TEST(reset_while_busy)
{
	struct guest *guest GUEST = guest_new();
	struct disk disk;
	uint32_t now;

	fill_image(IMAGE_SIZE);
	ASSERT_EQ(0, add_disk(guest, false));
	for (unsigned int round = 0; round < 50; round++) {
		struct virtio_blk_outhdr *head;
		struct buffer chain[3];

		disk_start(&disk, guest, 0);
		head = at(guest, disk.head);
		*head = (struct virtio_blk_outhdr) { .type = VIRTIO_BLK_T_OUT };
		chain[0] = (struct buffer) { disk.head, 16, 0 };
		chain[1] = (struct buffer) { disk.data, DATA_SIZE, 0 };
		chain[2] = (struct buffer) { disk.status, 1, W };
		for (unsigned int i = 0; i < 20; i++)
			ring_add(&disk.ring, chain, 3);
		ring_kick(&disk.ring);
		usleep(round * 20);
		ASSERT_EQ(0, set_status(guest, 0, 0, &now));
		/* The device no longer writes to the queue */
		memset(at(guest, disk.ring.used), 0x77, 64);
		usleep(100);
		ASSERT_EQ(0x77, *(uint8_t *)at(guest, disk.ring.used + 2));
	}
}

static unsigned int slow_joins;		/* so many waits for a thread take too long */

int pthread_clockjoin_np(pthread_t thread, void **result, clockid_t clock,
			 const struct timespec *until)
{
	if (slow_joins) {
		slow_joins--;
		return ETIMEDOUT;
	}
	return pthread_join(thread, result);
}

/* A reset waits for what the disk has, and systemd's watchdog must not kill sigmad meanwhile */
TEST(slow_disk_does_not_look_like_a_hang)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct disk disk;
	struct guest *guest GUEST = disk_new(&disk, false);
	char message[64];
	uint32_t now;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s.notify", image);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	setenv("NOTIFY_SOCKET", addr.sun_path, 1);
	setenv("WATCHDOG_USEC", "60000000", 1);
	slow_joins = 2;
	EXPECT_EQ(0, set_status(guest, 0, 0, &now));
	EXPECT_EQ(0, slow_joins);
	unsetenv("WATCHDOG_USEC");
	unsetenv("NOTIFY_SOCKET");
	for (unsigned int i = 0; i < 2; i++) {
		memset(message, 0, sizeof(message));
		EXPECT_TRUE(recv(fd, message, sizeof(message) - 1, 0) > 0);
		EXPECT_STREQ("WATCHDOG=1", message);
	}
	EXPECT_EQ(-1, recv(fd, message, sizeof(message), 0));
	close(fd);
	unlink(addr.sun_path);
}

/* Opening */

static const char *refusal(bool read_only)
{
	struct guest *guest GUEST = guest_new();
	int ret;

	capture_start();
	ret = add_disk(guest, read_only);
	return ret < 0 ? capture_end() : (capture_end(), "");
}

TEST(size_is_whole_sectors)
{
	fill_image(0);
	EXPECT_SAID("is empty", refusal(false));
	if (truncate(image, 1000))
		abort();
	EXPECT_SAID("no multiple of 512", refusal(false));
	EXPECT_SAID("no multiple of 512", refusal(true));
}

TEST(only_files_and_block_devices)
{
	const struct guest_disk directory = { .path = "/tmp", .read_only = true };
	const struct guest_disk missing = { .path = "/tmp/sigma/no/such/disk" };
	const struct guest_disk null = { .path = "/dev/null" };
	struct guest *guest GUEST = guest_new();

	EXPECT_EQ(-EINVAL, guest_add_disk(guest, &directory));
	EXPECT_EQ(-ENOENT, guest_add_disk(guest, &missing));
	EXPECT_EQ(-EINVAL, guest_add_disk(guest, &null));
}

TEST(image_is_locked)
{
	struct guest *other GUEST = guest_new();

	fill_image(IMAGE_SIZE);
	ASSERT_EQ(0, add_disk(other, false));
	EXPECT_SAID("used by another guest", refusal(false));
	EXPECT_SAID("being written to", refusal(true));
}

TEST(readers_share_an_image)
{
	struct guest *other GUEST = guest_new();

	fill_image(IMAGE_SIZE);
	ASSERT_EQ(0, add_disk(other, true));
	EXPECT_STREQ("", refusal(true));
	EXPECT_SAID("used by another guest", refusal(false));
}

/* The image as a loop device, which ends with its last open file; -1 where that is impossible */
static int open_loop(char *path, size_t size)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), number, fd;
	struct loop_config config = { .info.lo_flags = LO_FLAGS_AUTOCLEAR };

	if (control < 0)
		return -1;
	number = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	snprintf(path, size, "/dev/loop%d", number);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -1;
	config.fd = open(image, O_RDWR | O_CLOEXEC);
	if (ioctl(fd, LOOP_CONFIGURE, &config)) {
		close(fd);
		fd = -1;
	}
	close(config.fd);
	return fd;
}

/* Lock @path for a while, as udevd does; returns when the lock is taken */
static pid_t probe(const char *path, unsigned int usec)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready))
		abort();
	pid = fork();
	if (!pid) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0 || flock(fd, LOCK_SH) || write(ready[1], "", 1) != 1)
			_exit(1);
		usleep(usec);
		_exit(0);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		abort();
	close(ready[0]);
	return pid;
}

TEST(block_device_that_is_probed)
{
	struct guest *guest GUEST = guest_new();
	struct guest_disk file = { 0 };
	const char *said;
	struct disk disk;
	char path[32];
	pid_t pid;
	int loop;

	fill_image(IMAGE_SIZE);
	loop = open_loop(path, sizeof(path));
	if (loop < 0)
		SKIP(return, "no loop device for this user");
	file.path = path;
	pid = probe(path, 300000);
	ASSERT_EQ(0, guest_add_disk(guest, &file));
	waitpid(pid, NULL, 0);

	disk_start(&disk, guest, 0);
	EXPECT_EQ(IMAGE_SECTORS, read_config(guest).capacity);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_OUT, 1, 512));
	EXPECT_EQ(VIRTIO_BLK_S_OK, range_request(&disk, VIRTIO_BLK_T_WRITE_ZEROES, 8, 8, 0));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_FLUSH, 0, 0));
	EXPECT_EQ(0xaa, image_byte(511));
	EXPECT_EQ(0, image_byte(512));
	EXPECT_EQ(0, image_byte(4096));
	EXPECT_EQ(0xaa, image_byte(8192));

	EXPECT_EQ(-EINVAL, resize(guest, 2 * IMAGE_SIZE, &said));
	EXPECT_SAID("by its own tool, such as lvextend", said);
	if (truncate(image, 2 * IMAGE_SIZE) || ioctl(loop, LOOP_SET_CAPACITY, 0))
		abort();
	EXPECT_EQ(2 * IMAGE_SIZE, resize(guest, 0, &said));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&disk, VIRTIO_BLK_T_OUT, 2 * IMAGE_SECTORS - 1, 512));
	close(loop);
}

TEST(block_device_that_stays_locked)
{
	struct guest *guest GUEST = guest_new();
	struct guest_disk file = { 0 };
	char path[32];
	int loop;

	fill_image(IMAGE_SIZE);
	loop = open_loop(path, sizeof(path));
	if (loop < 0)
		SKIP(return, "no loop device for this user");
	file.path = path;
	if (flock(loop, LOCK_SH))
		abort();
	capture_start();
	EXPECT_EQ(-EBUSY, guest_add_disk(guest, &file));
	EXPECT_SAID("used by another guest", capture_end());
	/* Readers are not refused */
	file.read_only = true;
	EXPECT_EQ(0, guest_add_disk(guest, &file));
	close(loop);
}

TEST_HARNESS_MAIN
