// SPDX-License-Identifier: GPL-2.0
/* The agent in the guest: see agent.h. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/gueststate.h"
#include "../common/log.h"
#include "../common/rundir.h"
#include "agent.h"

#define KEY_FILE	"agent"
#define CALLS_MAX	64	/* connections that are being made */
#define PORTS		256	/* up to AGENT_HOST_PORT_MAX; for users, those below these */

/** struct call - a call of OpenAgent that waits for its connection */
struct call {
	sd_bus_message *message;
	sd_event_source *source;
	int fd;
	struct agent_header header;
	struct agent_hello hello;
};

static unsigned int nr_calls;

int agent_key_keep(const char *name, const uint8_t key[AGENT_KEY_SIZE])
{
	char path[RUNDIR_PATH_MAX];
	int fd, error = 0;

	rundir_path(path, name, KEY_FILE);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || pwrite(fd, key, AGENT_KEY_SIZE, 0) != AGENT_KEY_SIZE)
		error = log_error(-errno ?: -EIO, "cannot keep the agent's key in %s: %s", path,
				  strerror(errno));
	if (fd >= 0)
		close(fd);
	return error;
}

int agent_key_make(const char *name, uint8_t key[AGENT_KEY_SIZE])
{
	if (getrandom(key, AGENT_KEY_SIZE, 0) != AGENT_KEY_SIZE)
		return log_error(-errno, "no random number for the agent's key: %s",
				 strerror(errno));
	return agent_key_keep(name, key);
}

int agent_key_read(const char *name, uint8_t key[AGENT_KEY_SIZE])
{
	char path[RUNDIR_PATH_MAX];
	int fd, error = 0;

	rundir_path(path, name, KEY_FILE);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pread(fd, key, AGENT_KEY_SIZE, 0) != AGENT_KEY_SIZE)
		error = -EIO;
	close(fd);
	return error;
}

static void free_call(struct call *call)
{
	sd_event_source_unref(call->source);
	sd_bus_message_unref(call->message);
	if (call->fd >= 0)
		close(call->fd);
	explicit_bzero(call, sizeof(*call));
	free(call);
	nr_calls--;
}

static int say_hello(const struct call *call)
{
	const struct iovec parts[] = {
		{ .iov_base = (void *)&call->header, .iov_len = sizeof(call->header) },
		{ .iov_base = (void *)&call->hello, .iov_len = sizeof(call->hello) },
	};
	const struct msghdr message = { .msg_iov = (void *)parts, .msg_iovlen = 2 };
	socklen_t len = sizeof(int);
	ssize_t sent;
	int error;

	if (getsockopt(call->fd, SOL_SOCKET, SO_ERROR, &error, &len))
		return -errno;
	if (error)
		return -error;
	sent = sendmsg(call->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0)
		return -errno;
	return sent == sizeof(call->header) + sizeof(call->hello) ? 0 : -EIO;
}

static int on_connected(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct call *call = data;
	int error = say_hello(call);

	/* The client may be gone, which is no mistake here */
	if (error)
		sd_bus_reply_method_errnof(call->message, -EAGAIN, "no agent answers in the guest: %s",
					   strerror(-error));
	else
		sd_bus_reply_method_return(call->message, "h", call->fd);
	free_call(call);
	return 0;
}

static bool of_user;

void agent_of_user(void)
{
	of_user = true;
}

/*
 * The agent takes connections from no other ports. One may be in use for another guest, and that of
 * the last connection is not used again at once, since the guest may not have closed that one yet.
 */
static int bind_port(int fd)
{
	static unsigned int next;
	struct sockaddr_vm address = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY };

	for (unsigned int i = 0; i < PORTS; i++) {
		address.svm_port = AGENT_HOST_PORT_MAX - next++ % PORTS - (of_user ? PORTS : 0);
		if (!bind(fd, (const struct sockaddr *)&address, sizeof(address)))
			return 0;
		if (errno != EADDRINUSE)
			break;
	}
	return -errno;
}

static int begin_connection(struct call *call, uint32_t cid)
{
	const struct sockaddr_vm address = {
		.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = AGENT_PORT,
	};
	int error;

	call->fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (call->fd < 0)
		return -errno;
	error = bind_port(call->fd);
	if (error)
		return error;
	if (connect(call->fd, (const struct sockaddr *)&address, sizeof(address)) &&
	    errno != EINPROGRESS)
		return -errno;
	return 0;
}

/* Nothing answers in such a guest, and nothing will, as far as can be seen */
static bool is_dead(uint32_t state)
{
	switch (state) {
	case SIGMA_STATE_CREATED:
	case SIGMA_STATE_BOOTING:
	case SIGMA_STATE_RUNNING:
	case SIGMA_STATE_REBOOT:
		return false;
	default:
		return true;
	}
}

int agent_open(sd_bus_message *m, const struct machine *machine, sd_bus_error *error)
{
	struct call *call;
	const uint32_t state = machine->guest.info.state;
	int ret;

	if (is_dead(state))
		return sd_bus_error_set_errnof(error, -EHOSTDOWN, "nothing runs programs in it: it is %s; 'sigmactl status %s' shows more",
					       guest_state_name(state), machine->config->name);
	if (!machine->state->vsock_cid)
		return sd_bus_error_set_errnof(error, -EOPNOTSUPP, "the guest has no AF_VSOCK; its file says VSock=no, or the host has no vhost-vsock");
	if (nr_calls == CALLS_MAX)
		return sd_bus_error_set_errnof(error, -EAGAIN, "more than %u connections to its agent are being made",
					       CALLS_MAX);
	call = calloc(1, sizeof(*call));
	if (!call)
		return -ENOMEM;
	nr_calls++;
	call->message = sd_bus_message_ref(m);
	call->header.size = htole32(sizeof(call->hello));
	call->header.type = htole16(AGENT_HELLO);
	memcpy(call->hello.magic, AGENT_MAGIC, sizeof(call->hello.magic));
	call->hello.version = htole32(AGENT_VERSION);
	call->fd = -1;
	ret = agent_key_read(machine->config->name, call->hello.key);
	if (ret) {
		free_call(call);
		return sd_bus_error_set_errnof(error, ret == -ENOENT ? -EOPNOTSUPP : ret,
					       "the guest was started without a key for its agent: %s; restart the guest",
					       strerror(-ret));
	}
	ret = begin_connection(call, machine->state->vsock_cid);
	if (ret) {
		free_call(call);
		return sd_bus_error_set_errnof(error, -EAGAIN, "its agent cannot be reached: %s",
					       strerror(-ret));
	}
	ret = sd_event_add_io(machine->event, &call->source, call->fd, EPOLLOUT, on_connected, call);
	if (ret < 0) {
		free_call(call);
		return ret;
	}
	return 1;
}
