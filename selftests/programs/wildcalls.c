// SPDX-License-Identifier: GPL-2.0
/*
 * Calls sigma.ko at random: all ioctls, read, write and mmap, on its control device, on guests and on
 * their channels, with arguments that are good, nearly good, or no addresses at all. Several processes
 * do so at once, and make, use and destroy the same guests. For bad-input.sh.
 *
 *	wildcalls SEED CALLS	CALLS by each process
 *
 * Prints how often each kind of call succeeded and failed. Whatever guests are left it destroys.
 *
 * Only the first process starts a guest, one that it has made itself. Its memory is full of HLT, so that
 * its CPU rests wherever it starts: without a guard a fault there would reset the machine.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../kmod/uapi/channel.h"
#include "../../kmod/uapi/sigma.h"

#define PROCESSES	3
#define MEMORY		(2 * SIGMA_SEGMENT_ALIGN)
#define CPU		1
#define PAGE		4096UL
#define ARG_MAX_SIZE	16384
#define HLT		0xf4

union arg {
	struct sigma_create create;
	struct sigma_destroy destroy;
	struct sigma_pool_add pool;
	struct sigma_start start;
	struct sigma_eventfd eventfd;
	struct sigma_low low;
	struct sigma_panic panic;
	uint8_t bytes[ARG_MAX_SIZE];
};

static struct {
	unsigned int number;	/* of the process */
	int control, guest, channel, event;
	bool startable;		/* @guest is this process's own, and full of HLT */
	struct sigma_info info;
	uint8_t *edge;		/* the last byte before a page that is not mapped, and one more */
	uint8_t *constant;	/* a page that cannot be written to */
	union arg *arg;
} self = { .guest = -1, .channel = -1 };

static bool one_in(unsigned int n)
{
	return random() % n == 0;
}

static uint64_t odd_value(void)
{
	static const uint64_t values[] = {
		0, 1, 2, 7, 64, 65, 4095, 4096, SIGMA_SEGMENT_ALIGN, INT32_MAX, 1ULL << 31,
		UINT32_MAX, 1ULL << 32, INT64_MAX, 1ULL << 63, UINT64_MAX, UINT64_MAX - 4095,
	};

	if (one_in(4))
		return (uint64_t)random() << 33 ^ (uint64_t)random() << 11 ^ random();
	return values[random() % (sizeof(values) / sizeof(*values))];
}

static void spoil(void *arg, size_t size)
{
	uint64_t value = odd_value();
	size_t len = 1 << random() % 4;

	if (len <= size)
		memcpy((uint8_t *)arg + random() % (size / len) * len, &value, len);
}

/* Where the argument of a call is: mostly where it should be */
static void *place(union arg *arg, size_t size)
{
	switch (random() % 16) {
	case 0:
		return (void *)(uintptr_t)odd_value();
	case 1:
		return memcpy(self.edge - size, arg, size);
	case 2:
		return self.edge - size / 2;
	case 3:
		return self.constant;
	default:
		return arg;
	}
}

static void put_name(char name[SIGMA_NAME_MAX], unsigned int number)
{
	memset(name, 0, SIGMA_NAME_MAX);
	snprintf(name, SIGMA_NAME_MAX, "f%u", number);
}

static int open_node(const char *fmt, unsigned int a, unsigned int b)
{
	char path[64];

	snprintf(path, sizeof(path), fmt, a, b);
	return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

static void use_guest(int fd)
{
	if (self.guest >= 0)
		close(self.guest);
	self.guest = fd;
	self.startable = false;
}

static bool fill(void)
{
	int fd = ioctl(self.guest, SIGMA_MEMORY_FD);
	void *memory = fd < 0 ? MAP_FAILED : mmap(NULL, MEMORY, PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory != MAP_FAILED) {
		memset(memory, HLT, MEMORY);
		munmap(memory, MEMORY);
	}
	if (fd >= 0)
		close(fd);
	return memory != MAP_FAILED && !ioctl(self.guest, SIGMA_GET_INFO, &self.info);
}

static int do_create(void)
{
	struct sigma_create *create = &self.arg->create;
	bool good = one_in(2);

	memset(create, 0, sizeof(*create));
	put_name(create->name, self.number);
	create->memory = MEMORY;
	create->guard = one_in(4) ? SIGMA_GUARD_AUTO : SIGMA_GUARD_NO;
	create->nr_cpus = 1;
	create->cpus[0] = CPU;
	if (!good)
		spoil(create, sizeof(*create));
	if (ioctl(self.control, SIGMA_CREATE, good ? self.arg : place(self.arg, sizeof(*create))))
		return -1;
	use_guest(open_node("/dev/sigma/f%u", self.number, 0));
	self.startable = good && !self.number && self.guest >= 0 && fill();
	return 0;
}

static int do_destroy(void)
{
	put_name(self.arg->destroy.name, random() % PROCESSES);
	if (one_in(4))
		spoil(self.arg, sizeof(self.arg->destroy));
	return ioctl(self.control, SIGMA_DESTROY, place(self.arg, sizeof(self.arg->destroy)));
}

/* Without SIGMA_POOL_RAM, by which the caller vouches for the range */
static int do_pool_add(void)
{
	self.arg->pool = (struct sigma_pool_add){
		.phys = odd_value() & ~(SIGMA_SEGMENT_ALIGN - 1), .size = SIGMA_SEGMENT_ALIGN,
	};
	spoil(self.arg, sizeof(self.arg->pool));
	self.arg->pool.flags &= ~(uint64_t)SIGMA_POOL_RAM;
	return ioctl(self.control, SIGMA_POOL_ADD, self.arg);
}

static int do_open(void)
{
	use_guest(open_node("/dev/sigma/f%u", random() % PROCESSES, 0));
	return self.guest;
}

static int do_start(void)
{
	if (!self.startable) {
		errno = EAGAIN;
		return -1;
	}
	self.arg->start = (struct sigma_start){
		.entry = self.info.segments[0].phys + random() % MEMORY,
		.boot_params = self.info.segments[0].phys,
	};
	if (one_in(2))
		spoil(self.arg, sizeof(self.arg->start));
	return ioctl(self.guest, SIGMA_START, self.arg);
}

static int do_eventfd(void)
{
	const int fds[] = { -1, self.event, self.event, self.guest, self.control, 1 << 30 };

	self.arg->eventfd = (struct sigma_eventfd){
		.doorbell = random() % 512, .fd = fds[random() % (sizeof(fds) / sizeof(*fds))],
	};
	return ioctl(self.guest, one_in(2) ? SIGMA_SET_KICK : SIGMA_SET_CALL,
		     place(self.arg, sizeof(self.arg->eventfd)));
}

static int do_read_low(void)
{
	static uint8_t low[SIGMA_LOW_SIZE];

	self.arg->low.buffer = one_in(4) ? odd_value() : one_in(4) ? (uintptr_t)self.constant :
			       (uintptr_t)low;
	/* Not over what this process needs */
	if (self.arg->low.buffer > PAGE && self.arg->low.buffer < 1ULL << 47 &&
	    self.arg->low.buffer != (uintptr_t)self.constant)
		self.arg->low.buffer = (uintptr_t)low;
	return ioctl(self.guest, SIGMA_READ_LOW, place(self.arg, sizeof(self.arg->low)));
}

static int do_panic(void)
{
	for (size_t i = 0; i < sizeof(self.arg->panic); i++)
		self.arg->panic.text[i] = random();
	return ioctl(self.guest, SIGMA_PANIC, place(self.arg, sizeof(self.arg->panic)));
}

/* Those with random bytes, or nothing, as their argument */
static int do_simple(void)
{
	static const unsigned long calls[] = {
		SIGMA_GET_INFO, SIGMA_STOP, SIGMA_NMI, SIGMA_GET_VIOLATION, SIGMA_GET_NODES,
		SIGMA_RETURN_CPUS, SIGMA_WAKE, SIGMA_CHANNEL_KICK, _IO(SIGMA_IOC, 0x7f),
		_IOWR(SIGMA_IOC, 0x7e, char[8192]),
	};
	unsigned long call = calls[random() % (sizeof(calls) / sizeof(*calls))];
	const int fds[] = { self.guest, self.guest, self.guest, self.control, self.channel };

	return ioctl(fds[random() % 5], call, place(self.arg, _IOC_SIZE(call)));
}

static int do_message(void)
{
	size_t size = one_in(4) ? random() % ARG_MAX_SIZE : random() % 64;
	void *buffer = place(self.arg, size);

	/* The kernel may write to what it is given */
	if (one_in(2) && (buffer == self.arg || buffer == self.constant))
		return read(self.guest, buffer, size);
	return write(self.guest, buffer, size);
}

/* An eventfd takes 8 bytes */
static void write_unless_full(int fd, const void *bytes)
{
	uint64_t sum;

	if (write(fd, bytes, 8) < 0 && errno == EAGAIN && read(fd, &sum, 8) < 0)
		perror("an eventfd");
}

static int do_map(void)
{
	const int prots[] = { PROT_READ, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC };
	size_t size = one_in(2) ? PAGE << random() % 11 : odd_value();
	off_t offset = one_in(2) ? 0 : odd_value() & ~(PAGE - 1);
	uint8_t *map;

	map = mmap(NULL, size, prots[random() % 4], one_in(4) ? MAP_PRIVATE : MAP_SHARED,
		   one_in(2) ? self.guest : self.channel, offset);
	if (map == MAP_FAILED)
		return -1;
	/* The kernel reads there, so that a page that is gone with its guest is an error and no signal */
	for (size_t at = 0; at + 8 <= size; at += size / 4)
		write_unless_full(self.event, map + at);
	return munmap(map, size);
}

static int do_memory(void)
{
	int fd = ioctl(self.guest, SIGMA_MEMORY_FD), ret = fd;

	if (fd < 0)
		return fd;
	switch (random() % 4) {
	case 0:
		ret = pread(fd, self.arg, random() % ARG_MAX_SIZE, odd_value());
		break;
	case 1:
		ret = ftruncate(fd, odd_value());
		break;
	case 2:
		ret = pread(fd, self.edge - PAGE / 2, PAGE, random() % MEMORY);
		break;
	case 3:
		ret = lseek(fd, odd_value(), SEEK_END);
		break;
	}
	close(fd);
	return ret;
}

static int do_channel(void)
{
	size_t size = random() % PAGE;

	if (self.channel < 0 || one_in(4)) {
		if (self.channel >= 0)
			close(self.channel);
		self.channel = open_node("/dev/iosc/f%u/%u", random() % PROCESSES,
					 random() % (SIGMA_CHANNELS + 1));
		return self.channel;
	}
	return one_in(2) ? read(self.channel, self.arg, size) : write(self.channel, self.arg, size);
}

static const struct {
	const char *name;
	int (*call)(void);
	unsigned int weight;
} calls[] = {
	{ "create", do_create, 6 }, { "destroy", do_destroy, 2 }, { "pool add", do_pool_add, 2 },
	{ "open", do_open, 4 }, { "start", do_start, 4 }, { "eventfd", do_eventfd, 10 },
	{ "read low", do_read_low, 4 }, { "panic", do_panic, 2 }, { "simple", do_simple, 20 },
	{ "message", do_message, 8 }, { "map", do_map, 8 }, { "memory", do_memory, 8 },
	{ "channel", do_channel, 8 },
};

#define NR_CALLS (sizeof(calls) / sizeof(*calls))

static unsigned int draw(void)
{
	unsigned int sum = 0, i;
	long at;

	for (i = 0; i < NR_CALLS; i++)
		sum += calls[i].weight;
	at = random() % sum;
	for (i = 0; at >= calls[i].weight; i++)
		at -= calls[i].weight;
	return i;
}

static void call_wildly(unsigned int nr)
{
	unsigned int good[NR_CALLS] = {}, bad[NR_CALLS] = {};

	while (nr--) {
		unsigned int i = draw();

		++*(calls[i].call() < 0 ? &bad[i] : &good[i]);
	}
	for (unsigned int i = 0; i < NR_CALLS; i++)
		printf("process %u: %s: %u succeeded, %u failed\n", self.number, calls[i].name,
		       good[i], bad[i]);
	fflush(stdout);
}

static bool prepare(void)
{
	uint8_t *pages = mmap(NULL, 2 * ARG_MAX_SIZE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	self.arg = mmap(NULL, sizeof(*self.arg), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	self.constant = mmap(NULL, ARG_MAX_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	self.edge = pages + ARG_MAX_SIZE;
	self.control = open("/dev/sigma/control", O_RDWR | O_CLOEXEC);
	self.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return pages != MAP_FAILED && self.arg != MAP_FAILED && self.constant != MAP_FAILED &&
	       !munmap(self.edge, ARG_MAX_SIZE) && self.control >= 0 && self.event >= 0;
}

/* All of them are gone afterwards */
static bool destroy_all(void)
{
	int control = open("/dev/sigma/control", O_RDWR | O_CLOEXEC);
	DIR *folder = opendir("/sys/class/sigma");
	bool done = control >= 0 && folder;
	struct sigma_destroy args;
	struct dirent *entry;

	while (done && (entry = readdir(folder))) {
		if (*entry->d_name == '.' || !strcmp(entry->d_name, "control"))
			continue;
		memset(&args, 0, sizeof(args));
		memcpy(args.name, entry->d_name, strnlen(entry->d_name, sizeof(args.name)));
		if (ioctl(control, SIGMA_DESTROY, &args)) {
			printf("%s: cannot be destroyed: %s\n", entry->d_name, strerror(errno));
			done = false;
		}
	}
	return done;
}

int main(int argc, char **argv)
{
	int status = 0, how;

	if (argc != 3) {
		printf("wildcalls: see the top of its source for its arguments\n");
		return 2;
	}
	for (unsigned int i = 0; i < PROCESSES; i++)
		if (!fork()) {
			self.number = i;
			srandom(strtoul(argv[1], NULL, 0) + i);
			if (!prepare())
				exit(1);
			call_wildly(strtoul(argv[2], NULL, 0));
			exit(0);
		}
	for (unsigned int i = 0; i < PROCESSES; i++)
		if (wait(&how) < 0 || how) {
			printf("a process ended with %#x\n", how);
			status = 1;
		}
	return destroy_all() ? status : 1;
}
