// SPDX-License-Identifier: GPL-2.0
/* The file of a guest that was saved: what was written is read; what is cut off or altered is refused. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../common/processor.h"
#include "../../daemon/saveio.h"
#include "tap.h"

#define MEMORY_SIZE	(3 * SAVE_CHUNK + 8192)

static uint8_t from[MEMORY_SIZE], to[MEMORY_SIZE], key[16], window[64];
static char why[SAVE_WHY_MAX];

static struct save_head good_head(void)
{
	struct save_head head = {
		.version = SAVE_VERSION, .size = sizeof(head), .name = "web", .state_size = 1,
		.memory = MEMORY_SIZE, .tsc_khz = 1, .nr_cpus = 1, .nr_segments = 1,
	};

	memcpy(head.magic, SAVE_MAGIC, sizeof(head.magic));
	return head;
}

/* A file with a memory whose second chunk is zero */
static int make_file(void)
{
	struct save_head head = good_head();
	struct save_writer writer;
	int fd = memfd_create("save", MFD_CLOEXEC);

	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = i < SAVE_CHUNK || i >= 2 * SAVE_CHUNK ? rand() : 0;
	if (fd < 0 || save_writer_open(&writer, fd, &head) ||
	    save_writer_put(&writer, SAVE_KEY, 0, "0123456789abcde", 16) ||
	    save_writer_put_all(&writer, SAVE_MEMORY, from, sizeof(from)) || save_writer_end(&writer))
		return -1;
	save_writer_close(&writer);
	return fd;
}

static bool stops;

static bool stop(void)
{
	return stops;
}

static int read_file(int fd)
{
	const struct save_parts parts = { .of = {
		[SAVE_KEY] = { key, sizeof(key) }, [SAVE_MEMORY] = { to, sizeof(to) },
		[SAVE_WINDOW] = { window, sizeof(window) },
	} };
	struct save_reader reader;
	struct save_head head;
	int ret;

	memset(to, 0, sizeof(to));
	lseek(fd, 0, SEEK_SET);
	ret = save_head_read(fd, &head, why);
	if (ret)
		return ret;
	if (save_reader_open(&reader, fd, &head))
		return -ENOMEM;
	ret = save_reader_fill(&reader, &parts, stop);
	save_reader_close(&reader);
	return ret;
}

TEST(written_and_read)
{
	int fd = make_file();

	ASSERT_TRUE(fd >= 0);
	EXPECT_EQ(0, read_file(fd));
	EXPECT_EQ(0, memcmp(from, to, sizeof(to)));
	EXPECT_STREQ("0123456789abcde", (char *)key);
	stops = true;
	EXPECT_EQ(-EINTR, read_file(fd));
	stops = false;
	close(fd);
}

static bool changing;

static void *change(void *data)
{
	while (__atomic_load_n(&changing, __ATOMIC_RELAXED))
		for (size_t i = 0; i < sizeof(from); i += 64)
			__atomic_fetch_add(&from[i], 1, __ATOMIC_RELAXED);
	return NULL;
}

/* As the host's clock in the window does. Whatever is written, the file is whole */
TEST(changes_meanwhile)
{
	pthread_t thread;
	int fds[8];

	changing = true;
	ASSERT_EQ(0, pthread_create(&thread, NULL, change, NULL));
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		fds[i] = make_file();
	__atomic_store_n(&changing, false, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		ASSERT_TRUE(fds[i] >= 0);
		EXPECT_EQ(0, read_file(fds[i]));
		close(fds[i]);
	}
}

TEST(cut_off_anywhere)
{
	int fd = make_file();
	off_t size = lseek(fd, 0, SEEK_END);

	ASSERT_TRUE(size > 0);
	for (off_t at = size - 1; at >= 0; at -= 1 + rand() % 40000) {
		int ret;

		ASSERT_EQ(0, ftruncate(fd, at));
		ret = read_file(fd);
		EXPECT_TRUE(ret == -ENODATA || (at < (off_t)sizeof(struct save_head) && ret == -EBADMSG));
	}
	close(fd);
}

TEST(more_than_the_end)
{
	int fd = make_file();

	lseek(fd, 0, SEEK_END);
	ASSERT_EQ(1, write(fd, "", 1));
	EXPECT_EQ(-EBADMSG, read_file(fd));
	close(fd);
}

/* Any bit, so also any length: the reader may want more than there is */
TEST(altered_anywhere)
{
	int fd = make_file();
	off_t size = lseek(fd, 0, SEEK_END);

	for (unsigned int i = 0; i < 200; i++) {
		off_t at = i < 150 ? rand() % size : rand() % (off_t)sizeof(struct save_head);
		uint8_t was, is;
		int ret;

		ASSERT_EQ(1, pread(fd, &was, 1, at));
		is = was ^ 1 << rand() % 8;
		ASSERT_EQ(1, pwrite(fd, &is, 1, at));
		ret = read_file(fd);
		EXPECT_TRUE(ret == -EBADMSG || ret == -ENODATA || ret == -EPROTO);
		ASSERT_EQ(1, pwrite(fd, &was, 1, at));
	}
	EXPECT_EQ(0, read_file(fd));
	close(fd);
}

/* Head and checks are right, and what they say cannot be */
static int read_head(struct save_head *head)
{
	struct save_head found;
	int fd = memfd_create("head", MFD_CLOEXEC), ret = -EIO;

	head->check = save_head_sum(head);
	if (fd >= 0 && write(fd, head, sizeof(*head)) == sizeof(*head)) {
		lseek(fd, 0, SEEK_SET);
		ret = save_head_read(fd, &found, why);
	}
	close(fd);
	return ret;
}

#define EXPECT_HEAD(result, ...) do {			\
	struct save_head head = good_head();		\
							\
	__VA_ARGS__;					\
	EXPECT_EQ(result, read_head(&head));		\
} while (0)

TEST(heads)
{
	EXPECT_HEAD(0);
	EXPECT_HEAD(-EPROTO, head.version++);
	EXPECT_TRUE(strstr(why, "format 2"));
	EXPECT_HEAD(-EBADMSG, head.magic[0] = 'X');
	EXPECT_TRUE(strstr(why, "no file of"));
	EXPECT_HEAD(-EBADMSG, head.size++);
	EXPECT_HEAD(-EBADMSG, head.name[0] = '\0');
	EXPECT_HEAD(-EBADMSG, strcpy(head.name, "../x"));
	EXPECT_HEAD(-EBADMSG, strcpy(head.name, "."));
	EXPECT_HEAD(-EBADMSG, strcpy(head.name, "a\x1b[2J"));
	EXPECT_HEAD(-EBADMSG, memset(head.name, 'a', sizeof(head.name)));
	EXPECT_HEAD(-EBADMSG, memset(head.guest, 'a', sizeof(head.guest)));
	EXPECT_HEAD(-EBADMSG, head.nr_cpus = 0);
	EXPECT_HEAD(-EBADMSG, head.nr_cpus = SIGMA_CPUS_MAX + 1);
	EXPECT_HEAD(-EBADMSG, head.nr_segments = SIGMA_SEGMENTS_MAX + 1);
	EXPECT_HEAD(-EBADMSG, head.nr_stamps = 65);
	EXPECT_HEAD(-EBADMSG, head.guard = SIGMA_GUARD_AUTO);
	EXPECT_HEAD(-EBADMSG, head.state_size = UINT64_MAX);
	EXPECT_HEAD(-EBADMSG, head.tsc_khz = 0);
}

TEST(no_room)
{
	struct save_head head = good_head();
	struct save_writer writer;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		SKIP(return, "no /dev/full");
	EXPECT_EQ(-ENOSPC, save_writer_open(&writer, fd, &head));
	close(fd);
}

TEST(processors)
{
	struct processor is, was;

	processor_read(&is);
	was = is;
	EXPECT_TRUE(is.features[1]);
	EXPECT_TRUE(processor_serves(&is, &was));
	was.features[2] = 0;
	EXPECT_TRUE(processor_serves(&is, &was));
	was = is;
	was.features[3] = ~is.features[3];
	EXPECT_TRUE(!processor_serves(&is, &was));
	was = is;
	was.same[3]++;
	EXPECT_TRUE(!processor_serves(&is, &was));
}

TEST_HARNESS_MAIN
