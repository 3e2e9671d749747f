// SPDX-License-Identifier: GPL-2.0
/*
 * Test a guest's memory as a program sees it through SIGMA_MEMORY_FD. memory.sh runs this in a
 * host that can lend CPU 1. Where the environment has POOL_START and POOL_SIZE, the memory must
 * come from that range. Where it has FAIL_PAGE, the kernel loses a page.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "../../kmod/uapi/iosc.h"
#include "../../kmod/uapi/sigma.h"
#include "../unit/tap.h"

#define NAME		"memory"
#define SIZE		(64ULL << 20)
#define LARGE		(1 << 20)	/* bytes of one direct transfer */
#define IMAGE		"/var/tmp/memory.image"

static int control, guest, memory;
static struct sigma_info info;
static uint8_t *map;

static int create(void)
{
	struct sigma_create args = { .name = NAME, .memory = SIZE, .nr_cpus = 1, .cpus = { 1 } };

	return ioctl(control, SIGMA_CREATE, &args) ? -errno : 0;
}

static int destroy(void)
{
	struct sigma_destroy args = { .name = NAME };

	return ioctl(control, SIGMA_DESTROY, &args) ? -errno : 0;
}

static bool open_guest(void)
{
	control = open("/dev/sigma/control", O_RDWR | O_CLOEXEC);
	if (control < 0 || create())
		return false;
	guest = open("/dev/sigma/" NAME, O_RDWR | O_CLOEXEC);
	if (guest < 0 || ioctl(guest, SIGMA_GET_INFO, &info))
		return false;
	memory = ioctl(guest, SIGMA_MEMORY_FD);
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	return map != MAP_FAILED;
}

static int close_guest(void)
{
	munmap(map, SIZE);
	close(memory);
	close(guest);
	return destroy();
}

static bool all_zero(const uint8_t *at, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (at[i])
			return false;
	return true;
}

static uint64_t from_environment(const char *name)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 0) : 0;
}

TEST(a_guest_can_be_made)
{
	ASSERT_TRUE(open_guest());
	EXPECT_EQ(SIGMA_STATE_CREATED, info.state);
	EXPECT_EQ(SIZE, info.memory);
}

TEST(segments_are_aligned_and_add_up)
{
	uint64_t sum = 0, end = 0;

	for (unsigned int i = 0; i < info.nr_segments; i++) {
		EXPECT_EQ(0, info.segments[i].phys % SIGMA_SEGMENT_ALIGN);
		EXPECT_EQ(0, info.segments[i].size % SIGMA_SEGMENT_ALIGN);
		EXPECT_TRUE(info.segments[i].phys > end);
		end = info.segments[i].phys + info.segments[i].size;
		sum += info.segments[i].size;
	}
	EXPECT_EQ(SIZE, sum);
}

TEST(memory_comes_from_where_it_should)
{
	uint64_t start = from_environment("POOL_START"), size = from_environment("POOL_SIZE");

	if (!size)
		SKIP(return, "no pool");
	for (unsigned int i = 0; i < info.nr_segments; i++) {
		EXPECT_TRUE(info.segments[i].phys >= start);
		EXPECT_TRUE(info.segments[i].phys + info.segments[i].size <= start + size);
	}
}

TEST(low_memory_is_low)
{
	EXPECT_TRUE(info.low_phys >= 0x10000);
	EXPECT_TRUE(info.low_phys + SIGMA_LOW_SIZE <= 0x9f000);
	EXPECT_EQ(info.low_phys + SIGMA_LOW_SIZE, info.ioapic_phys);
}

TEST(the_file_has_a_size)
{
	EXPECT_EQ(SIZE, lseek(memory, 0, SEEK_END));
	EXPECT_EQ(0, lseek(memory, 0, SEEK_SET));
}

TEST(memory_arrives_zeroed)
{
	EXPECT_TRUE(all_zero(map, SIZE));
}

TEST(two_mappings_are_the_same_memory)
{
	uint8_t *other = mmap(NULL, 8192, PROT_READ, MAP_SHARED, memory, SIZE / 2);

	ASSERT_TRUE(other != MAP_FAILED);
	memcpy(map + SIZE / 2 + 4090, "across pages", 12);
	EXPECT_EQ(0, memcmp(other + 4090, "across pages", 12));
	munmap(other, 8192);
}

TEST(bad_mappings_are_refused)
{
	EXPECT_TRUE(mmap(NULL, SIZE + 4096, PROT_READ, MAP_SHARED, memory, 0) == MAP_FAILED);
	EXPECT_TRUE(mmap(NULL, 8192, PROT_READ, MAP_SHARED, memory, SIZE - 4096) == MAP_FAILED);
	EXPECT_TRUE(mmap(NULL, 4096, PROT_READ, MAP_SHARED, memory, SIZE) == MAP_FAILED);
	EXPECT_TRUE(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, memory, 0) == MAP_FAILED);
	EXPECT_TRUE(mmap(NULL, 4096, PROT_READ, MAP_SHARED, guest, 0) == MAP_FAILED);
	EXPECT_TRUE(mmap(NULL, 2 * SIGMA_IOSC_SIZE, PROT_READ, MAP_SHARED, guest, 0) == MAP_FAILED);
}

/* O_DIRECT between the disk and the guest's memory needs ordinary pages */
TEST(direct_io)
{
	uint8_t *from = map + (8 << 20), *to = map + (16 << 20);
	int fd = open(IMAGE, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT, 0600);

	ASSERT_TRUE(fd >= 0);
	for (size_t i = 0; i < LARGE; i++)
		from[i] = i * 7 >> 3;
	EXPECT_EQ(LARGE, pwrite(fd, from, LARGE, 4096));
	EXPECT_EQ(LARGE, pread(fd, to, LARGE, 4096));
	EXPECT_EQ(0, memcmp(from, to, LARGE));
	close(fd);
	unlink(IMAGE);
}

TEST(a_mapped_guest_is_not_destroyed)
{
	EXPECT_EQ(-EBUSY, destroy());
	EXPECT_EQ(0, ioctl(guest, SIGMA_GET_INFO, &info));
}

TEST(start_outside_of_the_memory_is_refused)
{
	struct sigma_start start = { .entry = 0x100000, .boot_params = info.segments[0].phys };

	EXPECT_EQ(-1, ioctl(guest, SIGMA_START, &start));
	EXPECT_EQ(EFAULT, errno);
	start.entry = info.segments[0].phys;
	start.boot_params = info.segments[0].phys + info.segments[0].size - 8;
	EXPECT_EQ(-1, ioctl(guest, SIGMA_START, &start));
	EXPECT_EQ(EFAULT, errno);
}

TEST(messages_need_a_running_guest)
{
	static char msg[SIGMA_MSG_MAX + 1];

	EXPECT_EQ(-1, read(guest, msg, SIGMA_MSG_MAX));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(-1, read(guest, msg, 8));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(guest, msg, SIGMA_MSG_MAX));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(-1, write(guest, msg, sizeof(msg)));
	EXPECT_EQ(EMSGSIZE, errno);
}

TEST(a_guest_outlives_the_process_that_made_it)
{
	int status;
	pid_t child;

	ASSERT_EQ(0, close_guest());
	child = fork();
	if (!child)
		_exit(create() ? 1 : 0);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(-EEXIST, create());
	EXPECT_EQ(0, destroy());
}

TEST(memory_was_zeroed_in_between)
{
	ASSERT_TRUE(open_guest());
	memset(map, 0x5a, SIZE);
	ASSERT_EQ(0, close_guest());
	ASSERT_TRUE(open_guest());
	EXPECT_TRUE(all_zero(map, SIZE));
	EXPECT_EQ(0, close_guest());
	EXPECT_EQ(-ENOENT, destroy());
}

static sigjmp_buf after_signal;
static volatile sig_atomic_t code;

static void on_signal(int number, siginfo_t *si, void *context)
{
	code = si->si_code;
	siglongjmp(after_signal, 1);
}

/* The code of the SIGBUS that a read at @at is; 0: none */
static int read_code(const volatile uint8_t *at)
{
	code = 0;
	if (!sigsetjmp(after_signal, 1))
		(void)*at;
	return code;
}

TEST(a_failed_page_is_not_read)
{
	const struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	const size_t at = SIZE / 2;
	static uint8_t bytes[8192];
	uint8_t *other;

	if (!getenv("FAIL_PAGE"))
		SKIP(return, "it would be lost");
	ASSERT_TRUE(open_guest());
	memset(map, 0x5a, SIZE);
	EXPECT_EQ(8192, pread(memory, bytes, 8192, at - 4096));
	EXPECT_EQ(0x5a, bytes[8191]);
	madvise(map + at, 4096, MADV_HWPOISON);	/* fails, since nothing can be saved */

	EXPECT_EQ(4096, pread(memory, bytes, 8192, at - 4096));
	EXPECT_EQ(-1, pread(memory, bytes, 8192, at));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(8192, pread(memory, bytes, 8192, at + 4096));
	EXPECT_EQ(0, pread(memory, bytes, 8192, SIZE));
	other = mmap(NULL, sizeof(bytes), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT_EQ(-1, pread(memory, other, sizeof(bytes), 0));
	EXPECT_EQ(EFAULT, errno);
	munmap(other, sizeof(bytes));

	other = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, memory, 0);
	ASSERT_TRUE(other != MAP_FAILED);
	sigaction(SIGBUS, &action, NULL);
	EXPECT_EQ(BUS_MCEERR_AR, read_code(other + at));
	EXPECT_EQ(0, read_code(other + at - 1));
	EXPECT_EQ(0, read_code(other + at + 4096));
	munmap(other, SIZE);
	EXPECT_EQ(0, close_guest());
}

TEST_HARNESS_MAIN
