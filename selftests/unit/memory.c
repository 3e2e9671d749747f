// SPDX-License-Identifier: GPL-2.0
/*
 * A guest's memory in a process: translation, and pages with memory errors. The end of a file that
 * was cut after it was mapped is like such pages: an access is a SIGBUS, and a read fails.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "../../common/memory.h"
#include "tap.h"

#define PAGE	4096UL
#define GOOD	4			/* pages */
#define BAD	(MEMORY_FAILED_MAX + 1)
#define LOW	0x40000000ULL
#define HIGH	0x140000000ULL

static struct guest_memory mem;
static int event;

static void make(void)
{
	mem = (struct guest_memory) {
		.fd = memfd_create("memory", MFD_CLOEXEC), .size = (GOOD + BAD) * PAGE, .nr = 2,
		.segment = {
			{ LOW, PAGE, 0 },
			{ HIGH, (GOOD + BAD - 1) * PAGE, PAGE },
		},
	};
	ASSERT_EQ(0, ftruncate(mem.fd, GOOD * PAGE));
	mem.base = mmap(NULL, mem.size, PROT_READ | PROT_WRITE, MAP_SHARED, mem.fd, 0);
	ASSERT_TRUE(mem.base != MAP_FAILED);
	event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static void unmake(void)
{
	memory_close(&mem);
	close(event);
}

static uint64_t bad_page(unsigned int i)
{
	return HIGH + (GOOD - 1 + i) * PAGE;
}

static volatile uint8_t *bad(unsigned int i)
{
	return mem.base + (GOOD + i) * PAGE;
}

TEST(translation)
{
	make();
	EXPECT_TRUE(memory_at(&mem, LOW, PAGE) == mem.base);
	EXPECT_TRUE(memory_at(&mem, HIGH + 8, 8) == mem.base + PAGE + 8);
	EXPECT_TRUE(!memory_at(&mem, LOW, PAGE + 1));
	EXPECT_TRUE(!memory_at(&mem, LOW, 0));
	EXPECT_TRUE(!memory_at(&mem, HIGH, ~0ULL));
	EXPECT_TRUE(!memory_at(&mem, HIGH - 1, 1));
	unmake();
}

TEST(reading)
{
	char text[12];

	make();
	memcpy(mem.base + 2 * PAGE - 6, "across pages", 12);
	EXPECT_EQ(0, memory_read(&mem, HIGH + PAGE - 6, text, 12));
	EXPECT_EQ(0, memcmp(text, "across pages", 12));
	EXPECT_EQ(-EFAULT, memory_read(&mem, LOW + PAGE - 6, text, 12));
	EXPECT_EQ(-EFAULT, memory_read(&mem, 0, text, 12));
	EXPECT_EQ(-EIO, memory_read(&mem, bad_page(0) - 6, text, 12));
	EXPECT_EQ(-EIO, memory_read(&mem, bad_page(1), text, 12));
	unmake();
}

TEST(an_access_to_a_failed_page_finds_zeros)
{
	eventfd_t told = 0;

	make();
	ASSERT_EQ(0, memory_survive(&mem, event));
	EXPECT_EQ(0, memory_failed(&mem));
	EXPECT_TRUE(memory_at(&mem, bad_page(2), 8));
	EXPECT_EQ(0, bad(2)[5]);
	*bad(4) = 1;
	EXPECT_EQ(0, eventfd_read(event, &told));
	EXPECT_EQ(2, told);
	EXPECT_EQ(2, memory_failed(&mem));
	/* Refused from now on, and what is beside it is not */
	EXPECT_TRUE(!memory_at(&mem, bad_page(2), 8));
	EXPECT_TRUE(!memory_at(&mem, bad_page(2) - 1, 2));
	EXPECT_TRUE(!memory_at(&mem, bad_page(4) + PAGE - 1, 1));
	EXPECT_TRUE(memory_at(&mem, bad_page(3), PAGE));
	EXPECT_TRUE(memory_at(&mem, HIGH, PAGE));
	unmake();
}

static void *touch(void *data)
{
	for (unsigned int i = 0; i < 8; i++)
		*bad(i) += 1;
	return data;
}

TEST(two_threads_at_the_same_pages)
{
	pthread_t thread[2];

	make();
	ASSERT_EQ(0, memory_survive(&mem, event));
	for (unsigned int i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, touch, NULL));
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	EXPECT_TRUE(memory_failed(&mem) >= 8 && memory_failed(&mem) <= 16);
	unmake();
}

static void too_many(void)
{
	for (unsigned int i = 0; i < BAD; i++)
		*bad(i) = 1;
}

static void file_of_another(void)
{
	char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 memfd_create("other", MFD_CLOEXEC), 0);

	*map = 1;
}

static void sent(void)
{
	raise(SIGBUS);
}

/* The signal that ended a child which did that; 0: none */
static int ended_by(void (*doing)(void))
{
	pid_t child = fork();
	int status = 0;

	if (!child) {
		memory_survive(&mem, event);
		doing();
		_exit(0);
	}
	return waitpid(child, &status, 0) == child && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST(any_other_bus_error_ends_the_process)
{
	make();
	EXPECT_EQ(SIGBUS, ended_by(too_many));
	EXPECT_EQ(SIGBUS, ended_by(file_of_another));
	EXPECT_EQ(SIGBUS, ended_by(sent));
	unmake();
}

TEST_HARNESS_MAIN
