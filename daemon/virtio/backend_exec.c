// SPDX-License-Identifier: GPL-2.0
/*
 * The part of a back end's process that runs before exec. It executes only system calls, since the
 * process that starts it may have threads.
 *
 * The kernel drops a SIGTERM for an init that has not set a handler yet. So a back end that
 * finishes its requests is the child of an init that stays a copy of the broker, and passes SIGTERM
 * on.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/program.h"
#include "backend_exec.h"

/* Both are closed by exec */
#define REPORT_FD	(BACKEND_FD + 1 + BACKEND_FILES)	/* struct report */
#define NOTE_FD		(REPORT_FD + 1)

#define MEMLOCK_BYTES	(8U << 20)	/* the kernel's default */

static void fail(const char *what)
{
	struct report report = { .what = what, .error = errno };

	if (write(REPORT_FD, &report, sizeof(report)) != sizeof(report))
		_exit(126);
	_exit(127);
}

/* The init of a back end that finishes its requests: pass SIGTERM on, and end when it ends */
static void __attribute__((noreturn))
be_init(const struct backend_command *command, pid_t child, const sigset_t *signals)
{
	const uint32_t saved = 0;
	siginfo_t info;

	/* Its memory is that of the broker, which the back end must not read */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_NAME, "sigmad-init", 0, 0, 0);
	/* The next sigmad waits on the locks of the files until it can read the note */
	close_range(0, BACKEND_FD, 0);
	close(REPORT_FD);
	for (;;) {
		if (sigwaitinfo(signals, NULL) == SIGTERM)
			kill(child, SIGTERM);
		info.si_pid = 0;
		if (waitid(P_PID, child, &info, WEXITED | WNOHANG) || !info.si_pid)
			continue;
		/* If this fails, the next sigmad takes the end for a disorderly one */
		if (command->note && info.si_code == CLD_EXITED && !info.si_status &&
		    pwrite(NOTE_FD, &saved, sizeof(saved), command->note->at) != sizeof(saved))
			_exit(126);
		_exit(info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status);
	}
}

/* Go on in a child of this process, its init, which gets SIGTERM when the broker dies */
static void leave_init(const struct backend_command *command)
{
	sigset_t signals;
	pid_t child;

	/* A signal that is blocked is not dropped */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGTERM))
		fail(BACKEND_NO_IDENTITY);
	child = _Fork();
	if (child < 0)
		fail("cannot make a process");
	if (child)
		be_init(command, child, &signals);
	sigprocmask(SIG_UNBLOCK, &signals, NULL);
}

/*
 * virtiofsd drops its supplementary groups, which root must. To a user they are rights, and where a
 * file keeps a group out, they take rights away. So setgroups() does nothing from here on.
 */
static int keep_groups(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setgroups, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = sizeof(code) / sizeof(*code), .filter = code };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* No more than the capabilities @kept, whatever is executed. It takes the effective CAP_SETPCAP */
static int bound_capabilities(uint64_t kept)
{
	for (unsigned int i = 0; prctl(PR_CAPBSET_READ, i) >= 0; i++)
		if (!(kept >> i & 1) && prctl(PR_CAPBSET_DROP, i))
			return -1;
	return 0;
}

/*
 * Keep the capabilities @kept alone, also across exec by a program of a user other than root. A user
 * has none, so the kernel does not let them trace this process, and take the guest's memory from it.
 */
static int keep_capabilities(uint64_t kept)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	for (unsigned int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted = kept >> 32 * i;
		data[i].effective = data[i].permitted;
		data[i].inheritable = data[i].permitted;
	}
	if (syscall(SYS_capset, &header, data))
		return -1;
	for (unsigned int i = 0; prctl(PR_CAPBSET_READ, i) >= 0; i++)
		if (kept >> i & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0))
			return -1;
	return 0;
}

/* Protection from the OOM killer and locked memory without limit are sigmad's, not a user's */
static int be_ordinary(void)
{
	const struct rlimit limit = { .rlim_cur = MEMLOCK_BYTES, .rlim_max = MEMLOCK_BYTES };
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC), error;

	error = fd < 0 || write(fd, "0", 1) != 1 || setrlimit(RLIMIT_MEMLOCK, &limit);
	if (fd >= 0)
		close(fd);
	return error ? -1 : 0;
}

/* Become the owner, with their groups, as if they had started it. Root prepared it before */
static void become_owner(const struct backend_command *command, const struct owner *owner)
{
	if (bound_capabilities(command->plain))
		fail("cannot give up capabilities");
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) ||
	    syscall(SYS_setgroups, owner->nr_groups, owner->groups) ||
	    syscall(SYS_setresgid, owner->gid, owner->gid, owner->gid) ||
	    syscall(SYS_setresuid, owner->uid, owner->uid, owner->uid) ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL))
		fail(BACKEND_NO_IDENTITY);
	if (keep_capabilities(command->plain))
		fail("cannot give up capabilities");
	if (keep_groups())
		fail("cannot keep its groups");
}

void backend_exec(const struct backend_command *command, const struct identity *who,
		  const int fds[NR_FDS])
{
	const unsigned int nr = GIVEN + 1 + command->nr_files;
	int copy[NR_FDS];
	bool moved = true;
	const char *what;
	sigset_t none;
	char byte;

	/* Copy the files above the numbers that dup2() overwrites */
	for (unsigned int i = 0; i < nr; i++)
		copy[i] = fcntl(fds[i], F_DUPFD, NOTE_FD + 1);
	if (read(copy[GO], &byte, 1) != 1 || dup3(copy[REPORT], REPORT_FD, O_CLOEXEC) < 0)
		_exit(126);
	if (close_range(BACKEND_FD, REPORT_FD - 1, 0) || close_range(NOTE_FD, NOTE_FD, 0))
		moved = false;
	if (command->note)
		moved = moved && dup3(copy[NOTE], NOTE_FD, O_CLOEXEC) >= 0;
	for (unsigned int i = GIVEN; i < nr; i++)
		moved = moved && dup2(copy[i], BACKEND_FD + i - GIVEN) >= 0;
	if (!moved || dup2(copy[NOTHING], STDIN_FILENO) < 0 ||
	    dup2(copy[LOG], STDOUT_FILENO) < 0 || dup2(copy[LOG], STDERR_FILENO) < 0 ||
	    close_range(NOTE_FD + 1, ~0U, 0))
		fail("cannot arrange its files");

	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();

	if (who->drop_groups && syscall(SYS_setgroups, 0, NULL))
		fail("cannot drop its groups");
	if (who->mapped && (syscall(SYS_setresgid, 0, 0, 0) || syscall(SYS_setresuid, 0, 0, 0)))
		fail(BACKEND_NO_IDENTITY);
	/* End with its parent. setresuid() clears PDEATHSIG, so set it afterwards */
	if (command->finishes)
		leave_init(command);
	else if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		fail(BACKEND_NO_IDENTITY);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		fail(BACKEND_NO_IDENTITY);
	/* exec then gives root no capability */
	if (command->confined &&
	    prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED, 0, 0, 0))
		fail("cannot give up capabilities");
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
		fail("cannot have mounts of its own");
	if (who->plain && be_ordinary())
		fail("cannot get the limits of a user's process");
	what = command->prepare ? command->prepare(command->data) : NULL;
	if (what)
		fail(what);
	if (who->plain)
		become_owner(command, who->owner);
	execve(command->argv[0], command->argv, program_environment);
	fail("cannot be run");
	_exit(126);
}
