// SPDX-License-Identifier: GPL-2.0
/*
 * Gives up privileges: see privileges.h.
 *
 * Capabilities go from all sets, and no program that is executed brings one back. A seccomp filter
 * has a list of the system calls that sigmad makes, also while devices are added and while the
 * guest restarts; threads that are made later have it, too. Any other one ends sigmad with a message
 * (SIGSYS), and the next sigmad takes the guest over. An error instead could go unnoticed.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../common/log.h"
#include "privileges.h"

#define COUNT(array)	(sizeof(array) / sizeof(*(array)))
#define NAMESPACES	(CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | \
			 CLONE_NEWUSER | CLONE_NEWUTS)

/* The bounding set of sigma@.service is the same */
static const unsigned int sigmad_keeps[] = {
	CAP_CHOWN,		/* console, logs and bus get the group sigma, channels their owners */
	CAP_DAC_OVERRIDE,	/* disks, kernels and sockets may belong to others; also added ones */
	CAP_FOWNER,		/* the mode of a channel that belongs to somebody else */
	CAP_NET_ADMIN,		/* taps, their addresses and bridges; a NIC may be added */
	CAP_NET_BIND_SERVICE,	/* the port of AF_VSOCK from which it connects to the agent */
};

/* Such a guest has no device that is not there from the start, no tap, and files of root alone */
static const unsigned int owned_keeps[] = { CAP_CHOWN, CAP_NET_BIND_SERVICE };

/* The unit sigma-broker@.service has the same list */
static const unsigned int broker_keeps[] = {
	/* virtiofsd does to the files of a share what root of the guest does to them */
	CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_MKNOD,
	CAP_SETFCAP,
	CAP_SETGID, CAP_SETUID,	/* as other users, in user namespaces, and passt as nobody */
	CAP_SYS_ADMIN, CAP_SYS_CHROOT,	/* all have namespaces and mounts of their own */
	CAP_SETPCAP,		/* virtiofsd and passt drop capabilities themselves */
	CAP_NET_BIND_SERVICE,	/* passt forwards ports below 1024 */
	CAP_SYS_RESOURCE,	/* virtiofsd has many files open */
	CAP_KILL,		/* to end them */
};

static const char *const calls[] = {
	/* Memory and threads */
	"arch_prctl", "brk", "exit", "exit_group", "futex", "get_robust_list", "getcpu", "gettid",
	"madvise", "membarrier", "mlock", "mmap", "mprotect", "mremap", "munlock", "munmap",
	"restart_syscall", "rseq", "sched_getaffinity", "sched_yield", "set_robust_list",
	"set_tid_address",
	/* Itself, its signals, and the end of its broker. Without other capabilities kill is weak */
	"capget", "chdir", "getcwd", "getegid", "geteuid", "getgid", "getgroups", "getpgid",
	"getpgrp", "getpid", "getppid", "getresgid", "getresuid", "getrlimit", "getrusage", "getsid",
	"getuid", "kill", "prctl", "prlimit64", "rt_sigaction", "rt_sigpending", "rt_sigprocmask",
	"rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "setsid", "sigaltstack", "signalfd4",
	"sysinfo", "tgkill", "times", "umask", "uname", "wait4", "waitid",
	/* Clocks and timers */
	"clock_getres", "clock_gettime", "clock_nanosleep", "gettimeofday", "nanosleep", "time",
	"timerfd_create", "timerfd_gettime", "timerfd_settime",
	/* Files: guest file, kernel, initrd, modules, disks, what is in /run/sigma, /dev and /sys */
	"access", "chmod", "chown", "close", "close_range", "copy_file_range", "creat", "dup",
	"dup2", "dup3", "faccessat", "faccessat2", "fadvise64", "fallocate", "fchmod", "fchmodat",
	"fchown", "fchownat", "fcntl", "fdatasync", "fgetxattr", "flock", "fstat", "fstatfs",
	"fsync", "ftruncate", "getdents", "getdents64", "getrandom", "getxattr", "ioctl", "lchown",
	"lgetxattr", "link", "linkat", "listxattr", "llistxattr", "lseek", "lstat", "memfd_create",
	"mkdir", "mkdirat", "name_to_handle_at", "newfstatat", "open", "openat", "openat2", "pipe",
	"pipe2", "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read",
	"readahead", "readlink", "readlinkat", "readv", "rename", "renameat", "renameat2", "rmdir",
	"sendfile", "splice", "stat", "statfs", "statx", "symlink", "symlinkat", "sync_file_range",
	"truncate", "unlink", "unlinkat", "utimensat", "write", "writev",
	/* Events, and the transfers of disks */
	"epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait",
	"eventfd2", "inotify_add_watch", "inotify_init1", "inotify_rm_watch", "io_uring_enter",
	"io_uring_register", "io_uring_setup", "pidfd_open", "pidfd_send_signal", "poll", "ppoll",
	"pselect6", "select",
	/* Sockets, for clients, systemd, rtnetlink, back ends, agents; of which kinds is below */
	"accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt",
	"listen", "recvfrom", "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto",
	"setsockopt", "shutdown", "socketpair",
};

static int keep(const unsigned int *capabilities, size_t nr)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	uint64_t kept = 0;

	for (size_t i = 0; i < nr; i++)
		kept |= 1ULL << capabilities[i];
	/* Without CAP_SETPCAP, whoever started us has to bound the set. Nothing is executed anyway */
	for (unsigned int i = 0; prctl(PR_CAPBSET_READ, i) >= 0; i++)
		if (!(kept >> i & 1) && prctl(PR_CAPBSET_DROP, i) && errno != EPERM)
			return -errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) ||
	    syscall(SYS_capget, &header, data))
		return -errno;
	for (unsigned int i = 0; i < COUNT(data); i++) {
		data[i].permitted &= kept >> 32 * i;
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

static int allow_calls(scmp_filter_ctx filter)
{
	int error = 0;

	for (size_t i = 0; i < COUNT(calls) && !error; i++)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
					 seccomp_syscall_resolve_name(calls[i]), 0);
	return error;
}

static int allow_some(scmp_filter_ctx filter)
{
	int error;

	/* Threads, but no processes. The filter cannot see the flags of clone3(); libc tries clone() */
	error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				 SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD | NAMESPACES, CLONE_THREAD));
	if (!error)
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	/* A library that looks users up may try more kinds of sockets, and does without */
	for (unsigned int i = 0; i < AF_MAX && !error; i++)
		error = seccomp_rule_add(filter, i == AF_UNIX || i == AF_NETLINK || i == AF_VSOCK ?
					 SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EAFNOSUPPORT),
					 SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, i));
	return error;
}

static int load_filter(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
	int error;

	if (!filter)
		return -ENOMEM;
	error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (!error)
		error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	/* A binary tree: disks make many calls */
	if (!error)
		error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!error)
		error = allow_calls(filter);
	if (!error)
		error = allow_some(filter);
	if (!error)
		error = seccomp_load(filter);
	seccomp_release(filter);
	return error;
}

/* The signal comes at a system call that no allocator makes, so the handler may allocate */
static void on_forbidden(int signal_number, siginfo_t *info, void *context)
{
	char *name = seccomp_syscall_resolve_num_arch(info->si_arch, info->si_syscall);

	log_error(-EPERM, "made the system call %s (%d), which its filter forbids: sigmad ends, and the guest runs on; the next sigmad takes it over ('sigmactl start', or the unit does it); please report this",
		  name ?: "?", info->si_syscall);
	signal(SIGSYS, SIG_DFL);
	raise(SIGSYS);
}

static int filter_calls(void)
{
	struct sigaction action = {
		.sa_sigaction = on_forbidden, .sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	return sigaction(SIGSYS, &action, NULL) ? -errno : load_filter();
}

static int report(int error)
{
	return error ? log_error(error, "cannot give up privileges: %s; it takes a kernel with seccomp filters",
				 strerror(-error)) : 0;
}

int privileges_shed(bool owned)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	int error;

	/* In place of CAP_IPC_LOCK, for io_uring. blk_uring.c reports a limit that is too low */
	setrlimit(RLIMIT_MEMLOCK, &all);
	error = owned ? keep(owned_keeps, COUNT(owned_keeps)) :
			keep(sigmad_keeps, COUNT(sigmad_keeps));
	return report(error ?: filter_calls());
}

int privileges_of_broker(void)
{
	return report(keep(broker_keeps, COUNT(broker_keeps)));
}
