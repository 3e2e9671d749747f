// SPDX-License-Identifier: GPL-2.0
/*
 * Every verb of sigmactl whose output cannot be written fails and says so. The machine is made up:
 * in a mount namespace of its own, the test has a guest "demo" in sysfs, its files in /run/sigma
 * and /etc/sigma, and a sigmad, which is this program and starts nothing.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>

#define main sigmactl
#include "../../ctl/main.c"
#undef main

#include "tap.h"

#define ARGS_MAX	8
#define NAME		"demo"
#define LIBEXECDIR	"/run/libexec"

/*
 * What to say to each verb so that it prints. A new verb does not compile without its list. Options
 * that print in another way have a line of their own.
 */
#define PRINTS(verb, ...) \
	static const char * const prints_##verb[] = { __VA_ARGS__, NULL }
#define PRINTS_NOTHING(verb) \
	static const char * const prints_##verb[] = { NULL }
/* selftests/ctl.sh and selftests/disks.sh have these */
#define NEEDS_A_REAL_GUEST(verb) PRINTS_NOTHING(verb)

PRINTS(check, "check", "check --json", "check --no-legend", "check --report");
PRINTS(pool, "pool", "pool --json");
PRINTS(edit, "edit demo");
PRINTS_NOTHING(enable);		/* systemctl prints */
PRINTS_NOTHING(disable);
PRINTS(profiles, "profiles", "profiles --json");
NEEDS_A_REAL_GUEST(run);	/* for its console see terminal.c */
PRINTS(start, "start demo");
PRINTS_NOTHING(stop);
PRINTS_NOTHING(kill);
PRINTS_NOTHING(reboot);
PRINTS_NOTHING(sleep);
PRINTS_NOTHING(wake);
NEEDS_A_REAL_GUEST(save);	/* selftests/save.sh */
NEEDS_A_REAL_GUEST(restore);
PRINTS_NOTHING(wait);
PRINTS(list, "list", "list --json", "list --all --no-legend");
PRINTS(status, "status demo", "status --json demo");
PRINTS(show, "show demo", "show --json demo", "show -p State --value demo");
PRINTS(stats, "stats", "stats --json", "stats --prometheus", "stats --watch demo",
       "stats --watch --json");
PRINTS(events, "events", "events --json demo");
PRINTS_NOTHING(exec);		/* agent.c */
PRINTS_NOTHING(shell);
PRINTS_NOTHING(cp);
PRINTS_NOTHING(agent);
PRINTS_NOTHING(cache);
NEEDS_A_REAL_GUEST(console);
PRINTS(log, "log demo", "log -n 1 demo", "log -f demo", "log -f -n 1 demo");
NEEDS_A_REAL_GUEST(nmi);
NEEDS_A_REAL_GUEST(reload);
NEEDS_A_REAL_GUEST(dump);
NEEDS_A_REAL_GUEST(disk);
NEEDS_A_REAL_GUEST(net);
NEEDS_A_REAL_GUEST(share);

#define ROW(verb)	{ #verb, prints_##verb },

static const struct {
	const char *verb;
	const char * const *lines;
} rows[] = { VERBS(VERB_NO_TITLE, ROW) };

#define NR_ROWS (sizeof(rows) / sizeof(*rows))

/* The machine */

static void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (!f || fputs(text, f) < 0 || fclose(f)) {
		perror(path);
		exit(EXIT_FAILURE);
	}
}

static void put_map(const char *path, unsigned int id)
{
	char text[32];

	snprintf(text, sizeof(text), "0 %u 1", id);
	put_file(path, text);
}

static bool enter_namespace(void)
{
	static const char * const hidden[] = { "/sys/class", "/sys/module", "/run", "/etc" };
	unsigned int uid = getuid(), gid = getgid();

	if (unshare(CLONE_NEWNS)) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
			return false;
		put_map("/proc/self/uid_map", uid);
		put_file("/proc/self/setgroups", "deny");
		put_map("/proc/self/gid_map", gid);
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return false;
	for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden); i++)
		if (mount("tmpfs", hidden[i], "tmpfs", 0, NULL))
			return false;
	return true;
}

static void make_machine(void)
{
	static const char * const folders[] = {
		"/sys/module/sigma", "/sys/class/sigma", "/sys/class/sigma/" NAME, RUNDIR,
		RUNDIR "/" NAME, GUEST_FILES, LIBEXECDIR,
	};
	char self[4096] = "";

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		mkdir(folders[i], 0755);
	put_file("/sys/class/sigma/" NAME "/state", "running\n");
	put_file("/sys/class/sigma/" NAME "/cpus", "1\n");
	put_file("/sys/class/sigma/" NAME "/memory", "268435456\n");
	put_file(RUNDIR "/" NAME "/log", "[0.0] Linux version\n[0.1] the last line\n");
	put_file(GUEST_FILES "/vmlinuz", "");
	put_file(GUEST_FILES "/" NAME GUEST_SUFFIX, "[Guest]\nKernel=" GUEST_FILES "/vmlinuz\n");
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 ||
	    symlink(self, LIBEXECDIR "/sigmad"))
		exit(EXIT_FAILURE);
	setenv("SIGMA_LIBEXECDIR", LIBEXECDIR, 1);
	setenv("VISUAL", "echo \\# >>", 1);
}

/* Once for all tests; false: this machine has no namespaces for us */
static bool has_machine(void)
{
	static int has = -1;

	if (has < 0) {
		has = enter_namespace();
		if (has)
			make_machine();
	}
	return has;
}

/* sigmactl */

static char said[1 << 16];		/* what the last one said on stderr */

/* Start "sigmactl LINE" with this stdout (-1: none), which is closed here */
static pid_t begin(const char *line, int out, int messages, bool ignores_sigpipe)
{
	char text[256], *words = text, *argv[ARGS_MAX + 2] = { "sigmactl" };
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		goto close_out;
	snprintf(text, sizeof(text), "%s", line);
	for (int i = 1; i <= ARGS_MAX && (argv[i] = strsep(&words, " ")); i++)
		;
	if (ignores_sigpipe)
		signal(SIGPIPE, SIG_IGN);
	dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
	dup2(messages, STDERR_FILENO);
	/* A stream of its own, since tap.h has made this one line-buffered */
	stdout = fdopen(STDOUT_FILENO, "w");
	if (out < 0)
		close(STDOUT_FILENO);
	else
		dup2(out, STDOUT_FILENO);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	for (int i = 0; ; i++)
		if (!argv[i])
			exit(sigmactl(i, argv));
close_out:
	if (out >= 0)
		close(out);
	return pid;
}

static int end(pid_t pid, int messages)
{
	ssize_t len;
	int how;

	if (waitpid(pid, &how, 0) != pid)
		abort();
	len = pread(messages, said, sizeof(said) - 1, 0);
	said[len > 0 ? len : 0] = '\0';
	close(messages);
	return how;
}

/* Run "sigmactl LINE"; how it ended, as waitpid() tells it */
static int run_line(const char *line, int out, bool ignores_sigpipe)
{
	int messages = memfd_create("stderr", MFD_CLOEXEC);

	return end(begin(line, out, messages, ignores_sigpipe), messages);
}

/* The write end of a pipe that nobody reads */
static int broken_pipe(void)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		abort();
	close(ends[0]);
	return ends[1];
}

static int device_full(void)
{
	return open("/dev/full", O_WRONLY | O_CLOEXEC);
}

#define EXPECT_LINE(condition, line) do {				\
	if (!(condition))						\
		TAP_FAIL("sigmactl %s: not so: %s; it said: %s", line, #condition, said); \
} while (0)

#define MESSAGE "cannot write to standard output: "

static void fails(const char *line, int out, const char *reason)
{
	int how = run_line(line, out, false);

	EXPECT_LINE(WIFEXITED(how) && WEXITSTATUS(how), line);
	EXPECT_LINE(strstr(said, reason), line);
}

static void fails_on_full(const char *line)
{
	fails(line, device_full(), MESSAGE "No space left on device");
}

static void fails_without(const char *line)
{
	fails(line, -1, MESSAGE "Bad file descriptor");
}

static void ends_by_sigpipe(const char *line)
{
	int how = run_line(line, broken_pipe(), false);

	EXPECT_LINE(WIFSIGNALED(how) && WTERMSIG(how) == SIGPIPE, line);
	EXPECT_LINE(!strstr(said, MESSAGE), line);
}

/* As a child of a program that ignores it. A verb that failed before keeps its status */
static void ends_by_ignored_sigpipe(const char *line)
{
	int how = run_line(line, broken_pipe(), true);

	EXPECT_LINE(WIFSIGNALED(how) ? WTERMSIG(how) == SIGPIPE : WEXITSTATUS(how), line);
	EXPECT_LINE(!strstr(said, MESSAGE), line);
}

/* It prints, and whether it ends by itself or goes on, it ends when nobody reads any more */
static void prints(const char *line)
{
	int messages = memfd_create("stderr", MFD_CLOEXEC), ends[2], how;
	pid_t pid;
	char byte;

	if (pipe2(ends, O_CLOEXEC))
		abort();
	pid = begin(line, ends[1], messages, false);
	EXPECT_LINE(read(ends[0], &byte, 1) == 1, line);
	close(ends[0]);
	how = end(pid, messages);
	EXPECT_LINE(WIFEXITED(how) || WTERMSIG(how) == SIGPIPE, line);
	EXPECT_LINE(!strstr(said, MESSAGE), line);
}

TEST(help)
{
	char line[64];

	fails_on_full("--help");
	fails_without("--help");
	fails_on_full("--version");
	fails_without("--version");
	ends_by_sigpipe("--version");
	for (size_t i = 0; i < NR_ROWS; i++) {
		snprintf(line, sizeof(line), "help %s", rows[i].verb);
		fails_on_full(line);
	}
}

static void with_each_line(void (*what)(const char *line))
{
	for (size_t i = 0; i < NR_ROWS; i++)
		for (const char * const *line = rows[i].lines; *line; line++)
			what(*line);
}

#define TEST_OF_EACH_LINE(name, what)					\
	TEST(name)							\
	{								\
		if (!has_machine())					\
			SKIP(return, "no mount namespaces");		\
		with_each_line(what);					\
	}

TEST_OF_EACH_LINE(full_device, fails_on_full)
TEST_OF_EACH_LINE(no_stdout, fails_without)
TEST_OF_EACH_LINE(nobody_reads, ends_by_sigpipe)
TEST_OF_EACH_LINE(nobody_reads_and_sigpipe_is_ignored, ends_by_ignored_sigpipe)
TEST_OF_EACH_LINE(reader_ends, prints)

/* Messages that cannot be written fail, too, and keep the status of what they tell */
TEST(stderr_full)
{
	int how;

	how = end(begin("frobnicate", -1, device_full(), false), memfd_create("", MFD_CLOEXEC));
	EXPECT_TRUE(WIFEXITED(how));
	EXPECT_EQ(EXIT_USAGE, WEXITSTATUS(how));
}

int main(int argc, char **argv)
{
	if (!strcmp(argv[0], "sigmad")) {
		sd_notify(0, "READY=1");
		return EXIT_SUCCESS;
	}
	return tap_run();
}
