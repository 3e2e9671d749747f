// SPDX-License-Identifier: GPL-2.0
/* A disk that a real qemu-storage-daemon serves; without one the tests are skipped. */
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "../../common/guestfile.h"
#include "../../daemon/virtio/vhost_link.h"
#include "blk-request.h"
#include "capture.h"
#include "tap.h"
#include "virtio-guest.h"

#define SIZE	64
#define SECTORS	2048

extern char **environ;

static char dir[] = "/tmp/sigma-socket-XXXXXX";
static struct guest_disk disk;
static struct ring ring;
static pid_t server;
static int monitor;		/* of the server: a socket */
static off_t served_sectors = SECTORS;
static const char *said;

static void __attribute__((constructor)) make_dir(void)
{
	if (!mkdtemp(dir) || chdir(dir) || asprintf(&disk.socket, "%s/socket", dir) < 0) {
		perror(dir);
		exit(EXIT_FAILURE);
	}
	disk.line = 7;
}

static void __attribute__((destructor)) remove_dir(void)
{
	unlink("socket");
	unlink("image");
	rmdir(dir);
}

/* Between bind() and listen() the socket is there, and refuses connections */
static bool listens(void)
{
	unsigned int flags;
	bool found = false;
	char line[256];
	FILE *file = fopen("/proc/net/unix", "r");

	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, "%*s %*s %*s %x", &flags) == 1 && flags & 1 << 16 &&
			strstr(line, " socket\n");
	if (file)
		fclose(file);
	return found;
}

static bool serve(void)
{
	char *argv[] = {
		"qemu-storage-daemon", "--blockdev", "driver=file,node-name=d,filename=image",
		"--export", "type=vhost-user-blk,id=e,node-name=d,addr.type=unix,addr.path=socket,writable=on",
		"--chardev", "stdio,id=m", "--monitor", "chardev=m", NULL
	};
	posix_spawn_file_actions_t files;
	int ends[2], error;
	int fd = open("image", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (ftruncate(fd, served_sectors * 512) || pwrite(fd, "first sector", 12, 0) != 12)
		abort();
	close(fd);
	unlink("socket");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		abort();
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, ends[1], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
	error = posix_spawnp(&server, argv[0], &files, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	close(ends[1]);
	monitor = ends[0];
	if (error)
		SKIP(return false, "no qemu-storage-daemon");
	for (unsigned int i = 0; i < 3000 && !listens(); i++)
		usleep(10000);
	return true;
}

static void end(void)
{
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	close(monitor);
}

static int add(struct guest *guest)
{
	int error;

	capture_start();
	error = guest_add_disk(guest, &disk);
	said = capture_end();
	return error;
}

static bool bring_up(struct guest *guest)
{
	return negotiate(guest, 0, get_features(guest, 0) & ~(1ULL << VIRTIO_RING_F_EVENT_IDX)) &&
	       !ring_open(&ring, guest, 0, 0, SIZE) && driver_ok(guest, 0);
}

TEST(nobody_serves)
{
	struct guest *guest GUEST = guest_new();

	EXPECT_EQ(-ENOENT, add(guest));
	EXPECT_SAID("web.guest:7: Socket=/tmp/sigma-socket-", said);
	EXPECT_SAID("start the back end that serves this socket", said);
}

TEST(reads_and_writes)
{
	struct guest *guest GUEST = guest_new();
	struct sigma_msg_config msg = { .length = 8 };
	char data[512] = "";
	struct virtio_counters moved;
	uint64_t capacity;
	uint32_t now;

	if (!serve())
		return;
	ASSERT_EQ(0, add(guest));
	EXPECT_STREQ("", said);
	ASSERT_EQ(0, ask(guest, 0, SIGMA_MSG_GET_CONFIG, 0, &msg, sizeof(msg), &msg, sizeof(msg)));
	memcpy(&capacity, msg.data, sizeof(capacity));
	EXPECT_EQ(SECTORS, capacity);
	EXPECT_TRUE(get_features(guest, 0) & 1ULL << VIRTIO_BLK_F_FLUSH);
	/* Again, as for the guest's next kernel */
	for (unsigned int i = 0; i < 2; i++) {
		ASSERT_TRUE(bring_up(guest));
		EXPECT_EQ(VIRTIO_BLK_S_OK, blk_request(guest, &ring, VIRTIO_BLK_T_IN, 0, data));
		EXPECT_STREQ("first sector", data);
		EXPECT_EQ(VIRTIO_BLK_S_OK, blk_request(guest, &ring, VIRTIO_BLK_T_OUT, 7, data));
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, blk_request(guest, &ring, VIRTIO_BLK_T_IN, SECTORS, data));
		ASSERT_EQ(0, set_status(guest, 0, 0, &now));
	}
	end();
	/* No counters at all, since 0 would be wrong */
	EXPECT_TRUE(!virtio_bus_counters(guest->bus, 0, &moved));
}

static uint64_t capacity(struct guest *guest)
{
	struct sigma_msg_config msg = { .length = 8 };
	uint64_t sectors;

	ask(guest, 0, SIGMA_MSG_GET_CONFIG, 0, &msg, sizeof(msg), &msg, sizeof(msg));
	memcpy(&sectors, msg.data, sizeof(sectors));
	return sectors;
}

static bool told_after_answer;

/* Another server of the disk, which has grown meanwhile, or has shrunk */
static bool next_kernel(struct guest *guest, off_t sectors)
{
	uint32_t now;

	end();
	served_sectors = sectors;
	if (!serve() || set_status(guest, 0, 0, &now))
		return false;
	/* No success here, since an event about the size is a second message */
	bring_up(guest);
	told_after_answer = guest->nr_messages == 2 &&
			    guest->message[0].head.flags == SIGMA_MSG_RESPONSE &&
			    guest->message[0].head.id == SIGMA_MSG_SET_STATUS &&
			    guest->message[1].head.id == SIGMA_MSG_EVENT_CONFIG;
	return get_status(guest, 0) == (STATUS_FEATURES | VIRTIO_CONFIG_S_DRIVER_OK);
}

TEST(grows_and_does_not_shrink)
{
	struct guest *guest GUEST = guest_new();
	char data[512] = "";
	uint64_t size = 4096;

	if (!serve())
		return;
	ASSERT_EQ(0, add(guest));
	ASSERT_TRUE(bring_up(guest));
	EXPECT_EQ(SECTORS, capacity(guest));
	capture_start();
	EXPECT_EQ(-EOPNOTSUPP, virtio_bus_resize(guest->bus, 0, &size));
	EXPECT_SAID("is served by another program; make it larger there", capture_end());
	size = 0;
	EXPECT_EQ(0, virtio_bus_resize(guest->bus, 0, &size));
	EXPECT_EQ(SECTORS * 512, size);

	capture_start();
	EXPECT_TRUE(next_kernel(guest, 2 * SECTORS));
	EXPECT_TRUE(told_after_answer);
	EXPECT_EQ(2 * SECTORS, capacity(guest));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_request(guest, &ring, VIRTIO_BLK_T_OUT, SECTORS, data));
	EXPECT_FALSE(next_kernel(guest, SECTORS));
	said = capture_end();
	EXPECT_SAID("the back end's disk has 1048576 bytes only now, and the guest was given 2097152", said);
	served_sectors = SECTORS;
	end();
}

/* Send a command to the monitor of the server */
static void say(const char *text)
{
	if (write(monitor, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
}

/* Run the event loop until sigmad has said this, which it must */
static void run_until_said(struct guest *guest, const char *text)
{
	for (unsigned int i = 0; i < 200 && !strstr(capture_peek(), text); i++)
		guest_run(guest, 100);
	EXPECT_SAID(text, capture_end());
}

/* The server makes its disk larger while it serves it, and then smaller */
TEST(growth_is_noticed)
{
	struct guest *guest GUEST = guest_new();
	char data[512] = "";

	if (!serve())
		return;
	ASSERT_EQ(0, add(guest));
	ASSERT_TRUE(bring_up(guest));
	guest->nr_messages = 0;
	capture_start();
	say("{\"execute\": \"qmp_capabilities\"}\n");
	say("{\"execute\": \"block_resize\", \"arguments\": {\"node-name\": \"d\", \"size\": 2097152}}\n");
	for (unsigned int i = 0; i < 10 && capacity(guest) == SECTORS; i++)
		guest_run(guest, 100);
	if (capacity(guest) == SECTORS)
		SKIP(goto end_server, "this qemu-storage-daemon does not say that its disk has grown");
	EXPECT_SAID("has grown to 2097152 bytes, and the guest was told", capture_end());
	EXPECT_EQ(2 * SECTORS, capacity(guest));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_request(guest, &ring, VIRTIO_BLK_T_OUT, 2 * SECTORS - 1, data));
	capture_start();
	say("{\"execute\": \"block_resize\", \"arguments\": {\"node-name\": \"d\", \"size\": 1048576}}\n");
	run_until_said(guest, "the back end's disk has 1048576 bytes only now");
	EXPECT_EQ(2 * SECTORS, capacity(guest));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_request(guest, &ring, VIRTIO_BLK_T_IN, 0, data));
end_server:
	end();
}

/* It is not sigmad's, which cannot end it */
TEST(hangs_when_it_is_removed)
{
	struct guest *guest GUEST = guest_new();
	struct sigma_bus_hello hello;

	if (!serve())
		return;
	ASSERT_EQ(0, add(guest));
	ASSERT_TRUE(bring_up(guest));
	ask(guest, SIGMA_MSG_BUS, SIGMA_BUS_HELLO, 0, NULL, 0, &hello, sizeof(hello));
	kill(server, SIGSTOP);
	vhost_user_seconds = 1;
	for (unsigned int i = 0; i < 2; i++) {
		capture_start();
		EXPECT_EQ(-ETIMEDOUT, virtio_bus_remove(guest->bus, 0, true));
		EXPECT_SAID("does not answer; end it or let it go on, and the guest releases", capture_end());
	}
	vhost_user_seconds = VHOST_USER_SECONDS;
	EXPECT_FALSE(get_status(guest, 0) & SIGMA_STATUS_LOST);
	/* It answers too late, and ends as it was told */
	capture_start();
	kill(server, SIGCONT);
	run_until_said(guest, "blk0: stopped: the back end ended");
	EXPECT_TRUE(get_status(guest, 0) & SIGMA_STATUS_LOST);
	end();
}

TEST(ends_and_comes_again)
{
	struct guest *guest GUEST = guest_new();
	char data[512] = "";
	uint32_t now;

	if (!serve())
		return;
	ASSERT_EQ(0, add(guest));
	ASSERT_TRUE(bring_up(guest));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_request(guest, &ring, VIRTIO_BLK_T_IN, 0, data));
	capture_start();
	end();
	guest_run(guest, 200);
	said = capture_end();
	EXPECT_SAID("blk0: stopped: the back end ended; it works again once", said);
	EXPECT_TRUE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
	EXPECT_TRUE(get_status(guest, 0) & SIGMA_STATUS_LOST);
	EXPECT_SAID("since its back end has died", virtio_bus_stopped(guest->bus, 0));

	ASSERT_EQ(0, set_status(guest, 0, 0, &now));
	capture_start();
	EXPECT_FALSE(bring_up(guest));
	said = capture_end();
	EXPECT_SAID("blk0: /tmp/sigma-socket-", said);
	EXPECT_SAID(": Connection refused; start the back end", said);
	EXPECT_TRUE(get_status(guest, 0) & SIGMA_STATUS_LOST);

	ASSERT_TRUE(serve());
	ASSERT_EQ(0, set_status(guest, 0, 0, &now));
	ASSERT_TRUE(bring_up(guest));
	EXPECT_EQ(STATUS_FEATURES | VIRTIO_CONFIG_S_DRIVER_OK, get_status(guest, 0));
	EXPECT_TRUE(!virtio_bus_stopped(guest->bus, 0));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_request(guest, &ring, VIRTIO_BLK_T_IN, 0, data));
	end();
}

TEST_HARNESS_MAIN
