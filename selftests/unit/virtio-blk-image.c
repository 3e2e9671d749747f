// SPDX-License-Identifier: GPL-2.0
/*
 * Disks in qcow2 images with a real qemu-storage-daemon. Without one, or without namespaces for it,
 * the tests are skipped.
 */
#include <linux/virtio_blk.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "../../common/guestfile.h"
#include "../../daemon/privileges.h"
#include "../../daemon/virtio/broker.h"
#include "../../daemon/virtio/vhost_link.h"
#include "blk-request.h"
#include "capture.h"
#include "qcow2.h"
#include "tap.h"
#include "virtio-guest.h"

#define SIZE		64
#define REQUESTS	16
#define LEN		4096
#define DATA_FILE	(1 << 2)	/* of the incompatible features */

static char dir[] = "/tmp/sigma-qcow2-XXXXXX";
static char image[64], base[64];
static struct guest_disk disk = { .path = image, .format = FORMAT_QCOW2, .line = 7 };
static struct ring ring;
static const char *said;

static void __attribute__((constructor)) make_dir(void)
{
	if (!mkdtemp(dir)) {
		perror(dir);
		exit(EXIT_FAILURE);
	}
	snprintf(image, sizeof(image), "%s/image", dir);
	snprintf(base, sizeof(base), "%s/base", dir);
}

static void __attribute__((destructor)) remove_dir(void)
{
	unlink(image);
	unlink(base);
	rmdir(dir);
}

static int add(struct guest *guest)
{
	int error;

	capture_start();
	error = guest_add_disk(guest, &disk);
	said = capture_end();
	return error;
}

/* Add a disk that must work. Return: false when the test is over, skipped or failed */
static bool add_works(struct guest *guest)
{
	int error = add(guest);

	if (strstr(said, "there is no qemu-storage-daemon"))
		SKIP(return false, "no qemu-storage-daemon");
	if (error == -EPERM && strstr(said, "namespaces"))
		SKIP(return false, "no namespaces for qemu-storage-daemon");
	if (error)
		TAP_FAIL("%s", said);
	return !error;
}

static bool bring_up(struct guest *guest)
{
	return negotiate(guest, 0, get_features(guest, 0)) &&
	       !ring_open(&ring, guest, 0, 0, SIZE) && driver_ok(guest, 0);
}

/* The first child of process @parent; 0: there is none */
static pid_t child_of(pid_t parent)
{
	char path[64];
	FILE *list;
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	list = fopen(path, "re");
	if (list && fscanf(list, "%d", &pid) != 1)
		pid = 0;
	if (list)
		fclose(list);
	return pid;
}

/* The init of the qemu-storage-daemon that serves the disk; 0: there is none */
static pid_t server(void)
{
	return child_of(getpid());
}

/* Between capture_start() and capture_end() */
static void run_until_said(struct guest *guest, const char *text)
{
	for (unsigned int i = 0; i < BLK_PATIENCE / 100 && !strstr(capture_peek(), text); i++)
		guest_run(guest, 100);
}

TEST(reads_and_writes)
{
	char data[512] = "";
	uint32_t now;

	qcow2_make(image, NULL, 0);
	{
		struct guest *guest GUEST = guest_new();

		if (!add_works(guest))
			return;
		EXPECT_TRUE(get_features(guest, 0) & 1ULL << VIRTIO_BLK_F_FLUSH);
		EXPECT_TRUE(get_features(guest, 0) & 1ULL << VIRTIO_BLK_F_DISCARD);
		EXPECT_TRUE(get_features(guest, 0) & 1ULL << VIRTIO_RING_F_EVENT_IDX);
		ASSERT_TRUE(bring_up(guest));
		EXPECT_EQ(VIRTIO_BLK_S_OK, blk_request(guest, &ring, VIRTIO_BLK_T_IN, 7, data));
		EXPECT_STREQ("", data);
		strcpy(data, "from the first guest");
		EXPECT_EQ(VIRTIO_BLK_S_OK, blk_request(guest, &ring, VIRTIO_BLK_T_OUT, 7, data));
		EXPECT_EQ(VIRTIO_BLK_S_IOERR,
			  blk_request(guest, &ring, VIRTIO_BLK_T_IN, QCOW2_SIZE / 512, data));
		/* Again, as for the guest's next kernel, which has another process */
		ASSERT_EQ(0, set_status(guest, 0, 0, &now));
		EXPECT_EQ(0, server());
		ASSERT_TRUE(bring_up(guest));
		memset(data, 0, sizeof(data));
		EXPECT_EQ(VIRTIO_BLK_S_OK, blk_request(guest, &ring, VIRTIO_BLK_T_IN, 7, data));
		EXPECT_STREQ("from the first guest", data);
	}
	EXPECT_EQ(0, server());
	{
		struct guest *guest GUEST = guest_new();

		disk.read_only = true;
		disk.direct = true;
		disk.block_size = 4096;
		ASSERT_TRUE(add_works(guest));
		disk.read_only = disk.direct = false;
		disk.block_size = 0;
		EXPECT_TRUE(get_features(guest, 0) & 1ULL << VIRTIO_BLK_F_RO);
		ASSERT_TRUE(bring_up(guest));
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, blk_request(guest, &ring, VIRTIO_BLK_T_OUT, 8, data));
	}
}

/* A hostile image names a file of the host */
TEST(other_files)
{
	struct guest *guest GUEST = guest_new();
	char data[512] = "";
	FILE *file;

	qcow2_make(image, "/etc/shadow", 0);
	EXPECT_EQ(-EPERM, add(guest));
	EXPECT_SAID("is based on another file", said);
	EXPECT_SAID("allow it with Backing=PATH", said);
	qcow2_make(image, NULL, DATA_FILE);
	EXPECT_EQ(-EPERM, add(guest));
	EXPECT_SAID("keeps its data in another file", said);
	disk.backing = base;
	qcow2_make(base, "/etc/shadow", 0);
	qcow2_make(image, NULL, 0);
	EXPECT_EQ(-EINVAL, add(guest));
	EXPECT_SAID("is not based on another file, so leave Backing=", said);
	qcow2_make(image, "/etc/shadow", 0);
	EXPECT_EQ(-EOPNOTSUPP, add(guest));
	EXPECT_SAID("is based on a third file", said);

	/* The file that the guest file names counts, whatever the image names */
	file = fopen(base, "w");
	fputs("from the base", file);
	fclose(file);
	if (truncate(base, QCOW2_SIZE))
		abort();
	if (add_works(guest)) {
		EXPECT_TRUE(bring_up(guest));
		EXPECT_EQ(VIRTIO_BLK_S_OK, blk_request(guest, &ring, VIRTIO_BLK_T_IN, 0, data));
		EXPECT_STREQ("from the base", data);
	}
	disk.backing = NULL;
}

TEST(no_image)
{
	struct guest *guest GUEST = guest_new();
	FILE *file = fopen(image, "w");

	fputs("neither here nor there", file);
	fclose(file);
	EXPECT_EQ(-EINVAL, add(guest));
	EXPECT_SAID("is no qcow2 image; leave Format=qcow2 out", said);
}

/* What qemu-storage-daemon says is in the message */
TEST(broken_image)
{
	struct guest *guest GUEST = guest_new();

	qcow2_make(image, NULL, 1ULL << 40);
	if (!add(guest))
		TAP_FAIL("unknown features were accepted");
	if (!strstr(said, "there is no qemu-storage-daemon") && !strstr(said, "namespaces"))
		EXPECT_SAID("nsupported", said);
	EXPECT_EQ(0, server());
}

/* Resize the disk. Return: its new size, or a negative errno and the reason in @said */
static int64_t resize(struct guest *guest, uint64_t size)
{
	int ret;

	guest->nr_messages = 0;
	capture_start();
	ret = virtio_bus_resize(guest->bus, 0, &size);
	said = capture_end();
	return ret ?: (int64_t)size;
}

TEST(grows)
{
	struct guest *guest GUEST = guest_new();
	char data[512] = "behind the old end";
	uint32_t now;

	qcow2_make(image, NULL, 0);
	if (!add_works(guest))
		return;
	/* Before the guest's driver is up, and with it */
	EXPECT_EQ(2 * QCOW2_SIZE, resize(guest, 2 * QCOW2_SIZE));
	EXPECT_EQ(0, guest->nr_messages);
	ASSERT_TRUE(bring_up(guest));
	EXPECT_EQ(4 * QCOW2_SIZE, resize(guest, 4 * QCOW2_SIZE));
	EXPECT_EQ(1, guest->nr_messages);
	EXPECT_EQ(SIGMA_MSG_EVENT_CONFIG, guest->message[0].head.id);
	EXPECT_EQ(4 * QCOW2_SIZE, resize(guest, 0));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_request(guest, &ring, VIRTIO_BLK_T_OUT, 4 * QCOW2_SIZE / 512 - 1, data));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, blk_request(guest, &ring, VIRTIO_BLK_T_IN, 4 * QCOW2_SIZE / 512, data));

	EXPECT_EQ(-EINVAL, resize(guest, QCOW2_SIZE));
	EXPECT_SAID("has 4194304 bytes already, and does not shrink to 1048576", said);
	EXPECT_EQ(-EINVAL, resize(guest, 4 * QCOW2_SIZE + 511));
	EXPECT_SAID("4194815 bytes are no multiple of 512", said);
	EXPECT_EQ(-EIO, resize(guest, INT64_MAX / 512 * 512));
	EXPECT_SAID("qemu-storage-daemon cannot make disk", said);
	EXPECT_EQ(4 * QCOW2_SIZE, resize(guest, 0));

	/* The next kernel has the size, too, from another process */
	ASSERT_EQ(0, set_status(guest, 0, 0, &now));
	EXPECT_EQ(-ENOTCONN, resize(guest, 0));
	EXPECT_SAID("the guest does not have it now", said);
	ASSERT_TRUE(bring_up(guest));
	memset(data, 0, sizeof(data));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_request(guest, &ring, VIRTIO_BLK_T_IN, 4 * QCOW2_SIZE / 512 - 1, data));
	EXPECT_STREQ("behind the old end", data);
	EXPECT_EQ(8 * QCOW2_SIZE, resize(guest, 8 * QCOW2_SIZE));
}

TEST(read_only_image_does_not_grow)
{
	struct guest *guest GUEST = guest_new();
	bool works;

	qcow2_make(image, NULL, 0);
	disk.read_only = true;
	works = add_works(guest);
	disk.read_only = false;
	if (!works)
		return;
	EXPECT_EQ(-EROFS, resize(guest, 2 * QCOW2_SIZE));
	EXPECT_SAID("has ReadOnly=yes, so it cannot be made larger", said);
	EXPECT_EQ(QCOW2_SIZE, resize(guest, 0));
}

/* Take-over: what both sigmads know */
static struct {
	struct virtio_state state;
	struct ring ring;
	uint64_t data, heads, states;
} *shared;
static int state_fd;

static void __attribute__((constructor)) make_shared(void)
{
	state_fd = memfd_create("state", MFD_CLOEXEC);
	shared = ftruncate(state_fd, sizeof(*shared)) ? MAP_FAILED :
		 mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, state_fd, 0);
	if (shared == MAP_FAILED) {
		perror("memfd_create");
		exit(EXIT_FAILURE);
	}
}

static void new_bus(struct guest *guest, bool resume)
{
	if (sd_event_new(&guest->event) < 0 ||
	    virtio_bus_new(&guest->bus, guest->event, &guest->mem, &guest_bus_ops, guest) < 0)
		abort();
	virtio_bus_keep(guest->bus, &shared->state, resume);
	virtio_bus_keep_in(guest->bus, state_fd, offsetof(typeof(*shared), state));
}

static void free_bus(struct guest *guest)
{
	virtio_bus_free(guest->bus);
	guest->event = sd_event_unref(guest->event);
}

/* Give @guest a bus and a state of its own, and make the image */
static void start_over(struct guest *guest, const char *backing)
{
	free_bus(guest);
	memset(shared, 0, sizeof(*shared));
	new_bus(guest, false);
	qcow2_make(image, backing, 0);
}

/* It ends by itself, which loses nothing. Killed, it loses what it had in memory */
TEST(ends)
{
	struct guest *guest GUEST = guest_new();
	char data[512] = "still there";
	uint32_t now;

	start_over(guest, NULL);
	if (!add_works(guest))
		return;
	ASSERT_TRUE(bring_up(guest));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_request(guest, &ring, VIRTIO_BLK_T_OUT, 5, data));
	ASSERT_TRUE(server());
	capture_start();
	kill(server(), SIGTERM);
	run_until_said(guest, "another one serves");
	said = capture_end();
	EXPECT_SAID("qemu-storage-daemon ended, and another one serves", said);
	memset(data, 0, sizeof(data));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_request(guest, &ring, VIRTIO_BLK_T_IN, 5, data));
	EXPECT_STREQ("still there", data);

	ASSERT_TRUE(server());
	capture_start();
	kill(server(), SIGKILL);
	run_until_said(guest, "blk0: stopped");
	said = capture_end();
	EXPECT_SAID("blk0: stopped: qemu-storage-daemon died, so requests for", said);
	EXPECT_TRUE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
	/* The guest may fail what is in flight, and the person who asks learns what to do */
	EXPECT_TRUE(get_status(guest, 0) & SIGMA_STATUS_LOST);
	EXPECT_EQ(DEVICE_LOST, shared->state.device[0].broken);
	EXPECT_SAID("since its back end has died: all its requests fail", virtio_bus_stopped(guest->bus, 0));
	EXPECT_EQ(0, server());
	/* The next kernel of the guest has it again */
	ASSERT_EQ(0, set_status(guest, 0, 0, &now));
	ASSERT_TRUE(bring_up(guest));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_request(guest, &ring, VIRTIO_BLK_T_IN, 5, data));
	EXPECT_STREQ("still there", data);
}

/* Its requests would wait for ever, so the guest fails them */
TEST(cannot_be_started_again)
{
	struct guest *guest GUEST = guest_new();
	char data[512] = "";
	uint32_t now;

	start_over(guest, NULL);
	if (!add_works(guest))
		return;
	ASSERT_TRUE(bring_up(guest));
	ASSERT_EQ(0, set_status(guest, 0, 0, &now));
	if (truncate(image, 0))
		abort();
	capture_start();
	EXPECT_FALSE(bring_up(guest));
	said = capture_end();
	EXPECT_SAID("blk0: cannot be served: qemu-storage-daemon", said);
	EXPECT_TRUE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
	EXPECT_TRUE(get_status(guest, 0) & SIGMA_STATUS_LOST);
	EXPECT_EQ(DEVICE_LOST, shared->state.device[0].broken);
	qcow2_make(image, NULL, 0);
	ASSERT_EQ(0, set_status(guest, 0, 0, &now));
	EXPECT_FALSE(get_status(guest, 0) & SIGMA_STATUS_LOST);
	ASSERT_TRUE(bring_up(guest));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_request(guest, &ring, VIRTIO_BLK_T_IN, 5, data));
}

/* The guest's driver is removed from a disk whose qemu-storage-daemon does not go on */
static void is_removed(struct guest *guest, pid_t init)
{
	struct sigma_bus_hello hello;
	char data[512] = "";

	ask(guest, SIGMA_MSG_BUS, SIGMA_BUS_HELLO, 0, NULL, 0, &hello, sizeof(hello));
	EXPECT_EQ(0, virtio_bus_remove(guest->bus, 0, true));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_request(guest, &ring, VIRTIO_BLK_T_IN, 5, data));
	ASSERT_TRUE(child_of(init));
	kill(child_of(init), SIGSTOP);
	vhost_user_seconds = 1;
	capture_start();
	EXPECT_EQ(0, virtio_bus_remove(guest->bus, 0, true));
	said = capture_end();
	vhost_user_seconds = VHOST_USER_SECONDS;
	EXPECT_SAID("qemu-storage-daemon does not answer and is killed", said);
	EXPECT_SAID("blk0: stopped: qemu-storage-daemon died, so requests for", said);
	EXPECT_TRUE(get_status(guest, 0) & SIGMA_STATUS_LOST);
}

TEST(hangs_when_it_is_removed)
{
	struct guest *guest GUEST = guest_new();

	start_over(guest, NULL);
	if (!add_works(guest))
		return;
	ASSERT_TRUE(bring_up(guest));
	is_removed(guest, server());
	EXPECT_EQ(0, server());
}

/* Write request @i fills its own block with @i + 1 */
static void add_write(struct guest *guest, unsigned int i)
{
	struct virtio_blk_outhdr *head = at(guest, shared->heads + i * sizeof(*head));
	const struct buffer chain[] = {
		{ shared->heads + i * sizeof(*head), sizeof(*head), 0 },
		{ shared->data + i * LEN, LEN, 0 },
		{ shared->states + i, 1, VRING_DESC_F_WRITE },
	};

	*head = (struct virtio_blk_outhdr) {
		.type = VIRTIO_BLK_T_OUT, .sector = i * (LEN / 512),
	};
	memset(at(guest, shared->data + i * LEN), i + 1, LEN);
	*(uint8_t *)at(guest, shared->states + i) = 0xff;
	ring_add(&shared->ring, chain, 3);
}

/* Use a broker from now on, until broker_close(). Return: its process */
static pid_t make_broker(void)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		abort();
	pid = fork();
	if (!pid) {
		close(ends[0]);
		_exit(privileges_of_broker() ? EXIT_FAILURE : (broker_serve(ends[1], NULL), EXIT_SUCCESS));
	}
	close(ends[1]);
	broker_use(ends[0]);
	return pid;
}

TEST(through_the_broker)
{
	struct guest *guest GUEST = guest_new();
	char data[512] = "by the broker";
	int status = -1;
	uint32_t now;
	pid_t broker;
	FILE *file;

	start_over(guest, "/etc/shadow");
	file = fopen(base, "w");
	fputs("from the base", file);
	fclose(file);
	if (truncate(base, QCOW2_SIZE))
		abort();
	disk.backing = base;
	broker = make_broker();
	if (add_works(guest)) {
		EXPECT_TRUE(child_of(broker));
		EXPECT_EQ(0, shared->state.unsaved[0]);
		EXPECT_TRUE(bring_up(guest));
		EXPECT_EQ(1, shared->state.unsaved[0]);
		EXPECT_EQ(VIRTIO_BLK_S_OK, blk_request(guest, &ring, VIRTIO_BLK_T_OUT, 7, data));
		/* It ends, and the next kernel of the guest has another one */
		EXPECT_EQ(0, set_status(guest, 0, 0, &now));
		EXPECT_EQ(0, child_of(broker));
		EXPECT_EQ(0, shared->state.unsaved[0]);
		EXPECT_TRUE(bring_up(guest));
		memset(data, 0, sizeof(data));
		EXPECT_EQ(VIRTIO_BLK_S_OK, blk_request(guest, &ring, VIRTIO_BLK_T_IN, 7, data));
		EXPECT_STREQ("by the broker", data);
		EXPECT_EQ(VIRTIO_BLK_S_OK, blk_request(guest, &ring, VIRTIO_BLK_T_IN, 0, data));
		EXPECT_STREQ("from the base", data);
		EXPECT_EQ(2 * QCOW2_SIZE, resize(guest, 2 * QCOW2_SIZE));
		EXPECT_EQ(VIRTIO_BLK_S_OK,
			  blk_request(guest, &ring, VIRTIO_BLK_T_OUT, 2 * QCOW2_SIZE / 512 - 1, data));

		capture_start();
		kill(child_of(broker), SIGKILL);
		run_until_said(guest, "blk0: stopped");
		EXPECT_SAID("blk0: stopped: qemu-storage-daemon died, so requests for", capture_end());
		EXPECT_EQ(1, shared->state.unsaved[0]);
		EXPECT_EQ(0, set_status(guest, 0, 0, &now));
		EXPECT_TRUE(bring_up(guest));
		is_removed(guest, child_of(broker));
		EXPECT_EQ(0, child_of(broker));
	}
	disk.backing = NULL;
	free_bus(guest);
	new_bus(guest, false);
	broker_close();
	EXPECT_EQ(broker, waitpid(broker, &status, 0));
	EXPECT_EQ(0, status);
}

/* qemu-storage-daemon finishes alone, and sigmad waits for that: nothing is lost */
TEST(broker_dies)
{
	struct guest *guest GUEST = guest_new();
	char data[512] = "still there";
	pid_t broker;

	start_over(guest, NULL);
	broker = make_broker();
	if (!add_works(guest))
		goto close_broker;
	EXPECT_TRUE(bring_up(guest));
	EXPECT_EQ(VIRTIO_BLK_S_OK, blk_request(guest, &ring, VIRTIO_BLK_T_OUT, 5, data));
	capture_start();
	kill(broker, SIGKILL);
	run_until_said(guest, "stopped");
	said = capture_end();
	EXPECT_SAID("sigmad's broker, which starts qemu-storage-daemon, has ended", said);
	EXPECT_SAID("blk0: stopped: qemu-storage-daemon ended", said);
	EXPECT_EQ(0, shared->state.unsaved[0]);
close_broker:
	broker_close();
	waitpid(broker, NULL, 0);
}

/* As a service, sigmad has other mounts than its broker */
static void have_own_mounts(void)
{
	if (!geteuid() && !unshare(CLONE_NEWNS))
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static void __attribute__((noreturn)) first_sigmad(struct guest *guest)
{
	have_own_mounts();
	new_bus(guest, false);
	if (add(guest))
		_exit(1);
	shared->heads = guest_alloc(guest, REQUESTS * sizeof(struct virtio_blk_outhdr));
	shared->data = guest_alloc(guest, REQUESTS * LEN);
	shared->states = guest_alloc(guest, REQUESTS);
	if (!bring_up(guest))
		_exit(2);
	shared->ring = ring;
	for (unsigned int i = 0; i < REQUESTS; i++)
		add_write(guest, i);
	ring_kick(&shared->ring);
	kill(getpid(), SIGKILL);
	_exit(3);
}

static void first_one_dies(bool has_broker)
{
	struct guest *guest GUEST = guest_new();
	pid_t broker = 0;
	volatile uint16_t *used;
	char data[512] = "";
	int status;
	pid_t pid;

	free_bus(guest);
	memset(shared, 0, sizeof(*shared));
	qcow2_make(image, NULL, 0);
	if (has_broker)
		broker = make_broker();
	pid = fork();
	if (!pid)
		first_sigmad(guest);
	broker_close();
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	new_bus(guest, true);
	if (!WIFSIGNALED(status))
		SKIP(return, "no qemu-storage-daemon, or no namespaces for it");

	/* This waits for the locks, which the qemu-storage-daemon of the first sigmad still has */
	ASSERT_EQ(0, add(guest));
	ASSERT_EQ(0, virtio_bus_resume(guest->bus));
	EXPECT_FALSE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
	/* The broker has seen the end of its sigmad, and of all that it started */
	if (has_broker) {
		EXPECT_EQ(broker, waitpid(broker, &status, 0));
		EXPECT_EQ(0, status);
	}
	used = &shared->ring.v.used->idx;
	for (unsigned int i = 0; i < BLK_PATIENCE / 10 && *used != REQUESTS; i++)
		usleep(10000);
	EXPECT_EQ(REQUESTS, *used);
	for (unsigned int i = 0; i < REQUESTS; i++)
		EXPECT_EQ(VIRTIO_BLK_S_OK, *(uint8_t *)at(guest, shared->states + i));

	/* Its later requests come behind those of the first sigmad */
	guest->brk = shared->ring.used + 4096;
	ring = shared->ring;
	ring.guest = guest;
	ring.seen = REQUESTS;
	for (unsigned int i = 0; i < REQUESTS; i++) {
		EXPECT_EQ(VIRTIO_BLK_S_OK,
			  blk_request(guest, &ring, VIRTIO_BLK_T_IN, i * (LEN / 512), data));
		EXPECT_EQ((char)(i + 1), data[0]);
		EXPECT_EQ((char)(i + 1), data[511]);
	}
}

TEST(sigmad_dies)
{
	first_one_dies(false);
}

TEST(sigmad_of_a_broker_dies)
{
	first_one_dies(true);
}

/* Both die, and what qemu-storage-daemon had in memory is lost */
TEST(both_die)
{
	static struct virtio_state left;
	struct guest *guest GUEST = guest_new();
	uint32_t now;
	pid_t pid;

	start_over(guest, NULL);
	if (!add_works(guest))
		return;
	ASSERT_TRUE(bring_up(guest));
	pid = server();
	kill(pid, SIGKILL);
	waitid(P_PID, pid, &(siginfo_t){}, WEXITED | WNOWAIT);
	/* What the first sigmad would have left */
	left = shared->state;
	free_bus(guest);
	shared->state = left;
	new_bus(guest, true);
	ASSERT_EQ(0, add(guest));
	capture_start();
	EXPECT_EQ(0, virtio_bus_resume(guest->bus));
	said = capture_end();
	EXPECT_SAID("qemu-storage-daemon died, so requests for", said);
	EXPECT_TRUE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
	EXPECT_TRUE(get_status(guest, 0) & SIGMA_STATUS_LOST);
	EXPECT_EQ(1, shared->state.unsaved[0]);
	ASSERT_EQ(0, set_status(guest, 0, 0, &now));
	EXPECT_TRUE(bring_up(guest));
	ASSERT_EQ(0, set_status(guest, 0, 0, &now));
	EXPECT_EQ(0, shared->state.unsaved[0]);
}

TEST_HARNESS_MAIN
