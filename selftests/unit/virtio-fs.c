// SPDX-License-Identifier: GPL-2.0
/*
 * Shared folders with a real virtiofsd: the test acts as the guest's file system, for one file.
 * Without virtiofsd, or without namespaces for it, the tests are skipped.
 */
#include <fcntl.h>
#include <libgen.h>
#include <linux/fuse.h>
#include <linux/virtio_fs.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "../../common/guestfile.h"
#include "../../common/rundir.h"
#include "../../daemon/privileges.h"
#include "../../daemon/virtio/broker.h"
#include "capture.h"
#include "tap.h"
#include "virtio-guest.h"

#define SIZE	64

static char dir[] = "/tmp/sigma-share-XXXXXX";
static struct guest_config config = {
	.file = "web.guest", .share = { { .path = dir, .tag = "things", .line = 7 } },
};
static struct ring hiprio, requests;
static const char *said;

static void __attribute__((constructor)) make_dir(void)
{
	FILE *file;

	if (!mkdtemp(dir) || chdir(dir) || chmod(dir, 0777)) {
		perror(dir);
		exit(EXIT_FAILURE);
	}
	file = fopen("greeting", "w");
	fputs("hello, guest", file);
	fclose(file);
}

static void __attribute__((destructor)) remove_dir(void)
{
	unlink("greeting");
	unlink("made");
	rmdir("a container");
	rmdir(dir);
}

static int add(struct guest *guest)
{
	int error;

	capture_start();
	error = kinds_make(guest->bus, &config, GUEST_SHARE, 0);
	said = capture_end();
	return error;
}

/* Add a share that must work. Return: false when the test is over, skipped or failed */
static bool add_works(struct guest *guest)
{
	int error = add(guest);

	if (strstr(said, "there is no virtiofsd"))
		SKIP(return false, "no virtiofsd");
	if (error == -EPERM)
		SKIP(return false, said);
	if (error)
		TAP_FAIL("%s", said);
	return !error;
}

static uint64_t folder = FUSE_ROOT_ID;	/* the node in which the files are */
static uint32_t sender;			/* UID and GID of the process that makes requests */

/* Without the event index, so that each answer comes with an interrupt */
static bool bring_up(struct guest *guest)
{
	return negotiate(guest, 0, get_features(guest, 0) & ~(1ULL << VIRTIO_RING_F_EVENT_IDX)) &&
	       !ring_open(&hiprio, guest, 0, 0, SIZE) &&
	       !ring_open(&requests, guest, 0, 1, SIZE) && driver_ok(guest, 0);
}

/*
 * Send a FUSE request with @arg of @len bytes; up to @reply_len bytes of the answer go to @reply.
 * Return: the answer's error, or 1 without an answer.
 */
static int fuse(struct guest *guest, uint32_t opcode, uint64_t node, const void *arg, size_t len,
		void *reply, size_t reply_len)
{
	uint64_t out = guest_alloc(guest, 4096), in = guest_alloc(guest, 4096);
	struct fuse_in_header head = {
		.len = sizeof(head) + len, .opcode = opcode, .unique = 42, .nodeid = node,
		.uid = sender, .gid = sender,
	};
	struct fuse_out_header *answer = at(guest, in);
	const struct buffer buffers[] = {
		{ out, sizeof(head), 0 }, { out + sizeof(head), len, 0 },
		{ in, sizeof(*answer), VRING_DESC_F_WRITE },
		{ in + sizeof(*answer), reply_len, VRING_DESC_F_WRITE },
	};
	struct vring_used_elem elem;

	memcpy(at(guest, out), &head, sizeof(head));
	memcpy((char *)at(guest, out) + sizeof(head), arg, len);
	ring_add(&requests, buffers, reply_len ? 4 : 3);
	ring_kick(&requests);
	if (!ring_take(&requests, 5000, &elem) || answer->unique != 42)
		return 1;
	memcpy(reply, answer + 1, reply_len);
	return answer->error;
}

static uint32_t asked, granted;		/* FUSE_* flags of FUSE_INIT */

static int fuse_init(struct guest *guest)
{
	struct fuse_init_in arg = {
		.major = FUSE_KERNEL_VERSION, .minor = 31, .max_readahead = 4096, .flags = asked,
	};
	struct fuse_init_out reply = { 0 };
	int error = fuse(guest, FUSE_INIT, 0, &arg, 16, &reply, sizeof(reply));

	granted = reply.flags & asked;
	return error ?: reply.major != FUSE_KERNEL_VERSION;
}

static int make_file(struct guest *guest)
{
	struct {
		struct fuse_create_in in;
		char name[5];
	} arg = { .in = { .flags = O_WRONLY | O_CREAT, .mode = S_IFREG | 0600 }, .name = "made" };
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} reply;

	return fuse(guest, FUSE_CREATE, folder, &arg, offsetof(typeof(arg), name) + 5, &reply,
		    sizeof(reply));
}

/* Look up the greeting and read it */
static int read_file(struct guest *guest, char *text, size_t size)
{
	struct fuse_open_in open = { .flags = O_RDONLY };
	struct fuse_read_in read = { .size = size };
	struct fuse_entry_out entry;
	struct fuse_open_out opened;
	int error;

	error = fuse(guest, FUSE_LOOKUP, folder, "greeting", 9, &entry, sizeof(entry));
	if (!error)
		error = fuse(guest, FUSE_OPEN, entry.nodeid, &open, sizeof(open), &opened,
			     sizeof(opened));
	read.fh = opened.fh;
	return error ?: fuse(guest, FUSE_READ, entry.nodeid, &read, sizeof(read), text, size);
}

/* The number of child processes; the oldest one, the init of the others, goes to @oldest */
static unsigned int children(pid_t *oldest)
{
	FILE *list = fopen("/proc/thread-self/children", "re");
	unsigned int nr = 0;
	int pid;

	while (list && fscanf(list, "%d", &pid) == 1)
		if (!nr++)
			*oldest = pid;
	if (list)
		fclose(list);
	return nr;
}

TEST(no_virtiofsd)
{
	struct guest *guest GUEST = guest_new();
	char *path = strdup(getenv("PATH"));
	bool elsewhere;

	setenv("PATH", "/nowhere", 1);
	elsewhere = !add(guest);
	setenv("PATH", path, 1);
	free(path);
	if (elsewhere || strstr(said, "namespaces"))
		SKIP(return, "virtiofsd is installed");
	EXPECT_SAID("web.guest:7: [Share] /tmp/sigma-share-", said);
	EXPECT_SAID("there is no virtiofsd; install the package virtiofsd", said);
}

/* What listen() was called for: the socket's path, and the mode of its folder */
static struct sockaddr_un listened;
static mode_t folder_mode;

int listen(int fd, int backlog)
{
	char folder[sizeof(listened.sun_path)];
	socklen_t len = sizeof(listened);
	struct stat st = { 0 };

	getsockname(fd, (struct sockaddr *)&listened, &len);
	strcpy(folder, listened.sun_path);
	if (*folder)
		stat(dirname(folder), &st);
	folder_mode = st.st_mode;
	return syscall(SYS_listen, fd, backlog);
}

/* virtiofsd serves whoever connects to it first */
TEST(nobody_else_can_connect)
{
	struct guest *guest GUEST = guest_new();

	if (!add_works(guest))
		return;
	EXPECT_EQ('/', listened.sun_path[0]);
	EXPECT_EQ(S_IFDIR | 0700, folder_mode);
	EXPECT_EQ(-1, access(listened.sun_path, F_OK));
	EXPECT_EQ(-1, access(dirname(listened.sun_path), F_OK));
}

TEST(configuration)
{
	struct guest *guest GUEST = guest_new();
	struct sigma_msg_config msg = { .length = sizeof(struct virtio_fs_config) };
	struct virtio_fs_config config;

	if (!add_works(guest))
		return;
	EXPECT_STREQ("", said);
	ASSERT_EQ(0, ask(guest, 0, SIGMA_MSG_GET_CONFIG, 0, &msg, sizeof(msg), &msg, sizeof(msg)));
	memcpy(&config, msg.data, sizeof(config));
	EXPECT_STREQ("things", (char *)config.tag);
	EXPECT_EQ(1, config.num_request_queues);
	EXPECT_TRUE(get_features(guest, 0) & 1ULL << VIRTIO_F_VERSION_1);
	EXPECT_FALSE(get_features(guest, 0) & 1ULL << 30);
}

/* As after each start of the guest: bring the share up, and read a file */
static bool reads_greeting(struct guest *guest)
{
	char text[32] = "";

	return bring_up(guest) && !fuse_init(guest) && !read_file(guest, text, sizeof(text)) &&
	       !strcmp(text, "hello, guest");
}

TEST(reads_and_writes)
{
	struct guest *guest GUEST = guest_new();
	uint32_t now;

	/* Twice: the guest's next kernel knows none of the first one's files */
	if (!add_works(guest))
		return;
	for (unsigned int i = 0; i < 2; i++) {
		ASSERT_TRUE(reads_greeting(guest));
		EXPECT_EQ(0, make_file(guest));
		EXPECT_EQ(0, unlink("made"));
		capture_start();
		ASSERT_EQ(0, set_status(guest, 0, 0, &now));
		said = capture_end();
		/* The virtiofsd in Rust reports features that this driver lacks */
		EXPECT_FALSE(strstr(said, "ended"));
	}
}

/* Does virtiofsd have ACLs for a kernel that has them? */
static bool has_acls(struct guest *guest)
{
	asked = FUSE_POSIX_ACL | FUSE_DONT_MASK | FUSE_SETXATTR_EXT;
	if (!bring_up(guest) || fuse_init(guest))
		TAP_FAIL("no answer");
	asked = 0;
	return granted & FUSE_POSIX_ACL;
}

TEST(acls)
{
	struct guest *guest GUEST = guest_new();

	config.share[0].acl = config.share[0].submounts = true;
	if (add_works(guest))
		EXPECT_TRUE(has_acls(guest));
	config.share[0].acl = config.share[0].submounts = false;
}

TEST(no_acls)
{
	struct guest *guest GUEST = guest_new();

	if (add_works(guest))
		EXPECT_FALSE(has_acls(guest));
}

TEST(read_only)
{
	struct guest *guest GUEST = guest_new();

	config.share[0].read_only = true;
	if (add_works(guest)) {
		EXPECT_TRUE(reads_greeting(guest));
		EXPECT_EQ(-EROFS, make_file(guest));
		EXPECT_EQ(-1, access("made", F_OK));
	}
	config.share[0].read_only = false;
}

static void serve_twice(void)
{
	struct guest *guest GUEST = guest_new();
	uint32_t now;

	if (!add_works(guest))
		return;
	for (unsigned int i = 0; i < 2; i++) {
		ASSERT_TRUE(reads_greeting(guest));
		ASSERT_EQ(0, set_status(guest, 0, 0, &now));
	}
}

/* The broker starts virtiofsd and ends it */
TEST(through_the_broker)
{
	int ends[2], status = -1;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	pid = fork();
	if (!pid) {
		close(ends[0]);
		_exit(privileges_of_broker() ? EXIT_FAILURE : (broker_serve(ends[1], NULL), EXIT_SUCCESS));
	}
	close(ends[1]);
	broker_use(ends[0]);
	serve_twice();
	broker_close();
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST(caller)
{
	if (geteuid())
		SKIP(return, "needs root");
	unsetenv("SUDO_UID");
	unsetenv("PKEXEC_UID");
	EXPECT_EQ(0, backend_caller());
	setenv("PKEXEC_UID", "1001", 1);
	EXPECT_EQ(1001, backend_caller());
	setenv("SUDO_UID", "1000", 1);
	EXPECT_EQ(1000, backend_caller());
	setenv("SUDO_UID", "0", 1);
	EXPECT_EQ(0, backend_caller());
	unsetenv("SUDO_UID");
	unsetenv("PKEXEC_UID");
}

TEST(as_another_user)
{
	struct guest *guest GUEST = guest_new();
	const struct passwd *user = getpwnam("nobody");
	char text[32] = "";
	struct stat st;

	if (geteuid() || !user)
		SKIP(return, "needs root, and a user nobody");
	config.starter = user->pw_uid;
	if (add_works(guest)) {
		ASSERT_TRUE(reads_greeting(guest));
		EXPECT_EQ(0, make_file(guest));
		EXPECT_EQ(0, stat("made", &st));
		EXPECT_EQ(user->pw_uid, st.st_uid);
		EXPECT_EQ(user->pw_gid, st.st_gid);
		unlink("made");
		/* The guest's root has no more rights than this user */
		chmod("greeting", 0600);
		EXPECT_EQ(-EACCES, read_file(guest, text, sizeof(text)));
		chmod("greeting", 0644);
		chmod(dir, 0755);
		EXPECT_EQ(-EACCES, make_file(guest));

		chmod(dir, 0700);
		EXPECT_EQ(-EACCES, add(guest));
		EXPECT_SAID("virtiofsd: the user who started the guest cannot read the folder", said);
		chmod(dir, 0777);
	}
	config.starter = 0;
}

/* The node of @name in @node; 0: there is none */
static uint64_t find(struct guest *guest, uint64_t node, const char *name)
{
	struct fuse_entry_out entry;

	return fuse(guest, FUSE_LOOKUP, node, name, strlen(name) + 1, &entry, sizeof(entry)) ? 0 :
	       entry.nodeid;
}

/* Can the user @uid trace a virtiofsd that a child of this process has started? */
static bool traceable(pid_t broker, uid_t uid)
{
	char path[64];
	int pid, status = -1;
	FILE *list;
	pid_t child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", broker, broker);
	list = fopen(path, "re");
	if (!list || fscanf(list, "%d", &pid) != 1)
		TAP_FAIL("it has not started a process");
	fclose(list);
	child = fork();
	if (!child)
		_exit(setresgid(uid, uid, uid) || setresuid(uid, uid, uid) || kill(pid, 0) ||
		      !ptrace(PTRACE_SEIZE, pid, NULL, NULL) || errno != EPERM);
	waitpid(child, &status, 0);
	return status;
}

#define OWNER	65533		/* neither needs to have an entry in a table of users */
#define COLLEAGUES	65532

/* A guest of a user: virtiofsd is a process of theirs, and serves nothing but the host's root */
static void serve_owner(struct guest *guest, pid_t broker)
{
	char text[32] = "";
	struct stat st;

	EXPECT_TRUE(add(guest));
	EXPECT_SAID("has no share but the host's root", said);
	config.share[0].path = "/";
	if (!add_works(guest))
		return;
	ASSERT_TRUE(bring_up(guest) && !fuse_init(guest));
	EXPECT_FALSE(traceable(broker, OWNER));
	folder = find(guest, find(guest, FUSE_ROOT_ID, "tmp"), dir + strlen("/tmp/"));
	ASSERT_TRUE(folder);
	sender = OWNER;
	EXPECT_EQ(0, make_file(guest));
	EXPECT_EQ(0, stat("made", &st));
	EXPECT_EQ(OWNER, st.st_uid);
	EXPECT_EQ(OWNER, st.st_gid);
	unlink("made");
	/* The guest's root, or another user of it, is nobody else to the host */
	sender = 0;
	EXPECT_TRUE(make_file(guest) < 0 || (!stat("made", &st) && st.st_uid == OWNER));
	unlink("made");
	sender = OWNER + 1;
	EXPECT_EQ(-EPERM, make_file(guest));
	EXPECT_EQ(0, read_file(guest, text, sizeof(text)));
	EXPECT_STREQ("hello, guest", text);
	chmod("greeting", 0600);
	sender = 0;
	EXPECT_EQ(-EACCES, read_file(guest, text, sizeof(text)));
	/* Their groups count, also where these keep them out */
	EXPECT_EQ(0, chown("greeting", 0, COLLEAGUES));
	chmod("greeting", 0640);
	EXPECT_EQ(0, read_file(guest, text, sizeof(text)));
	chmod("greeting", 0604);
	EXPECT_EQ(-EACCES, read_file(guest, text, sizeof(text)));
	chmod("greeting", 0644);
	EXPECT_EQ(0, chown("greeting", 0, 0));
	EXPECT_EQ(0, find(guest, find(guest, FUSE_ROOT_ID, "proc"), "self"));
	EXPECT_EQ(0, find(guest, find(guest, FUSE_ROOT_ID, "dev"), "null"));
	/* Also where others are mounted, as in the root of a container */
	ASSERT_TRUE(find(guest, folder, "a container"));
	EXPECT_EQ(0, find(guest, find(guest, folder, "a container"), "self"));
}

/*
 * In the broker's process: a RUNDIR, and a mount of procfs that is there when virtiofsd starts. In the rig's
 * root, which is no mount point (EINVAL), all mounts are private
 */
static bool mount_another(void)
{
	return !unshare(CLONE_NEWNS) &&
	       (!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || errno == EINVAL) &&
	       !mount("tmpfs", "/run", "tmpfs", 0, NULL) && !mkdir(RUNDIR, 0755) &&
	       !mount("proc", "a container", "proc", 0, NULL) && !access("a container/self", F_OK);
}

TEST(for_the_owner_of_the_guest)
{
	static const struct owner owner = {
		.uid = OWNER, .gid = OWNER, .nr_groups = 1, .groups = { COLLEAGUES },
	};
	struct guest *guest GUEST = guest_new();
	int ends[2], status = -1;
	pid_t pid;

	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_EQ(0, mkdir("a container", 0755));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	pid = fork();
	if (!pid) {
		close(ends[0]);
		_exit(!mount_another() || privileges_of_broker() ? EXIT_FAILURE :
		      (broker_serve(ends[1], &owner), EXIT_SUCCESS));
	}
	close(ends[1]);
	broker_use(ends[0]);
	serve_owner(guest, pid);
	config.share[0].path = dir;
	folder = FUSE_ROOT_ID;
	sender = 0;
	broker_close();
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST(killed)
{
	struct guest *guest GUEST = guest_new();
	char text[32] = "";
	pid_t server;

	if (!add_works(guest))
		return;
	ASSERT_TRUE(bring_up(guest));
	for (unsigned int i = 0; i < 3; i++) {
		ASSERT_EQ(0, fuse_init(guest));
		EXPECT_EQ(0, read_file(guest, text, sizeof(text)));
		EXPECT_STREQ("hello, guest", text);
		ASSERT_EQ(1, children(&server));
		capture_start();
		kill(server, SIGKILL);
		guest_run(guest, 500);
		said = capture_end();
		EXPECT_SAID("fs0: virtiofsd ended, and another one serves share things", said);
		EXPECT_SAID("share things: virtiofsd was ended by signal 9", said);
		EXPECT_EQ(STATUS_FEATURES | VIRTIO_CONFIG_S_DRIVER_OK, get_status(guest, 0));
		EXPECT_EQ(1, children(&server));
		/* The new virtiofsd answers, and knows nothing of earlier requests */
		EXPECT_TRUE(read_file(guest, text, sizeof(text)) < 0);
	}
}

/* A request that makes virtiofsd exit */
TEST(killed_by_the_guest)
{
	struct guest *guest GUEST = guest_new();
	const struct buffer outside = { NOWHERE, 4096, 0 };
	uint32_t now;
	pid_t server;

	if (!add_works(guest))
		return;
	ASSERT_TRUE(bring_up(guest));
	capture_start();
	ring_add(&requests, &outside, 1);
	ring_kick(&requests);
	for (unsigned int i = 0; i < 20 && !strstr(said, "fs0: stopped"); i++) {
		guest_run(guest, 500);
		said = capture_peek();
	}
	said = capture_end();
	EXPECT_SAID("fs0: stopped: virtiofsd ended; it works again once the guest", said);
	EXPECT_TRUE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
	EXPECT_EQ(0, children(&server));
	ASSERT_EQ(0, set_status(guest, 0, 0, &now));
	ASSERT_TRUE(bring_up(guest));
	EXPECT_EQ(0, fuse_init(guest));
}

TEST(no_virtiofsd_is_left)
{
	pid_t server;

	EXPECT_EQ(0, children(&server));
}

TEST_HARNESS_MAIN
