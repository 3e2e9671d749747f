// SPDX-License-Identifier: GPL-2.0
/*
 * The ioctls of sigma.ko with messages for people: see guest.h.
 *
 * sigma.ko says why it refused (struct sigma_why). The errno is only explained when it
 * gave no reason.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../common/control.h"
#include "../common/guard.h"
#include "../common/log.h"
#include "../common/savefile.h"
#include "../common/versions.h"
#include "guest.h"

#define CONTROL SIGMA_DEVICES_DIR "/control"

/* udev sets the group of the device node a moment after devtmpfs has made it */
#define UDEV_TRIES	100
#define UDEV_WAIT_MS	20

static int open_control(void)
{
	int fd = open(CONTROL, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENXIO || errno == ENODEV)
		return log_error(-errno, "sigma.ko is not loaded (there is no " CONTROL "): run 'modprobe sigma' as root; 'sigmactl check' says what this machine can do");
	if (errno == EACCES || errno == EPERM)
		return log_error(-errno, "you may not open " CONTROL ": only root starts guests");
	return log_error(-errno, "cannot open " CONTROL ": %s", strerror(errno));
}

static int open_device(const char *name)
{
	const struct timespec wait = { .tv_nsec = UDEV_WAIT_MS * 1000 * 1000 };
	char path[sizeof(SIGMA_DEVICES_DIR) + SIGMA_NAME_MAX + 1];
	int fd = -1;

	snprintf(path, sizeof(path), SIGMA_DEVICES_DIR "/%s", name);
	for (int i = 0; i < UDEV_TRIES; i++) {
		fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0 || (errno != ENOENT && errno != EACCES))
			break;
		nanosleep(&wait, NULL);
	}
	if (fd < 0)
		return log_error(-errno, "cannot open %s, which sigma.ko has just made: %s", path,
				 strerror(errno));
	return fd;
}

static int report_exists(const char *name)
{
	return log_error(-EEXIST, "a guest of this name exists already: 'sigmactl list' shows it, 'sigmactl kill %s' takes its CPUs and memory back",
			 name);
}

/* Is @error about a key of the guest file? The caller reports it then, with the key's line */
static bool names_a_key(int error)
{
	return error == -ENOMEM || error == -EBUSY || error == -EINVAL || error == -EOPNOTSUPP;
}

static int create(struct guest *guest, const struct guest_config *config, const uint32_t *cpus,
		  unsigned int nr_cpus, char why[REASON_TEXT_MAX])
{
	struct sigma_create arg = {
		.memory = config->memory,
		.flags = (config->split_cores ? SIGMA_CREATE_SPLIT_CORES : 0) |
			 (config->numa_node != NUMA_NODE_ANY ? SIGMA_CREATE_ONE_NODE : 0),
		.guard = config->guard,
		.nr_cpus = nr_cpus,
	};
	int error;

	snprintf(arg.name, sizeof(arg.name), "%s", guest->name);
	memcpy(arg.cpus, cpus, nr_cpus * sizeof(*cpus));
	error = ioctl(guest->control_fd, SIGMA_CREATE, &arg) ? -errno : 0;
	guest->why = arg.why;
	if (!error)
		return 0;
	if (error == -EEXIST)
		return report_exists(guest->name);
	if (arg.why.reason)
		reason_text(&arg.why, config->memory, why);
	else
		snprintf(why, REASON_TEXT_MAX, "%s", strerror(-error));
	if (names_a_key(error))
		return error;
	return log_error(error, "the guest cannot be made: %s", why);
}

static int destroy(const struct guest *guest)
{
	char why[256];
	int error = control_give_back(guest->control_fd, guest->name, why, sizeof(why));

	return error ? log_error(error, "%s", why) : 0;
}

int guest_open(struct guest *guest, const char *name)
{
	snprintf(guest->name, sizeof(guest->name), "%s", name);
	guest->control_fd = open_control();
	if (guest->control_fd < 0)
		return guest->control_fd;
	if (!control_has_guest(name))
		return 0;
	close(guest->control_fd);
	return report_exists(name);
}

void guest_close(struct guest *guest)
{
	close(guest->control_fd);
}

/* Open the device of an existing guest and map its IOSC window */
static int open_guest(struct guest *guest)
{
	void *iosc;
	int error;

	guest->fd = open_device(guest->name);
	if (guest->fd < 0)
		return guest->fd;

	error = guest_update(guest);
	if (error)
		goto close_device;

	/* It may have been made by a sigma.ko that does not tell; the guest takes it for one node then */
	if (ioctl(guest->fd, SIGMA_GET_NODES, &guest->nodes))
		memset(&guest->nodes, 0, sizeof(guest->nodes));

	iosc = mmap(NULL, SIGMA_IOSC_SIZE, PROT_READ, MAP_SHARED, guest->fd, 0);
	if (iosc == MAP_FAILED) {
		error = log_error(-errno, "cannot map the IOSC window: %s", strerror(errno));
		goto close_device;
	}
	guest->iosc = iosc;
	return 0;

close_device:
	close(guest->fd);
	return error;
}

int guest_create(struct guest *guest, const struct guest_config *config, const uint32_t *cpus,
		 unsigned int nr_cpus, char why[REASON_TEXT_MAX])
{
	int error;

	error = create(guest, config, cpus, nr_cpus, why);
	if (error)
		return error;
	error = open_guest(guest);
	if (!error)
		return 0;
	destroy(guest);
	/* This error was reported, so it must not be one that the caller reports */
	return names_a_key(error) ? -EIO : error;
}

int guest_create_at(struct guest *guest, const struct save_head *head, char why[REASON_TEXT_MAX])
{
	struct sigma_create_at at = {
		.create.memory = head->memory, .create.flags = head->flags, .create.guard = head->guard,
		.create.nr_cpus = head->nr_cpus, .iosc_phys = head->iosc_phys, .low_phys = head->low_phys,
		.nr_segments = head->nr_segments,
	};
	int error;

	memcpy(at.create.name, head->name, sizeof(at.create.name));
	memcpy(at.apic_ids, head->apic_ids, sizeof(at.apic_ids));
	memcpy(at.segments, head->segments, sizeof(at.segments));
	error = ioctl(guest->control_fd, SIGMA_CREATE_AT, &at) ? -errno : 0;
	if (error == -EEXIST)
		return report_exists(guest->name);
	if (error && at.create.why.reason)
		reason_text(&at.create.why, head->memory, why);
	else if (error)
		snprintf(why, REASON_TEXT_MAX, "%s", error == -ENOTTY ?
			 "the loaded sigma.ko is older than this sigmad; " VERSIONS_REMEDY : strerror(-error));
	if (error)
		return error;
	error = open_guest(guest);
	if (!error)
		return 0;
	snprintf(why, REASON_TEXT_MAX, "its device cannot be used");
	destroy(guest);
	return error;
}

int guest_set_shared(struct guest *guest, const struct sigma_shared *shared)
{
	return ioctl(guest->fd, SIGMA_SET_SHARED, shared) ? -errno : 0;
}

int guest_restore(struct guest *guest, const void *window, const void *low)
{
	const struct sigma_restore args = { .window = (uintptr_t)window, .low = (uintptr_t)low };

	return ioctl(guest->fd, SIGMA_RESTORE, &args) ? -errno : 0;
}

int guest_attach(struct guest *guest, const char *name)
{
	int error;

	snprintf(guest->name, sizeof(guest->name), "%s", name);
	guest->control_fd = open_control();
	if (guest->control_fd < 0)
		return guest->control_fd;
	error = open_guest(guest);
	if (error)
		close(guest->control_fd);
	return error;
}

int guest_destroy(struct guest *guest)
{
	munmap((void *)guest->iosc, SIGMA_IOSC_SIZE);
	close(guest->fd);
	return destroy(guest);
}

void guest_leave(struct guest *guest)
{
	munmap((void *)guest->iosc, SIGMA_IOSC_SIZE);
	close(guest->fd);
}

int guest_give_back(const char *name)
{
	struct guest guest;
	int error;

	snprintf(guest.name, sizeof(guest.name), "%s", name);
	guest.control_fd = open_control();
	if (guest.control_fd < 0)
		return guest.control_fd;
	error = destroy(&guest);
	close(guest.control_fd);
	return error;
}

int guest_update(struct guest *guest)
{
	if (!ioctl(guest->fd, SIGMA_GET_INFO, &guest->info))
		return 0;
	return log_error(-errno, "cannot read the guest's state: %s", strerror(errno));
}

bool guest_has_changed(const struct guest *guest)
{
	struct pollfd pollfd = { .fd = guest->fd, .events = POLLPRI };

	return poll(&pollfd, 1, 0);
}

/* sigma.ko has just written it. A guest that has changed it since then only harms itself */
static int check_window(const struct guest *guest)
{
	const struct sigma_iosc_header *header =
		(const void *)(guest->iosc + SIGMA_IOSC_HEADER_OFF);
	uint32_t version = le32toh(*(const volatile __le32 *)&header->version);

	if (version == SIGMA_IOSC_VERSION)
		return 0;
	return log_error(-EPROTO, "the loaded sigma.ko has version %u of the shared memory window, and this sigmad has version %u; " VERSIONS_REMEDY,
			 version, SIGMA_IOSC_VERSION);
}

int guest_start(struct guest *guest, const struct sigma_start *start)
{
	if (!ioctl(guest->fd, SIGMA_START, start))
		return check_window(guest);
	if (errno == EIO)
		return log_error(-errno, "a CPU did not answer INIT-SIPI; it is lost until the machine is restarted: see dmesg");
	return log_error(-errno, "the guest cannot be started: %s", strerror(errno));
}

int guest_stop(struct guest *guest)
{
	if (!ioctl(guest->fd, SIGMA_STOP))
		return 0;
	return log_error(-errno, errno == EIO ?
			 "a CPU of the guest did not answer INIT and may still run: see dmesg" :
			 "the guest cannot be stopped: %s", strerror(errno));
}

int guest_nmi(struct guest *guest)
{
	return ioctl(guest->fd, SIGMA_NMI) ? -errno : 0;
}

int guest_receive(struct guest *guest, void *msg)
{
	ssize_t len = read(guest->fd, msg, SIGMA_MSG_MAX);

	return len < 0 ? -errno : len;
}

int guest_send(struct guest *guest, const void *msg, size_t len)
{
	return write(guest->fd, msg, len) < 0 ? -errno : 0;
}

bool guest_has_room(struct guest *guest)
{
	struct pollfd pollfd = { .fd = guest->fd, .events = POLLOUT };

	return poll(&pollfd, 1, 0) == 1 && pollfd.revents & POLLOUT;
}

static const struct sigma_iosc_guest *guest_page(const struct guest *guest)
{
	const struct sigma_iosc_header *header =
		(const void *)(guest->iosc + SIGMA_IOSC_HEADER_OFF);

	return &header->guest;
}

int guest_ask(struct guest *guest, enum sigma_power action)
{
	struct {
		struct sigma_msg msg;
		struct sigma_bus_event_power power;
	} event = {
		.msg = { .flags = SIGMA_MSG_BUS, .id = SIGMA_BUS_EVENT_POWER },
		.power = { .action = htole32(action) },
	};

	if (action == SIGMA_POWER_SLEEP)
		event.power.sleeps = *(const volatile __le32 *)&guest_page(guest)->sleeps;

	return guest_send(guest, &event, sizeof(event));
}

static int bind_eventfd(struct guest *guest, unsigned long request, uint32_t doorbell, int fd)
{
	struct sigma_eventfd arg = { .doorbell = doorbell, .fd = fd };

	return ioctl(guest->fd, request, &arg) ? -errno : 0;
}

int guest_bind_kick(struct guest *guest, uint32_t doorbell, int fd)
{
	return bind_eventfd(guest, SIGMA_SET_KICK, doorbell, fd);
}

int guest_bind_call(struct guest *guest, uint32_t doorbell, int fd)
{
	return bind_eventfd(guest, SIGMA_SET_CALL, doorbell, fd);
}

bool guest_runs(const struct guest *guest)
{
	switch (guest->info.state) {
	case SIGMA_STATE_BOOTING:
	case SIGMA_STATE_RUNNING:
	case SIGMA_STATE_UNRESPONSIVE:
		return true;
	default:
		return false;
	}
}

bool guest_lives(const struct guest *guest)
{
	return guest_runs(guest) || guest->info.state == SIGMA_STATE_ASLEEP;
}

void guest_warn_of_guard(const struct guest *guest, enum sigma_guard_kind asked)
{
	char why[REASON_TEXT_MAX];

	if (asked != SIGMA_GUARD_AUTO || guest->info.guard == SIGMA_GUARD_FULL)
		return;
	reason_text(&guest->why, 0, why);
	if (guest->info.guard == SIGMA_GUARD_MEMORY)
		log_warning("Guard=auto has chosen \"memory\", which is against accidents, not against attacks: a hostile guest can take over the host by interrupts (%s)",
			    why);
	else
		log_warning("Guard=auto has chosen \"no\": the guest is as trusted as a kernel module (%s)",
			    why);
}

static bool has_cpu_of(const struct guest *guest, uint32_t node)
{
	for (unsigned int i = 0; i < guest->info.nr_cpus; i++)
		if (guest->nodes.cpus[i] == node)
			return true;
	return false;
}

void guest_warn_of_nodes(const struct guest *guest)
{
	const struct sigma_nodes *nodes = &guest->nodes;
	uint64_t away = 0;

	for (unsigned int i = 0; i < nodes->nr_ranges; i++)
		if (!has_cpu_of(guest, nodes->ranges[i].node))
			away += nodes->ranges[i].size;
	if (away)
		log_warning("%llu MiB of the guest's memory are of NUMA nodes of which it has no CPU, and slower: node %u, where its first CPU is, had no more in few pieces; free some there, or name CPUs of another node (CPUs=cpuN)",
			    (unsigned long long)away >> 20, nodes->cpus[0]);
}

int guest_panic_found(struct guest *guest, const char *text)
{
	struct sigma_panic panic;

	snprintf(panic.text, sizeof(panic.text), "%s", text);
	return ioctl(guest->fd, SIGMA_PANIC, &panic) ? -errno : 0;
}

bool guest_can_sleep(const struct guest *guest)
{
	return *(const volatile __le32 *)&guest_page(guest)->can_sleep;
}

bool guest_wakes(const struct guest *guest)
{
	return guest->info.state == SIGMA_STATE_BOOTING &&
	       *(const volatile __le32 *)&guest_page(guest)->state == htole32(SIGMA_GUEST_ASLEEP);
}

int guest_return_cpus(struct guest *guest)
{
	return ioctl(guest->fd, SIGMA_RETURN_CPUS) ? -errno : 0;
}

int guest_wake(struct guest *guest, char why[REASON_TEXT_MAX])
{
	struct sigma_wake wake = {};
	int error = ioctl(guest->fd, SIGMA_WAKE, &wake) ? -errno : 0;

	if (error)
		reason_of_wake(error, &wake.why, why);
	return error;
}

void guest_set_suspend(struct guest *guest, enum sigma_suspend policy)
{
	const struct sigma_suspend_policy args = { .policy = policy };

	guest->suspend = ioctl(guest->fd, SIGMA_SET_SUSPEND, &args) ? SIGMA_SUSPEND_REFUSE : policy;
}

bool guest_keeps_awake(const struct guest *guest)
{
	if (guest->info.state == SIGMA_STATE_RUNNING && guest->suspend == SIGMA_SUSPEND_SLEEP)
		return !guest_can_sleep(guest);
	return guest_lives(guest) && guest->suspend == SIGMA_SUSPEND_REFUSE;
}

bool guest_wake_failure(const struct guest *guest, char why[REASON_TEXT_MAX])
{
	struct sigma_wake_failure failure;

	*why = '\0';
	if (ioctl(guest->fd, SIGMA_GET_WAKE_FAILURE, &failure) || !failure.error)
		return false;
	reason_of_wake(-(int)failure.error, &failure.why, why);
	return true;
}

bool guest_driver_seen(const struct guest *guest)
{
	return *(const volatile __le32 *)&guest_page(guest)->state != htole32(SIGMA_GUEST_NONE);
}

uint64_t guest_heartbeat(const struct guest *guest)
{
	return le64toh(*(const volatile __le64 *)&guest_page(guest)->heartbeat);
}

void guest_text(const struct guest *guest, size_t offset, char *text, size_t size)
{
	const volatile char *from = (const volatile char *)guest_page(guest) + offset;
	size_t i;

	for (i = 0; i < size - 1; i++) {
		char c = from[i];

		if (!c)
			break;
		text[i] = c >= ' ' && c <= '~' ? c : '?';
	}
	text[i] = '\0';
}

void guest_panic(const struct guest *guest, char text[GUEST_PANIC_MAX])
{
	*text = '\0';
	if (guest->info.state == SIGMA_STATE_PANICKED)
		guest_text(guest, offsetof(struct sigma_iosc_guest, panic_text), text,
			   GUEST_PANIC_MAX);
}
