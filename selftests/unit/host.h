/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host that a sigmad runs on, simulated: sigma.ko with one guest, /run/sigma, and kernels to
 * load. open(), access(), ioctl(), read() and mmap() of the test stand in for /dev/sigma, and the
 * test has functions of its own for rundir.h and load.h. All else is real.
 *
 * The guest's device is one end of a socket pair, and the test has the other one: a control message
 * is data, and a change of the guest's state is urgent data, which poll() reports as EPOLLPRI
 * (AF_UNIX has it since Linux 5.15).
 *
 * What happens is noted, so that a test can tell the order: see noted().
 */
#ifndef SIGMA_TEST_HOST_H
#define SIGMA_TEST_HOST_H

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../common/control.h"
#include "../../common/rundir.h"
#include "../../daemon/load/load.h"
#include "../../daemon/state.h"
#include "../../kmod/uapi/iosc.h"

#define HOST_GUEST	"unit-test"
#define HOST_MEMORY	0x200000ULL	/* bytes, at HOST_PHYS */
#define HOST_PHYS	0x40000000ULL

static struct {
	bool exists;
	uint32_t state;
	int guest;			/* the guest's end of its device, or -1 */
	int device;			/* sigmad's end, or -1 */
	int memory, window;		/* files */
	struct sigma_iosc_header *header;	/* in the window */
	unsigned long fails;		/* the ioctl that fails with @error, or 0 */
	int error;
	struct sigma_wake_failure wake_failure;
	uint32_t window_version;	/* that sigma.ko writes there */
	int read_error;			/* of the control messages, or 0 */
	int load_error;			/* of load_open(), or 0 */
	bool load_dies;			/* sigmad is killed in load_open() */
	char folder[32];		/* /run/sigma/HOST_GUEST */
} host = {
	.guest = -1, .device = -1, .memory = -1, .window = -1, .window_version = SIGMA_IOSC_VERSION,
};

static char notes[1024];

static inline void __attribute__((format(printf, 1, 2))) note(const char *fmt, ...)
{
	size_t len = strlen(notes);
	va_list ap;

	if (len)
		len += snprintf(notes + len, sizeof(notes) - len, " ");
	va_start(ap, fmt);
	vsnprintf(notes + len, sizeof(notes) - len, fmt, ap);
	va_end(ap);
}

/** noted - what was noted since the last call */
static inline const char *noted(void)
{
	static char last[sizeof(notes)];

	strcpy(last, notes);
	*notes = '\0';
	return last;
}

/** host_tell - sigma.ko tells whoever has the device open that there is something new */
static inline void host_tell(void)
{
	if (host.guest >= 0)
		send(host.guest, "!", 1, MSG_OOB | MSG_NOSIGNAL);
}

/** host_change - the guest's state changes; sigma.ko tells whoever has the device open */
static inline void host_change(uint32_t state)
{
	if (host.state == state)
		return;
	host.state = state;
	if (state == SIGMA_STATE_RUNNING)
		host.header->guest.state = htole32(SIGMA_GUEST_UP);
	host_tell();
}

static inline bool host_alive(void)
{
	return host.state == SIGMA_STATE_BOOTING || host.state == SIGMA_STATE_RUNNING ||
	       host.state == SIGMA_STATE_UNRESPONSIVE;
}

static inline void host_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/** host_hang_up - the guest's device goes away */
static inline void host_hang_up(void)
{
	host_close(&host.guest);
	host.device = -1;			/* who has it open closes it */
}

static inline int host_open_device(void)
{
	int ends[2];

	if (!host.exists) {
		errno = ENOENT;
		return -1;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends))
		return -1;
	host_close(&host.guest);
	host.guest = ends[0];
	host.device = ends[1];
	return host.device;
}

static inline void host_info(struct sigma_info *info)
{
	char seen;

	*info = (struct sigma_info) {
		.name = HOST_GUEST, .state = host.state, .nr_cpus = 1, .nr_segments = 1,
		.guard = SIGMA_GUARD_FULL, .memory = HOST_MEMORY, .cpus = { 1 }, .apic_ids = { 1 },
		.segments = { { .phys = HOST_PHYS, .size = HOST_MEMORY } },
	};
	recv(host.device, &seen, 1, MSG_OOB);
}

static inline void host_create(struct sigma_create *arg)
{
	note("create");
	host.exists = true;
	host.state = SIGMA_STATE_CREATED;
}

static inline void host_destroy(void)
{
	note("destroy");
	host.exists = false;
	host_hang_up();
}

static inline void host_start(void)
{
	note("start");
	memset(host.header, 0, sizeof(*host.header));
	host.header->version = htole32(host.window_version);
	host_change(SIGMA_STATE_BOOTING);
}

static inline int host_panic(const struct sigma_panic *panic)
{
	if (host.state != SIGMA_STATE_BOOTING) {
		errno = EPIPE;
		return -1;
	}
	note("panic");
	memcpy(host.header->guest.panic_text, panic->text, sizeof(panic->text));
	host_change(SIGMA_STATE_PANICKED);
	return 0;
}

static inline void host_violation(struct sigma_violation *violation)
{
	*violation = (struct sigma_violation) { };
	if (host.state == SIGMA_STATE_CONTAINED)
		*violation = (struct sigma_violation) {
			.reason = SIGMA_VIOLATION_MEMORY, .write = 1, .info = 0x1000, .cpu = 1,
		};
}

static inline void host_stop(void)
{
	note("stop");
	if (host_alive() || host.state == SIGMA_STATE_ASLEEP)
		host_change(SIGMA_STATE_STOPPED);
}

/* An ioctl that fails; a CPU that does not answer is what sigma.ko says by EIO */
static inline int host_fail(unsigned long request, void *arg)
{
	if (request == SIGMA_CREATE)
		((struct sigma_create *)arg)->why = (struct sigma_why) {
			.reason = SIGMA_REASON_CPU_LENT, .cpu = 1,
		};
	if (request == SIGMA_WAKE)
		((struct sigma_wake *)arg)->why = (struct sigma_why) {
			.reason = SIGMA_REASON_CPU_LENT, .cpu = 1,
		};
	if (request == SIGMA_START)
		host_change(SIGMA_STATE_STOPPED);
	if (request == SIGMA_STOP)
		host_change(SIGMA_STATE_LOST);
	errno = host.error;
	return -1;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);

	if (host.fails == request)
		return host_fail(request, arg);
	switch (request) {
	case SIGMA_CREATE:
		host_create(arg);
		return 0;
	case SIGMA_DESTROY:
		host_destroy();
		return 0;
	case SIGMA_GET_INFO:
		host_info(arg);
		return 0;
	case SIGMA_START:
		host_start();
		return 0;
	case SIGMA_STOP:
		host_stop();
		return 0;
	case SIGMA_RETURN_CPUS:
		note("return");
		return 0;
	case SIGMA_WAKE:
		note("wake");
		host_change(SIGMA_STATE_BOOTING);
		return 0;
	case SIGMA_SET_SUSPEND:
		return 0;
	case SIGMA_READ_LOW:
		memset((void *)(uintptr_t)((struct sigma_low *)arg)->buffer, 1, SIGMA_LOW_SIZE);
		return 0;
	case SIGMA_GET_WAKE_FAILURE:
		*(struct sigma_wake_failure *)arg = host.wake_failure;
		return 0;
	case SIGMA_NMI:
		note("nmi");
		return 0;
	case SIGMA_PANIC:
		return host_panic(arg);
	case SIGMA_GET_VIOLATION:
		host_violation(arg);
		return 0;
	case SIGMA_MEMORY_FD:
		return fcntl(host.memory, F_DUPFD_CLOEXEC, 0);
	case SIGMA_SET_KICK:
	case SIGMA_SET_CALL:
		return 0;
	default:
		return syscall(SYS_ioctl, fd, request, arg);
	}
}

int access(const char *path, int mode)
{
	if (!strncmp(path, SIGMA_DEVICES_DIR "/", strlen(SIGMA_DEVICES_DIR "/"))) {
		errno = ENOENT;
		return host.exists ? 0 : -1;
	}
	return faccessat(AT_FDCWD, path, mode, 0);
}

ssize_t read(int fd, void *to, size_t len)
{
	if (fd == host.device && host.read_error) {
		errno = host.read_error;
		return -1;
	}
	return syscall(SYS_read, fd, to, len);
}

void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	if (fd >= 0 && fd == host.device)
		fd = host.window;
	return (void *)syscall(SYS_mmap, at, len, prot, flags, fd, offset);
}

/* The state file begins without a name; not each file system has O_TMPFILE */
static inline int host_open_state(void)
{
	char path[RUNDIR_PATH_MAX];

	snprintf(path, sizeof(path), "%s/unnamed", host.folder);
	unlink(path);			/* it may be the last one, under two names */
	return openat(AT_FDCWD, path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
}

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (flags & (O_CREAT | O_TMPFILE)) {
		va_start(ap, flags);
		mode = va_arg(ap, int);
		va_end(ap);
	}
	if (!strcmp(path, SIGMA_DEVICES_DIR "/control"))
		path = "/dev/null";
	else if (!strncmp(path, SIGMA_DEVICES_DIR "/", strlen(SIGMA_DEVICES_DIR "/")))
		return host_open_device();
	else if (!strcmp(path, RUNDIR))
		return host_open_state();
	return openat(AT_FDCWD, path, flags, mode);
}

/* Instead of common/rundir.c */

void rundir_path(char path[RUNDIR_PATH_MAX], const char *name, const char *file)
{
	snprintf(path, RUNDIR_PATH_MAX, "%s/%s", host.folder, file);
}

static inline void host_empty(void)
{
	static const char *const files[] = {
		"unnamed", STATE_FILE, STATE_FILE_NEW, "agent", "console", "log", "log.1",
	};
	char path[RUNDIR_PATH_MAX];

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		rundir_path(path, HOST_GUEST, files[i]);
		unlink(path);
	}
}

int rundir_prepare(void)
{
	return 0;
}

/* Empty but for the state file without a name, which is made before */
int rundir_make(const char *name)
{
	return 0;
}

void rundir_take(const char *name)
{
	char path[RUNDIR_PATH_MAX];

	rundir_path(path, name, "console");
	unlink(path);
}

void rundir_share(const char *path, unsigned int mode)
{
}

void rundir_remove(const char *name)
{
	note("remove");
	host_empty();
}

void rundir_retire(const char *name)
{
	note("retire");
	host_empty();
}

/* Instead of daemon/load/ */

int load_open(struct load *load, const struct guest_config *config)
{
	note("load");
	if (host.load_dies)
		_exit(0);
	return host.load_error;
}

void load_close(struct load *load)
{
}

int load_guest(const struct load *load, const struct guest_config *config,
	       const struct sigma_info *info, const struct sigma_nodes *nodes,
	       const struct guest_memory *mem, struct sigma_start *start)
{
	*start = (struct sigma_start) { .entry = HOST_PHYS, .boot_params = HOST_PHYS };
	return 0;
}

int load_place_shared(struct guest_memory *mem, uint64_t size)
{
	mem->shared = (struct sigma_shared){ .phys = HOST_PHYS, .size = size };
	return 0;
}

static void __attribute__((constructor)) host_prepare(void)
{
	strcpy(host.folder, "/tmp/sigma-unit-XXXXXX");
	host.memory = memfd_create("memory", MFD_CLOEXEC);
	host.window = memfd_create("window", MFD_CLOEXEC);
	if (host.memory < 0 || host.window < 0 || ftruncate(host.memory, HOST_MEMORY) ||
	    ftruncate(host.window, SIGMA_IOSC_SIZE) || !mkdtemp(host.folder))
		abort();
	host.header = mmap(NULL, sizeof(*host.header), PROT_READ | PROT_WRITE, MAP_SHARED,
			   host.window, SIGMA_IOSC_HEADER_OFF);
	if (host.header == MAP_FAILED)
		abort();
}

static void __attribute__((destructor)) host_clean_up(void)
{
	host_empty();
	rmdir(host.folder);
}

#endif
