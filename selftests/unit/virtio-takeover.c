// SPDX-License-Identifier: GPL-2.0
/*
 * sigmad is killed at any moment, and the next one goes on: each request is answered exactly once.
 * The child process is the sigmad that dies and, until then, also the guest. It shares guest memory
 * and the devices' state with this process.
 */
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <signal.h>
#include <sys/wait.h>

#include "../../common/guestfile.h"
#include "capture.h"
#include "tap.h"
#define SEGMENT_SIZE 0x400000ULL	/* each sigmad pins all of it */
#include "virtio-guest.h"

#define ROUNDS		42
#define REQUESTS	20
#define LEN		4096
#define PATIENCE	10000		/* ms */
#define W		VRING_DESC_F_WRITE

static char image[] = "/tmp/sigma-takeover-XXXXXX";

/* The lock that a killed sigmad still has, and how often somebody waits for it until it is free */
static int locked = -1;
static unsigned int waits;

/* The kernel may hold the lock of a process for a moment after its end: without @waits, wait for it */
int nanosleep(const struct timespec *span, struct timespec *left)
{
	if (!waits)
		return clock_nanosleep(CLOCK_MONOTONIC, 0, span, left) ? -1 : 0;
	if (!--waits) {
		close(locked);
		locked = -1;
	}
	return 0;
}

static struct shared {
	struct ring ring;
	uint64_t heads, data, states;
	struct virtio_state state;
} *shared;

static void __attribute__((constructor)) prepare(void)
{
	int fd = mkstemp(image);

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (fd < 0 || shared == MAP_FAILED) {
		perror(image);
		exit(EXIT_FAILURE);
	}
	close(fd);
}

static void __attribute__((destructor)) clean_up(void)
{
	unlink(image);
}

static void add_disk(struct guest *guest)
{
	const struct guest_disk disk = { .path = image, .direct = true };

	if (guest_add_disk(guest, &disk) < 0)
		abort();
}

/* Request @i fills its own block with @value; every fifth request is a flush */
static void add_request(struct guest *guest, unsigned int i, uint8_t value)
{
	struct virtio_blk_outhdr *head = at(guest, shared->heads + i * sizeof(*head));
	bool flush = i % 5 == 4;
	const struct buffer chain[] = {
		{ shared->heads + i * sizeof(*head), sizeof(*head), 0 },
		{ shared->data + i * LEN, LEN, 0 },
		{ shared->states + i, 1, W },
	};
	const struct buffer no_data[] = { chain[0], chain[2] };

	*head = (struct virtio_blk_outhdr) {
		.type = flush ? VIRTIO_BLK_T_FLUSH : VIRTIO_BLK_T_OUT, .sector = i * (LEN / 512),
	};
	memset(at(guest, shared->data + i * LEN), value, LEN);
	*(uint8_t *)at(guest, shared->states + i) = 0xff;
	ring_add(&shared->ring, flush ? no_data : chain, flush ? 2 : 3);
}

/* A bus in this process, on the shared memory */
static void new_bus_with(struct guest *guest, const struct virtio_bus_ops *ops, bool resume)
{
	if (sd_event_new(&guest->event) < 0 ||
	    virtio_bus_new(&guest->bus, guest->event, &guest->mem, ops, guest) < 0)
		abort();
	virtio_bus_keep(guest->bus, &shared->state, resume);
	add_disk(guest);
}

static void new_bus(struct guest *guest, bool resume)
{
	new_bus_with(guest, &guest_bus_ops, resume);
}

/* This sigmad dies some time after its state shows @done requests as used */
static void first_sigmad(struct guest *guest, unsigned int done, unsigned int spins)
{
	const struct queue_state *queue = &shared->state.device[0].queue[0];

	new_bus(guest, false);
	shared->heads = guest_alloc(guest, REQUESTS * sizeof(struct virtio_blk_outhdr));
	shared->data = guest_alloc(guest, REQUESTS * LEN);
	shared->states = guest_alloc(guest, REQUESTS);
	if (!negotiate(guest, 0, get_features(guest, 0)) ||
	    ring_open(&shared->ring, guest, 0, 0, 64) || !driver_ok(guest, 0))
		abort();
	for (unsigned int i = 0; i < REQUESTS; i++)
		add_request(guest, i, i + 1);
	ring_kick(&shared->ring);
	alarm(PATIENCE / 1000);
	while (__atomic_load_n(&queue->used_idx, __ATOMIC_RELAXED) < done)
		;
	while (spins--)
		__builtin_ia32_pause();
	kill(getpid(), SIGKILL);
}

/* How often each request was answered, by its first descriptor */
static bool take_answers(unsigned int answers[64])
{
	for (unsigned int i = 0; i < REQUESTS; i++) {
		struct ring *ring = &shared->ring;

		for (unsigned int ms = 0; ring->seen == __atomic_load_n(&ring->v.used->idx,
									__ATOMIC_ACQUIRE); ms++) {
			if (ms == PATIENCE)
				return false;
			usleep(1000);
		}
		answers[ring->v.used->ring[ring->seen++ % ring->size].id % 64]++;
	}
	return true;
}

static bool image_is(unsigned int add)
{
	uint8_t block[LEN];
	int fd = open(image, O_RDONLY);
	bool same = true;

	for (unsigned int i = 0; i < REQUESTS; i++)
		if (i % 5 != 4)
			same = same && pread(fd, block, LEN, i * LEN) == LEN &&
			       block[0] == i + add && block[LEN - 1] == i + add;
	close(fd);
	return same;
}

static struct guest *killed_after(unsigned int done, unsigned int spins)
{
	struct guest *guest = guest_new();
	int status;
	pid_t child;

	/* Each process makes its own */
	virtio_bus_free(guest->bus);
	sd_event_unref(guest->event);
	memset(shared, 0, sizeof(*shared));
	if (truncate(image, 0) || truncate(image, REQUESTS * LEN))
		abort();
	fflush(NULL);
	child = fork();
	if (!child)
		first_sigmad(guest, done, spins);
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFSIGNALED(status) ||
	    WTERMSIG(status) != SIGKILL)
		abort();
	return guest;
}

TEST(killed_at_any_moment)
{
	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct guest *guest GUEST = killed_after(round % (REQUESTS + 1), round * 37 % 500);
		unsigned int answers[64] = { 0 };
		unsigned int answered = 0;

		new_bus(guest, true);
		virtio_bus_resume(guest->bus);
		ASSERT_TRUE(take_answers(answers));
		for (unsigned int i = 0; i < 64; i++) {
			EXPECT_TRUE(answers[i] <= 1);
			answered += answers[i];
		}
		EXPECT_EQ(REQUESTS, answered);
		for (unsigned int i = 0; i < REQUESTS; i++)
			EXPECT_EQ(VIRTIO_BLK_S_OK, *(uint8_t *)at(guest, shared->states + i));
		EXPECT_TRUE(image_is(1));

		/* The new sigmad serves further requests */
		for (unsigned int i = 0; i < REQUESTS; i++)
			add_request(guest, i, i + 101);
		vring_used_event(&shared->ring.v) = shared->ring.seen;
		ring_kick(&shared->ring);
		ASSERT_TRUE(take_answers(answers));
		EXPECT_TRUE(image_is(101));
		EXPECT_FALSE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
	}
}

/* Each request is answered, once, by a sigmad that takes over now */
static void expect_all_answered(struct guest *guest)
{
	unsigned int answers[64] = { 0 };

	new_bus(guest, true);
	EXPECT_EQ(0, virtio_bus_resume(guest->bus));
	ASSERT_TRUE(take_answers(answers));
	for (unsigned int i = 0; i < 64; i++)
		EXPECT_TRUE(answers[i] <= 1);
	EXPECT_TRUE(image_is(1));
	EXPECT_FALSE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static int bind_and_die(void *data, uint32_t kick, int kick_fd, uint32_t call, int call_fd)
{
	return kill(getpid(), SIGKILL);
}

static int bind_too_much(void *data, uint32_t kick, int kick_fd, uint32_t call, int call_fd)
{
	return -EMFILE;
}

/* A second sigmad, with this @bind, takes over and ends early. Return: its status of waitpid() */
static int second_sigmad(struct guest *guest, typeof(bind_and_die) *bind)
{
	const struct virtio_bus_ops ops = {
		.send = guest_send_message, .bind = bind, .released = guest_released,
		.awake = guest_awake,
		.sleeps = guest_sleeps,
	};
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (!child) {
		new_bus_with(guest, &ops, true);
		_exit(virtio_bus_resume(guest->bus) == -EMFILE ? 0 : 1);
	}
	return waitpid(child, &status, 0) == child ? status : -1;
}

TEST(killed_again_at_the_take_over)
{
	struct guest *guest GUEST = killed_after(7, 0);

	EXPECT_EQ(SIGKILL, second_sigmad(guest, bind_and_die));
	expect_all_answered(guest);
}

/* The sigmad after one that has no more files goes on as if it had not been there */
TEST(take_over_that_fails)
{
	struct guest *guest GUEST = killed_after(7, 0);

	EXPECT_EQ(0, second_sigmad(guest, bind_too_much));
	expect_all_answered(guest);
}

/* All requests were answered; the tests change the state to that of an earlier moment */
static struct guest *idle(struct queue_state **queue)
{
	struct guest *guest = killed_after(REQUESTS, 0);

	*queue = &shared->state.device[0].queue[0];
	return guest;
}

TEST(nothing_under_way)
{
	struct queue_state *queue;
	struct guest *guest GUEST = idle(&queue);
	unsigned int answers[64] = { 0 };

	EXPECT_EQ(REQUESTS, queue->last_avail);
	EXPECT_EQ(REQUESTS, queue->used_idx);
	new_bus(guest, true);
	virtio_bus_resume(guest->bus);
	ASSERT_TRUE(take_answers(answers));
	EXPECT_EQ(shared->ring.seen, shared->ring.v.used->idx);
	EXPECT_FALSE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

/* The used index was stored, but the bits of these chains were not cleared yet */
TEST(shown_and_not_accounted_for)
{
	struct queue_state *queue;
	struct guest *guest GUEST = idle(&queue);

	for (unsigned int i = 17; i < REQUESTS; i++)
		queue->in_flight[queue->pushed[i] / 64] |= 1ULL << queue->pushed[i] % 64;
	queue->used_idx = 17;
	new_bus(guest, true);
	virtio_bus_resume(guest->bus);
	EXPECT_EQ(0, queue->in_flight[0]);
	EXPECT_EQ(REQUESTS, queue->used_idx);
	EXPECT_FALSE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

/* The bit was set, but the index was not stored yet: the request is done once */
TEST(taken_and_not_counted)
{
	struct queue_state *queue;
	struct guest *guest GUEST = idle(&queue);
	struct vring_used_elem elem;
	uint16_t head = shared->ring.next;

	shared->ring.seen = shared->ring.v.used->idx;
	vring_used_event(&shared->ring.v) = shared->ring.seen;
	add_request(guest, 0, 77);
	queue->in_flight[head / 64] |= 1ULL << head % 64;
	new_bus(guest, true);
	virtio_bus_resume(guest->bus);
	ASSERT_TRUE(ring_take(&shared->ring, PATIENCE, &elem));
	EXPECT_EQ(head, elem.id);
	usleep(20000);
	EXPECT_EQ(shared->ring.seen, shared->ring.v.used->idx);
	EXPECT_FALSE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

/* The device still carries out what the killed sigmad has asked it for. A pause is 20 ms */
TEST(requests_that_take_long)
{
	/* Nobody else may write: see disk_lock.c */
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 201, .l_len = 1 };
	struct queue_state *queue;
	struct guest *guest GUEST = idle(&queue);

	locked = open(image, O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, fcntl(locked, F_OFD_SETLK, &lock));
	waits = 1000;
	new_bus(guest, true);
	EXPECT_EQ(-1, locked);
	EXPECT_EQ(0, virtio_bus_resume(guest->bus));
	EXPECT_FALSE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

/* Linux has reported the lost data to the last sigmad, and does not report it again */
TEST(flush_that_failed)
{
	struct queue_state *queue;
	struct guest *guest GUEST = idle(&queue);
	struct vring_used_elem elem;

	shared->ring.seen = shared->ring.v.used->idx;
	vring_used_event(&shared->ring.v) = shared->ring.seen;
	shared->state.device[0].failed = EIO;
	new_bus(guest, true);
	EXPECT_EQ(0, virtio_bus_resume(guest->bus));
	add_request(guest, 4, 1);
	ring_kick(&shared->ring);
	ASSERT_TRUE(ring_take(&shared->ring, PATIENCE, &elem));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, *(uint8_t *)at(guest, shared->states + 4));
	/* It can be read and written as before */
	add_request(guest, 0, 1);
	vring_used_event(&shared->ring.v) = shared->ring.seen;
	ring_kick(&shared->ring);
	ASSERT_TRUE(ring_take(&shared->ring, PATIENCE, &elem));
	EXPECT_EQ(VIRTIO_BLK_S_OK, *(uint8_t *)at(guest, shared->states));
	EXPECT_EQ(EIO, shared->state.device[0].failed);
}

TEST(state_that_does_not_add_up)
{
	struct queue_state *queue;
	struct guest *guest GUEST = idle(&queue);

	queue->in_flight[0] |= 6;
	new_bus(guest, true);
	capture_start();
	virtio_bus_resume(guest->bus);
	EXPECT_SAID("2 chains are under way", capture_end());
	EXPECT_TRUE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

/* A control message was read and not answered: DRIVER_OK, and the set-up of a queue */
TEST(unanswered_request)
{
	struct queue_state *queue;
	struct guest *guest GUEST = idle(&queue);
	struct sigma_msg *request = (void *)shared->state.request;

	*request = (struct sigma_msg) { .id = SIGMA_MSG_GET_STATUS, .token = 0x77 };
	new_bus(guest, true);
	guest->nr_messages = 0;
	virtio_bus_resume(guest->bus);
	ASSERT_EQ(2, guest->nr_messages);	/* the answer, and an event to look for devices */
	EXPECT_EQ(0x77, guest->message[0].head.token);
	EXPECT_EQ(SIGMA_MSG_RESPONSE, guest->message[0].head.flags);
	EXPECT_EQ(0, guest->message[0].head.status);
	EXPECT_EQ(0, request->id);
}

TEST(queue_that_was_set_twice)
{
	struct queue_state *queue;
	struct guest *guest GUEST = idle(&queue);
	struct {
		struct sigma_msg head;
		struct sigma_msg_vqueue setup;
	} *request = (void *)shared->state.request;

	shared->state.device[0].status = STATUS_FEATURES;
	request->head = (struct sigma_msg) { .id = SIGMA_MSG_SET_VQUEUE };
	request->setup = (struct sigma_msg_vqueue) {
		.size = queue->size, .desc = queue->desc, .driver = queue->avail,
		.device = queue->used,
	};
	new_bus(guest, true);
	guest->nr_messages = 0;
	virtio_bus_resume(guest->bus);
	ASSERT_EQ(2, guest->nr_messages);	/* the answer, and an event to look for devices */
	EXPECT_EQ(0, guest->message[0].head.status);
	EXPECT_TRUE(driver_ok(guest, 0));
}

static uint32_t doorbell_of(struct guest *guest, unsigned int id)
{
	struct sigma_msg_vqueue msg = { 0 };

	return ask(guest, 0, SIGMA_MSG_GET_VQUEUE, id, &msg, sizeof(msg), &msg, sizeof(msg)) ?
		0 : msg.kick;
}

static struct sigma_bus_devices exchange(struct guest *guest, uint64_t has)
{
	struct sigma_bus_devices devices = { .present = has };

	if (ask(guest, SIGMA_MSG_BUS, SIGMA_BUS_GET_DEVICES, 0, &devices, sizeof(devices),
		&devices, sizeof(devices)))
		abort();
	return devices;
}

/* Of four devices the second one was removed, and the third one is leaving */
static void sigmad_that_changes(struct guest *guest)
{
	struct sigma_bus_hello hello;

	if (sd_event_new(&guest->event) < 0 ||
	    virtio_bus_new(&guest->bus, guest->event, &guest->mem, &guest_bus_ops, guest) < 0)
		abort();
	virtio_bus_keep(guest->bus, &shared->state, false);
	for (unsigned int i = 0; i < 4; i++)
		if (guest_add_rng(guest))
			abort();
	ask(guest, SIGMA_MSG_BUS, SIGMA_BUS_HELLO, 0, NULL, 0, &hello, sizeof(hello));
	virtio_bus_remove(guest->bus, 1, false);
	exchange(guest, 13);
	virtio_bus_remove(guest->bus, 2, false);
	kill(getpid(), SIGKILL);
}

TEST(devices_that_came_and_went)
{
	struct guest *guest GUEST = guest_new();
	const struct device_state *state = shared->state.device;
	struct sigma_bus_devices devices;
	unsigned int nr = 0;
	int status;
	pid_t child;

	virtio_bus_free(guest->bus);
	sd_event_unref(guest->event);
	memset(shared, 0, sizeof(*shared));
	fflush(NULL);
	child = fork();
	if (!child)
		sigmad_that_changes(guest);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	if (sd_event_new(&guest->event) < 0 ||
	    virtio_bus_new(&guest->bus, guest->event, &guest->mem, &guest_bus_ops, guest) < 0)
		abort();
	virtio_bus_keep(guest->bus, &shared->state, true);
	for (unsigned int i = 0; i < SIGMA_DEVICES; i++)
		nr += state[i].device_id && !guest_add_rng(guest);
	EXPECT_EQ(3, nr);
	virtio_bus_resume(guest->bus);

	EXPECT_EQ(SIGMA_DOORBELL_FIRST, doorbell_of(guest, 0));
	EXPECT_EQ(0, doorbell_of(guest, 1));
	EXPECT_EQ(SIGMA_DOORBELL_FIRST + 3, doorbell_of(guest, 3));
	devices = exchange(guest, 13);
	EXPECT_EQ(13, devices.present);
	EXPECT_EQ(4, devices.leaving);
	EXPECT_EQ(0, guest->released);
	devices = exchange(guest, 9);
	EXPECT_EQ(9, devices.present);
	EXPECT_EQ(1, guest->released);
	EXPECT_EQ(0, state[2].device_id);
	ASSERT_EQ(0, guest_add_rng(guest));
	EXPECT_EQ(SIGMA_DOORBELL_FIRST + 1, doorbell_of(guest, 1));
}

TEST(another_device)
{
	struct queue_state *queue;
	struct guest *guest GUEST = idle(&queue);

	if (sd_event_new(&guest->event) < 0 ||
	    virtio_bus_new(&guest->bus, guest->event, &guest->mem, &guest_bus_ops, guest) < 0)
		abort();
	virtio_bus_keep(guest->bus, &shared->state, true);
	capture_start();
	EXPECT_EQ(-ESTALE, guest_add_rng(guest));
	EXPECT_SAID("was not device 0", capture_end());
}

TEST_HARNESS_MAIN
