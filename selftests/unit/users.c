// SPDX-License-Identifier: GPL-2.0
/* Guests of users: who they are, what they may ask for, and the limits. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/version.h"
#include "../../ctl/users.h"
#include "capture.h"
#include "tap.h"

#define MIB	(1ULL << 20)

static char dir[] = "/tmp/sigma-users-XXXXXX";
static char conf[64], notes[64];
static char why[USERS_WHY_MAX];

static const struct owner alice = {
	.uid = 54321, .gid = 54321, .nr_groups = 2, .groups = { 54400, 54401 },
};
static const struct owner bob = { .uid = 54322, .gid = 54322 };

static void __attribute__((constructor)) make_dir(void)
{
	if (!mkdtemp(dir)) {
		perror(dir);
		exit(EXIT_FAILURE);
	}
	snprintf(conf, sizeof(conf), "%s/run.conf", dir);
	snprintf(notes, sizeof(notes), "%s/notes", dir);
}

static void __attribute__((destructor)) remove_dir(void)
{
	char path[128];

	unlink(conf);
	snprintf(path, sizeof(path), "%s/.gate", notes);
	unlink(path);
	rmdir(notes);
	rmdir(dir);
}

static void write_conf(const char *text)
{
	FILE *file = fopen(conf, "w");

	fputs(text, file);
	fclose(file);
}

/* An owner as a word */

TEST(owner_as_text)
{
	struct owner other;
	char text[OWNER_TEXT_MAX];

	owner_format(&alice, text);
	EXPECT_STREQ("54321:54321:54400,54401", text);
	ASSERT_EQ(0, owner_parse(text, &other));
	EXPECT_EQ(0, memcmp(&alice, &other, sizeof(other)));
	owner_format(&bob, text);
	ASSERT_EQ(0, owner_parse(text, &other));
	EXPECT_EQ(0, memcmp(&bob, &other, sizeof(other)));
}

TEST(owner_with_all_groups)
{
	static struct owner many = { .uid = UINT32_MAX - 1, .gid = UINT32_MAX - 1 };
	static char text[OWNER_TEXT_MAX], more[OWNER_TEXT_MAX + 8];
	struct owner other;

	many.nr_groups = OWNER_GROUPS_MAX;
	for (unsigned int i = 0; i < OWNER_GROUPS_MAX; i++)
		many.groups[i] = UINT32_MAX - 1;
	owner_format(&many, text);
	ASSERT_EQ(0, owner_parse(text, &other));
	EXPECT_EQ(0, memcmp(&many, &other, sizeof(other)));
	snprintf(more, sizeof(more), "%s,1", text);
	EXPECT_EQ(-EINVAL, owner_parse(more, &other));
}

TEST(no_owner)
{
	static const char *const wrong[] = {
		"", "1000", "1000:", "1000:1000", "0:0:", "0:1000:", "-1:1000:", "1000:-1:",
		"4294967295:1000:", "1000:1000:4294967295", "1000:1000:x", "1000:1000:5,",
		"1000:1000:5,,6", "1000:1000: 5", "+1:1:", "1000:1000:5 ", "1000;1000:",
	};
	struct owner owner;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (owner_parse(wrong[i], &owner) != -EINVAL)
			TAP_FAIL("\"%s\" is taken for an owner", wrong[i]);
}

/* Requests; selftests/fuzz/users.c has what is hostile */

static struct users_request good(void)
{
	return (struct users_request) {
		.version = SIGMA_VERSION, .what = USERS_RUN, .nr_cpus = 2, .memory = 512 * MIB,
		.net = USERS_NET_USER, .writes = ROOT_WRITES_OVERLAY, .append = "a=b c",
		.kernel = "vmlinuz-6.1.0-1-amd64", .nr_forwards = 2, .tmp_from_host = 1,
		.forward = { { "", 8080, 80, 0, 0 }, { "::1", 5353, 53, 1, 0 } },
	};
}

TEST(guest_file)
{
	struct users_request request = good();
	char *text;

	ASSERT_EQ(0, users_request_check(&request, why));
	text = users_request_text(&request);
	ASSERT_TRUE(text);
	EXPECT_STREQ("# made for a user\n[Guest]\nCPUs=2\nMemory=512M\nGuard=full\nRoot=/\n"
		     "RootWrites=overlay\nVSock=yes\nHostModules=no\n"
		     "Kernel=/boot/vmlinuz-6.1.0-1-amd64\n"
		     "CommandLine=quiet cryptomgr.notests=1 sigma.run sigma.net=dhcp sigma.tmp=host a=b c\n"
		     "[Network]\nUser=yes\nForward=tcp:8080:80\nForward=udp:[::1]:5353:53\n", text);
	free(text);
}

#define EXPECT_REFUSED(what, change) do {			\
	struct users_request request = good();			\
								\
	change;							\
	EXPECT_EQ(-EINVAL, users_request_check(&request, why));	\
	EXPECT_SAID(what, why);					\
} while (0)

TEST(refused)
{
	EXPECT_REFUSED("of another one", request.version[0] = 'x');
	EXPECT_REFUSED("does not know", request.what = 0);
	EXPECT_REFUSED("does not know", request.what = USERS_JOIN + 1);
	EXPECT_REFUSED("--cpus", request.nr_cpus = 0);
	EXPECT_REFUSED("--cpus", request.nr_cpus = UINT32_MAX);
	EXPECT_REFUSED("--memory", request.memory = 1);
	EXPECT_REFUSED("--memory", request.memory = UINT64_MAX);
	EXPECT_REFUSED("does not know", request.writes = 3);
	EXPECT_REFUSED("does not know", request.net = USERS_NR_NETS);
	EXPECT_REFUSED("does not know", request.nr_forwards = GUEST_FORWARDS_MAX + 1);
	EXPECT_REFUSED("needs --net=user", request.net = USERS_NET_NONE);
	EXPECT_REFUSED("is root's", request.forward[0].host_port = 1023);
	EXPECT_REFUSED("no such port", request.forward[0].guest_port = 0);
	EXPECT_REFUSED("no such port", request.forward[1].udp = 2);
	EXPECT_REFUSED("no address", strcpy(request.forward[0].address, "1.2.3"));
	EXPECT_REFUSED("without letters", strcpy(request.forward[0].address, "::1%x"));
	EXPECT_REFUSED("a kernel of /boot", strcpy(request.kernel, "../etc/shadow"));
	EXPECT_REFUSED("a kernel of /boot", strcpy(request.kernel, ".."));
	EXPECT_REFUSED("a kernel of /boot", memset(request.kernel, 'x', sizeof(request.kernel)));
	EXPECT_REFUSED("--append", strcpy(request.append, "a\nb"));
	EXPECT_REFUSED("--append", strcpy(request.append, "a ; b"));
	EXPECT_REFUSED("--append", strcpy(request.append, "\"a\""));
	EXPECT_REFUSED("--append", memset(request.append, 'x', sizeof(request.append)));
	EXPECT_REFUSED("cannot be the name", request.what = USERS_JOIN);
	EXPECT_REFUSED("cannot be the name", request.what = USERS_JOIN; strcpy(request.name, "../x"));
}

/* run.conf */

static struct users_limits limits;

static int read_limits(const struct owner *owner)
{
	return users_limits_read(conf, owner, &limits, why);
}

TEST(no_file)
{
	unlink(conf);
	ASSERT_EQ(0, read_limits(&alice));
	EXPECT_EQ(1, limits.user.cpus);
	EXPECT_EQ(1, limits.user.guests);
	EXPECT_EQ(1024 * MIB, limits.user.memory);
	EXPECT_EQ(USERS_HALF_OF_CPUS, limits.all.cpus);
	EXPECT_EQ(4, limits.all.guests);
}

TEST(sections)
{
	if (geteuid())
		SKIP(return, "needs root, whose file it is");
	write_conf("# comment\n[User 54321]\nCPUs=7\n[Default]\nCPUs=2\nMemory=2G\nGuests=3\n"
		   "[Group 54401]\nCPUs=5\n[All]\nCPUs=0\nMemory=8G\n");
	ASSERT_EQ(0, read_limits(&alice));
	EXPECT_EQ(7, limits.user.cpus);
	EXPECT_EQ(1, limits.user.guests);
	EXPECT_EQ(1024 * MIB, limits.user.memory);
	EXPECT_EQ(0, limits.all.cpus);
	EXPECT_EQ(4, limits.all.guests);
	ASSERT_EQ(0, read_limits(&bob));
	EXPECT_EQ(2, limits.user.cpus);
	EXPECT_EQ(3, limits.user.guests);
	write_conf("[Group 1]\nCPUs=4\n[Group 54401]\nCPUs=5\n[Group 54400]\nCPUs=6\n"
		   "[Default]\nCPUs=9\n[User no-such-user]\nCPUs=8\n[Group no-such-group]\nCPUs=8\n");
	ASSERT_EQ(0, read_limits(&alice));
	EXPECT_EQ(5, limits.user.cpus);
}

TEST(mistakes_keep_all_out)
{
	static const struct {
		const char *text, *said;
	} wrong[] = {
		{ "[Default]\nCPU=1\n", "line 2: the keys are" },
		{ "[Default]\nCPUs=-1\n", "line 2: the keys are" },
		{ "[Default]\nCPUs=\n", "line 2: the keys are" },
		{ "[Default]\nMemory=1X\n", "line 2: the keys are" },
		{ "[User 1]\nGuests=x\n", "line 2: the keys are" },
		{ "[Default]\n\n[Everyone]\nCPUs=1\n", "line 4: the sections are" },
		{ "CPUs=1\n", "line 1: the sections are" },
		{ "[Default]\nCPUs=1\nnonsense\n", "line 3: neither" },
	};

	if (geteuid())
		SKIP(return, "needs root, whose file it is");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		write_conf(wrong[i].text);
		EXPECT_EQ(-EINVAL, read_limits(&alice));
		EXPECT_SAID(wrong[i].said, why);
	}
	write_conf("[Default]\nCPUs=1\n");
	chmod(conf, 0666);
	EXPECT_EQ(-EPERM, read_limits(&alice));
	EXPECT_SAID("nobody else can write", why);
	chmod(conf, 0644);
	EXPECT_EQ(0, chown(conf, bob.uid, 0));
	EXPECT_EQ(-EPERM, read_limits(&alice));
	EXPECT_EQ(0, chown(conf, 0, 0));
	EXPECT_EQ(0, read_limits(&alice));
}

/* What is taken */

static bool all_exist;

static bool exists(const char *name)
{
	return all_exist;
}

static int take_it(const char *name, const struct owner *owner, unsigned int cpus, uint64_t memory)
{
	const struct users_limit wanted = { .cpus = cpus, .guests = 1, .memory = memory };

	return users_take(notes, name, owner, &wanted, &limits, exists, why);
}

TEST(limits_of_one_and_of_all)
{
	all_exist = true;
	limits = (struct users_limits) {
		.user = { .cpus = 3, .guests = 2, .memory = 1024 * MIB },
		.all = { .cpus = 4, .guests = 9, .memory = 1024 * MIB },
	};
	EXPECT_EQ(-EDQUOT, take_it("a", &alice, 4, 256 * MIB));
	EXPECT_SAID("a user may have 3 CPUs at a time, and 0 are taken, so not 4 more", why);
	EXPECT_EQ(-EDQUOT, take_it("a", &alice, 1, 1025 * MIB));
	EXPECT_SAID("a user may have 1024 MiB at a time", why);
	EXPECT_EQ(-EDQUOT, take_it("a", &alice, UINT32_MAX, UINT64_MAX));
	ASSERT_EQ(0, take_it("a", &alice, 2, 512 * MIB));
	EXPECT_EQ(-EEXIST, take_it("a", &alice, 1, 64 * MIB));
	EXPECT_EQ(-EDQUOT, take_it("b", &alice, 2, 256 * MIB));
	EXPECT_SAID("2 are taken", why);
	EXPECT_EQ(-EDQUOT, take_it("b", &bob, 3, 256 * MIB));
	EXPECT_SAID("all users together may have 4 CPUs", why);
	EXPECT_EQ(-EDQUOT, take_it("b", &bob, 1, 768 * MIB));
	EXPECT_SAID("all users together may have 1024 MiB", why);
	ASSERT_EQ(0, take_it("b", &alice, 1, 256 * MIB));
	EXPECT_EQ(-EDQUOT, take_it("c", &alice, 0, 0));
	EXPECT_SAID("2 guests", why);
	ASSERT_EQ(0, take_it("c", &bob, 1, 256 * MIB));
	EXPECT_TRUE(users_owns(notes, "a", alice.uid));
	EXPECT_FALSE(users_owns(notes, "a", bob.uid));
	EXPECT_FALSE(users_owns(notes, "d", alice.uid));
	users_give_back(notes, "a");
	ASSERT_EQ(0, take_it("d", &alice, 2, 512 * MIB));
	users_give_back(notes, "b");
	users_give_back(notes, "c");
	users_give_back(notes, "d");
}

/* A note of a process that died counts as long as its guest is there */
TEST(of_a_dead_process)
{
	pid_t pid = fork();
	int status;

	limits = (struct users_limits) {
		.user = { .cpus = 1, .guests = 1, .memory = 1024 * MIB },
		.all = { .cpus = 9, .guests = 9, .memory = 4096 * MIB },
	};
	if (!pid)
		_exit(take_it("a", &alice, 1, 64 * MIB) ? 1 : 0);
	waitpid(pid, &status, 0);
	ASSERT_EQ(0, status);
	all_exist = true;
	EXPECT_EQ(-EDQUOT, take_it("b", &alice, 1, 64 * MIB));
	all_exist = false;
	EXPECT_EQ(0, take_it("b", &alice, 1, 64 * MIB));
	/* And one of a process that lives counts before its guest exists */
	EXPECT_EQ(-EDQUOT, take_it("c", &alice, 1, 64 * MIB));
	users_give_back(notes, "b");
}

/* Who is at the other end */

/* In a process of its own, with alice's rights but for its real group: what users_peer() says */
static int as_alice(gid_t real)
{
	struct owner owner;
	int ends[2], status = -1, error;
	pid_t pid = fork();

	if (!pid) {
		if (setgroups(alice.nr_groups, alice.groups) || setresgid(real, alice.gid, alice.gid) ||
		    setresuid(alice.uid, alice.uid, alice.uid) ||
		    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends))
			_exit(255);
		error = users_peer(ends[0], &owner, why);
		_exit(error ? -error : memcmp(&owner, &alice, sizeof(owner)) ? 254 : 0);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

TEST(peer)
{
	struct owner owner;
	int ends[2];

	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends));
	EXPECT_EQ(-EINVAL, users_peer(ends[0], &owner, why));
	EXPECT_SAID("root needs no service", why);
	close(ends[0]);
	close(ends[1]);
	/* A pair that a user has made is from them to them */
	EXPECT_EQ(0, as_alice(alice.gid));
	EXPECT_EQ(EPERM, as_alice(alice.gid + 1));
}

TEST_HARNESS_MAIN
