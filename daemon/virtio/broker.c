// SPDX-License-Identifier: GPL-2.0
/*
 * Starts virtiofsd, passt and qemu-storage-daemon: see broker.h.
 *
 * A request and its answer are one message each, and sigmad waits for the answer. With a request to
 * serve a disk come the open files of the disk. With the answer to a start come the connection to
 * the program, the pipe with its output, a pidfd, and of a disk the connection to its monitor.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/log.h"
#include "../../common/rundir.h"
#include "../../common/version.h"
#include "broker.h"
#include "passt.h"
#include "storage.h"
#include "virtiofsd.h"

#define SOCKET		RUNDIR "/.broker"	/* of sigma-broker.socket */
#define SERVERS_MAX	(GUEST_SHARES_MAX + GUEST_NETS_MAX + GUEST_DISKS_MAX)
#define VERSION_MAX	32
#define FOR_OWNER	"--for="
#define PORT_LEAST	1024	/* for a guest's owner, as for any program of theirs */

enum what { SERVE_SHARE = 1, SERVE_NET, SERVE_DISK, END };
/* Files of an answer; a request to serve a disk has the image, and those that it says behind it */
enum { CONNECTION, LOG, PROCESS, MONITOR, NR_FDS };

struct request {
	char version[VERSION_MAX];	/* the broker may be of another package than sigmad */
	enum what what;
	uid_t starter;
	union {
		struct {
			char path[PATH_MAX], tag[GUEST_TAG_MAX + 1];
			bool read_only, xattr, acl, submounts;
			enum guest_cache cache;
		} share;
		struct {
			uint16_t mtu;
			unsigned int nr_forwards;
			struct guest_forward forward[GUEST_FORWARDS_MAX];
		} net;
		struct {
			char path[PATH_MAX];
			bool read_only, direct;
			bool has_backing, backing_direct, backing_qcow2;
			bool has_note;
			unsigned int block_size;
			uint64_t note_at;
		} disk;
		struct {
			unsigned int slot;
			pid_t pid;	/* a broker that died may have had another one there */
			bool hangs;
		} end;
	};
};

struct answer {
	int error;
	char why[BACKEND_WHY_MAX];
	char serves[sizeof(((struct backend *)NULL)->serves)];
	pid_t pid;
	unsigned int slot;
	struct backend_fate fate;
};

static int broker_fd = -1;
static pid_t broker_pid;
static bool is_service;

/* sigmad's side */

/* Only what was there before sigmad had anything of a guest is in the new process */
static void __attribute__((noreturn)) become_broker(int fd, char *for_owner, const char *caller)
{
	char *argv[6] = { "sigmad-broker", "--broker" };
	int null = open("/dev/null", O_RDWR);
	unsigned int nr = 2;

	if (for_owner)
		argv[nr++] = for_owner;
	if (caller) {
		argv[nr++] = "--with-caller";
		argv[nr++] = (char *)caller;
	}
	/* It prints nothing: its standard output is that pipe */
	if (null < 0 || dup2(caller ? STDIN_FILENO : null, STDOUT_FILENO) < 0 ||
	    dup2(fd, STDIN_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
		_exit(126);
	setsid();
	/* The folder that sigmad was started in must not stay in use: see leave_terminal() of ../main.c */
	if (chdir("/"))
		_exit(126);
	execv("/proc/self/exe", argv);
	_exit(127);
}

int broker_start(const struct owner *owner, const char *caller)
{
	char text[sizeof(FOR_OWNER) + OWNER_TEXT_MAX] = FOR_OWNER;
	int ends[2], error;

	if (owner)
		owner_format(owner, text + strlen(FOR_OWNER));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return log_error(-errno, "no socket for the broker: %s", strerror(errno));
	broker_pid = fork();
	if (!broker_pid)
		become_broker(ends[1], owner ? text : NULL, caller);
	error = broker_pid < 0 ? log_error(-errno, "cannot make the process that starts virtiofsd, passt and qemu-storage-daemon: %s",
					   strerror(errno)) : 0;
	close(ends[1]);
	if (error)
		close(ends[0]);
	else
		broker_fd = ends[0];
	return error;
}

void broker_is_service(void)
{
	is_service = true;
}

void broker_use(int fd)
{
	broker_fd = fd;
}

void broker_close(void)
{
	if (broker_fd >= 0)
		close(broker_fd);
	broker_fd = -1;
	if (broker_pid > 0)
		waitpid(broker_pid, NULL, 0);
	broker_pid = 0;
}

static int connect_service(char why[BACKEND_WHY_MAX])
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = SOCKET };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int error;

	if (fd >= 0 && !connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		broker_fd = fd;
		return 0;
	}
	error = -errno;
	snprintf(why, BACKEND_WHY_MAX, "cannot connect to " SOCKET ": %s; run 'systemctl start sigma-broker.socket'",
		 strerror(-error));
	if (fd >= 0)
		close(fd);
	return error;
}

static void close_files(const int fds[NR_FDS])
{
	for (unsigned int i = 0; i < NR_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* @fds: of the files that came, the others -1 */
static ssize_t receive(int fd, void *to, size_t size, int fds[NR_FDS])
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(NR_FDS * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = to, .iov_len = size };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	const struct cmsghdr *cmsg;
	ssize_t len;

	memset(fds, -1, NR_FDS * sizeof(int));
	do {
		len = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS &&
	    cmsg->cmsg_len <= CMSG_LEN(NR_FDS * sizeof(int)))
		memcpy(fds, CMSG_DATA(cmsg), cmsg->cmsg_len - CMSG_LEN(0));
	return len;
}

/* @fds: up to the first -1 */
static int send_with(int fd, const void *from, size_t size, const int fds[NR_FDS])
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(NR_FDS * sizeof(int))];
	} control = {};
	struct iovec iov = { .iov_base = (void *)from, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	size_t nr = 0;

	while (nr < NR_FDS && fds[nr] >= 0)
		nr++;
	if (nr) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(nr * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(nr * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, nr * sizeof(int));
	}
	return sendmsg(fd, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* @fds: in: to go with the request; out: that came with the answer */
static int ask(struct request *request, struct answer *answer, int fds[NR_FDS])
{
	ssize_t len;

	snprintf(request->version, sizeof(request->version), "%s", SIGMA_VERSION);
	len = send_with(broker_fd, request, sizeof(*request), fds) ?:
	      receive(broker_fd, answer, sizeof(*answer), fds);
	if (len == sizeof(*answer))
		return 0;
	/* systemd starts another one */
	if (is_service)
		broker_close();
	return len < 0 ? len : -EPIPE;
}

/* For struct backend: what the broker started ends with it, if that is gone */
static struct backend_fate end(struct backend *backend)
{
	struct request request = { .what = END, .end = {
		backend->slot, backend->pid, backend->hangs } };
	int fds[NR_FDS] = { -1 };
	struct answer answer;

	if (ask(&request, &answer, fds))
		answer.fate = (struct backend_fate){ .lives = !backend_await(backend) };
	close(backend->pid_fd);
	return answer.fate;
}

/* @fds: to go with the request */
static int start(struct backend *server, sd_event *event, const char *name, struct request *request,
		 int fds[NR_FDS], char why[BACKEND_WHY_MAX])
{
	struct answer answer;
	int error;

	error = broker_fd < 0 ? connect_service(why) : 0;
	if (error)
		return error;
	error = ask(request, &answer, fds);
	if (error) {
		snprintf(why, BACKEND_WHY_MAX, "sigmad's broker, which starts %s, has ended (%s); %s",
			 name, strerror(-error), is_service ?
			 "try again, which starts another one; journalctl -u 'sigma-broker@*' may say more" :
			 "stop the guest and start it");
		return error;
	}
	if (answer.error) {
		snprintf(why, BACKEND_WHY_MAX, "%.*s", BACKEND_WHY_MAX - 1, answer.why);
		return answer.error;
	}
	*server = (struct backend) {
		.name = name, .pid = answer.pid, .slot = answer.slot, .reap = end,
		.pid_fd = fds[PROCESS], .log_fd = fds[LOG], .warned = server->warned,
		.finishes = request->what == SERVE_DISK,
	};
	memcpy(server->serves, answer.serves, sizeof(server->serves));
	error = backend_watch(server, event, why);
	if (error) {
		close(fds[CONNECTION]);
		if (fds[MONITOR] >= 0)
			close(fds[MONITOR]);
		return error;
	}
	return fds[CONNECTION];
}

int broker_share(struct backend *server, sd_event *event, const struct guest_share *share,
		 uid_t starter, char why[BACKEND_WHY_MAX])
{
	struct request request = { .what = SERVE_SHARE, .starter = starter };
	int none[NR_FDS] = { -1 };

	if (broker_fd < 0 && !is_service)
		return virtiofsd_start(server, event, share, starter, why);
	snprintf(request.share.path, sizeof(request.share.path), "%s", share->path);
	snprintf(request.share.tag, sizeof(request.share.tag), "%s", share->tag);
	request.share.read_only = share->read_only;
	request.share.xattr = share->xattr;
	request.share.acl = share->acl;
	request.share.submounts = share->submounts;
	request.share.cache = share->cache;
	return start(server, event, "virtiofsd", &request, none, why);
}

int broker_net(struct backend *server, sd_event *event, const struct guest_net *net, uid_t starter,
	       char why[BACKEND_WHY_MAX])
{
	struct request request = { .what = SERVE_NET, .starter = starter };
	int none[NR_FDS] = { -1 };

	if (broker_fd < 0 && !is_service)
		return passt_start(server, event, net, starter, why);
	request.net.mtu = net->mtu;
	request.net.nr_forwards = net->nr_forwards;
	memcpy(request.net.forward, net->forward, sizeof(request.net.forward));
	return start(server, event, "passt", &request, none, why);
}

int broker_disk(struct backend *server, sd_event *event, const struct storage *storage,
		int *monitor, char why[BACKEND_WHY_MAX])
{
	struct request request = {
		.what = SERVE_DISK, .disk = {
			.read_only = storage->read_only, .direct = storage->direct,
			.has_backing = storage->backing >= 0,
			.backing_direct = storage->backing_direct,
			.backing_qcow2 = storage->backing_qcow2,
			.has_note = storage->note.fd >= 0, .note_at = storage->note.at,
			.block_size = storage->block_size,
		},
	};
	int files[NR_FDS] = { -1, -1, -1, -1 };
	unsigned int nr = 0;
	int connection;

	if (broker_fd < 0 && !is_service)
		return storage_start(server, event, storage, monitor, why);
	snprintf(request.disk.path, sizeof(request.disk.path), "%s", storage->path);
	files[nr++] = storage->image;
	if (request.disk.has_backing)
		files[nr++] = storage->backing;
	if (request.disk.has_note)
		files[nr++] = storage->note.fd;
	connection = start(server, event, "qemu-storage-daemon", &request, files, why);
	if (connection >= 0)
		*monitor = files[MONITOR];
	return connection;
}

/* The broker's side. sigmad may have become a guest's, so its requests are checked */

static struct backend servers[SERVERS_MAX];

static struct backend *free_server(void)
{
	for (unsigned int i = 0; i < SERVERS_MAX; i++)
		if (!servers[i].pid)
			return &servers[i];
	return NULL;
}

static bool is_text(const char *text, size_t size)
{
	return memchr(text, '\0', size);
}

static int serve_share(struct backend *server, struct request *request, char *why)
{
	struct guest_share share = {
		.path = request->share.path, .read_only = request->share.read_only,
		.xattr = request->share.xattr, .acl = request->share.acl,
		.submounts = request->share.submounts, .cache = request->share.cache,
	};

	if (!is_text(request->share.path, sizeof(request->share.path)) ||
	    !is_text(request->share.tag, sizeof(request->share.tag)) || *share.path != '/' ||
	    (unsigned int)share.cache > CACHE_NEVER)
		return -EINVAL;
	/* The older virtiofsd would take what follows for options of its own */
	if (strchr(share.path, ','))
		return -EINVAL;
	if (backend_owner() && strcmp(share.path, "/")) {
		snprintf(why, BACKEND_WHY_MAX, "the guest of a user has no share but the host's root");
		return -EPERM;
	}
	memcpy(share.tag, request->share.tag, sizeof(share.tag));
	return virtiofsd_start(server, NULL, &share, request->starter, why);
}

static bool is_address(const char *text)
{
	struct in6_addr addr;

	return inet_pton(AF_INET, text, &addr) == 1 || inet_pton(AF_INET6, text, &addr) == 1;
}

static int serve_net(struct backend *server, const struct request *request, char *why)
{
	struct guest_net net = {
		.mtu = request->net.mtu, .nr_forwards = request->net.nr_forwards,
	};

	if (net.nr_forwards > GUEST_FORWARDS_MAX)
		return -EINVAL;
	for (unsigned int i = 0; i < net.nr_forwards; i++) {
		struct guest_forward *forward = &net.forward[i];

		*forward = request->net.forward[i];
		if (!is_text(forward->address, sizeof(forward->address)) ||
		    (*forward->address && !is_address(forward->address)))
			return -EINVAL;
		if (backend_owner() && forward->host_port < PORT_LEAST) {
			snprintf(why, BACKEND_WHY_MAX, "port %u of the host is root's", forward->host_port);
			return -EPERM;
		}
	}
	return passt_start(server, NULL, &net, request->starter, why);
}

/* sigmad can write to the note itself, and open the files of the disk */
static int serve_disk(struct backend *server, struct request *request, const int files[NR_FDS],
		      int *monitor, char *why)
{
	struct storage storage = {
		.path = request->disk.path, .read_only = request->disk.read_only,
		.direct = request->disk.direct, .backing_direct = request->disk.backing_direct,
		.backing_qcow2 = request->disk.backing_qcow2, .backing = -1,
		.block_size = request->disk.block_size,
		.note = { .fd = -1, .at = request->disk.note_at },
	};
	unsigned int nr = 0;

	if (backend_owner()) {
		snprintf(why, BACKEND_WHY_MAX, "the guest of a user has no disk");
		return -EPERM;
	}
	if (!is_text(request->disk.path, sizeof(request->disk.path)) ||
	    (storage.block_size != 512 && storage.block_size != 4096))
		return -EINVAL;
	storage.image = files[nr++];
	if (request->disk.has_backing)
		storage.backing = files[nr++];
	if (request->disk.has_note)
		storage.note.fd = files[nr++];
	/* Their number is right: the last one is there, and none behind it */
	if (files[nr - 1] < 0 || (nr < NR_FDS && files[nr] >= 0))
		return -EINVAL;
	return storage_start(server, NULL, &storage, monitor, why);
}

static void do_start(struct request *request, struct answer *answer, const int files[NR_FDS],
		     int fds[NR_FDS])
{
	struct backend *server = free_server();
	int fd;

	snprintf(answer->why, sizeof(answer->why), "the broker refuses this request");
	if (!server)
		fd = -EMFILE;
	else if (request->what == SERVE_SHARE)
		fd = serve_share(server, request, answer->why);
	else if (request->what == SERVE_NET)
		fd = serve_net(server, request, answer->why);
	else
		fd = serve_disk(server, request, files, &fds[MONITOR], answer->why);
	if (fd < 0) {
		answer->error = fd;
		return;
	}
	fds[CONNECTION] = fd;
	fds[LOG] = server->log_fd;
	fds[PROCESS] = server->pid_fd;
	answer->pid = server->pid;
	answer->slot = server - servers;
	memcpy(answer->serves, server->serves, sizeof(answer->serves));
}

static void do_end(const struct request *request, struct answer *answer)
{
	struct backend *server;

	if (request->end.slot >= SERVERS_MAX)
		return;
	server = &servers[request->end.slot];
	if (!server->pid || server->pid != request->end.pid)
		return;
	server->hangs = request->end.hangs;
	answer->fate = backend_reap(server);
	server->pid = 0;
}

/*
 * sigmad is gone. virtiofsd and passt end at once. A qemu-storage-daemon finishes its requests, which
 * takes as long as the storage does: another sigmad waits for it.
 */
static void finish(void)
{
	siginfo_t info;

	for (unsigned int i = 0; i < SERVERS_MAX; i++)
		if (servers[i].pid)
			pidfd_send_signal(servers[i].pid_fd,
					  servers[i].finishes ? SIGTERM : SIGKILL, NULL, 0);
	for (unsigned int i = 0; i < SERVERS_MAX; i++)
		if (servers[i].pid && servers[i].finishes)
			waitid(P_PIDFD, servers[i].pid_fd, &info, WEXITED);
}

void broker_serve(int fd, const struct owner *owner)
{
	struct request request;
	struct answer answer;
	int files[NR_FDS], fds[NR_FDS];
	sigset_t all;

	/* Ctrl-C and systemd's SIGTERM are for sigmad, whose guest needs its devices to its end */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_NAME, "sigmad-broker");
	backend_own(owner);
	while (receive(fd, &request, sizeof(request), files) == sizeof(request)) {
		memset(fds, -1, sizeof(fds));
		answer = (struct answer){};
		if (strncmp(request.version, SIGMA_VERSION, sizeof(request.version))) {
			answer.error = -ESTALE;
			snprintf(answer.why, sizeof(answer.why), "the broker is of version " SIGMA_VERSION ", and sigmad of another one; stop the guest and start it");
		} else if (request.what >= SERVE_SHARE && request.what <= SERVE_DISK) {
			do_start(&request, &answer, files, fds);
		} else {
			do_end(&request, &answer);
		}
		/* The locks of a disk last as long as somebody has the file open */
		close_files(files);
		if (send_with(fd, &answer, sizeof(answer), fds))
			break;
		/* The pidfd stays, to end it */
		for (unsigned int i = 0; i < NR_FDS; i++)
			if (i != PROCESS && fds[i] >= 0)
				close(fds[i]);
	}
	close(fd);
	finish();
}
