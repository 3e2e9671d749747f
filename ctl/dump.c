// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl dump. sigmactl reads the guest's memory itself, so it needs no sigmad. The guest cannot
 * be destroyed while its memory file is open.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <unistd.h>

#include "../common/versions.h"
#include "ctl.h"
#include "vmcore.h"

/* Linux's segment selectors, arch/x86/include/asm/segment.h */
#define KERNEL_CS	0x10
#define KERNEL_DS	0x18
#define USER_DS		0x2b
#define USER_CS		0x33

/**
 * struct target - the file that the dump is written to
 * @path: its name, for messages
 * @made: this process made it, and removes it if the dump fails
 * @sparse: it can have holes
 */
struct target {
	int fd;
	const char *path;
	bool made, sparse;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	interrupted = number;
}

/* Registers are known only of a CPU that the guard stopped */
static void read_registers(const char *name, struct elf_prstatus *cpus, unsigned int nr)
{
	struct user_regs_struct regs = {};
	struct sigma_violation violation;
	const __u64 *gpr = violation.gpr;

	if (guest_violation(name, &violation) || violation.guest_cpu >= nr)
		return;
	regs.rax = gpr[GPR_RAX];
	regs.rcx = gpr[GPR_RCX];
	regs.rdx = gpr[GPR_RDX];
	regs.rbx = gpr[GPR_RBX];
	regs.rsp = gpr[GPR_RSP];
	regs.rbp = gpr[GPR_RBP];
	regs.rsi = gpr[GPR_RSI];
	regs.rdi = gpr[GPR_RDI];
	regs.r8 = gpr[GPR_R8];
	regs.r9 = gpr[GPR_R8 + 1];
	regs.r10 = gpr[GPR_R8 + 2];
	regs.r11 = gpr[GPR_R8 + 3];
	regs.r12 = gpr[GPR_R8 + 4];
	regs.r13 = gpr[GPR_R8 + 5];
	regs.r14 = gpr[GPR_R8 + 6];
	regs.r15 = gpr[GPR_R8 + 7];
	regs.rip = violation.rip;
	regs.orig_rax = -1;
	regs.eflags = violation.rflags;
	regs.cs = violation.cpl ? USER_CS : KERNEL_CS;
	regs.ss = violation.cpl ? USER_DS : KERNEL_DS;
	memcpy(cpus[violation.guest_cpu].pr_reg, &regs, sizeof(regs));
}

/* An existing pipe or device is written to; an existing regular file is not, it may be a dump */
static int open_file(struct target *target)
{
	struct stat st;

	target->fd = open(target->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	target->made = target->fd >= 0;
	if (target->made)
		return 0;
	if (errno == EEXIST && !stat(target->path, &st)) {
		if (S_ISREG(st.st_mode))
			return complain(-EEXIST, "%s: exists already and is not overwritten; remove it, or name another file",
					target->path);
		target->fd = open(target->path, O_WRONLY | O_CLOEXEC);
	}
	return target->fd < 0 ? complain(-errno, "%s: cannot be written: %s", target->path,
					 strerror(errno)) : 0;
}

static int open_target(struct target *target, const char *path)
{
	struct stat st;

	*target = (struct target){ .fd = STDOUT_FILENO, .path = path };
	if (!strcmp(path, "-"))
		target->path = "standard output";
	else if (open_file(target))
		return -EINVAL;
	if (isatty(target->fd))
		return complain(-EINVAL, "%s: is a terminal; name a file, or pipe it into a program",
				target->path);
	/* Only at the end of a file: a hole elsewhere would let older data show through */
	target->sparse = !fstat(target->fd, &st) && S_ISREG(st.st_mode) &&
			 !(fcntl(target->fd, F_GETFL) & O_APPEND) &&
			 lseek(target->fd, 0, SEEK_CUR) == st.st_size;
	return 0;
}

static void catch_signals(void)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal };

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		sigaction(ends[i], &action, NULL);
	/* write() then fails with EFBIG */
	signal(SIGXFSZ, SIG_IGN);
}

/* Progress shown on a terminal; @percent is 0 until something is shown */
struct progress {
	uint64_t started_usec;
	unsigned int percent;
};

/* Show the progress of a dump that takes longer than a second; false ends the dump */
static bool show_progress(void *data, uint64_t done, uint64_t size)
{
	struct progress *progress = data;
	unsigned int percent = done * 100 / size;

	if (isatty(STDERR_FILENO) && percent != progress->percent &&
	    clock_now(CLOCK_MONOTONIC) - progress->started_usec > USEC_PER_SEC) {
		progress->percent = percent;
		fprintf(stderr, "\r%3u%%", percent);
	}
	return !interrupted;
}

static int write_dump(struct target *target, struct vmcore *core)
{
	struct progress progress = { .started_usec = clock_now(CLOCK_MONOTONIC) };
	uint64_t failed;
	char size[32];
	int error;

	core->progress = show_progress;
	core->data = &progress;
	if (target->made)
		catch_signals();
	error = vmcore_write(core, target->fd, target->sparse, &failed);
	if (progress.percent)
		fputc('\n', stderr);
	/* A file system may report only now that it has no room */
	if (!error && target->made && fsync(target->fd))
		error = -errno;
	if (close(target->fd) && !error)
		error = -errno;
	if (failed)
		complain(0, "%s: %llu page%s of the guest ha%s a memory error; the dump has zeros instead",
			 target->path, (unsigned long long)failed, failed == 1 ? "" : "s",
			 failed == 1 ? "s" : "ve");
	if (!error)
		return EXIT_OK;

	if (target->made)
		unlink(target->path);
	text_size(size, SIGMA_LOW_SIZE + core->mem->size);
	return complain(EXIT_FAILED, "%s: %s%s%s%s", target->path,
			error == -EINTR ? "interrupted" : strerror(-error),
			error == -ENOSPC || error == -EFBIG || error == -EDQUOT ?
			"; a dump of this guest takes up to " : "",
			error == -ENOSPC || error == -EFBIG || error == -EDQUOT ? size : "",
			target->made ? "; the incomplete file was removed" : "");
}

static int dump(const char *name, int guest_fd, const char *path)
{
	static struct elf_prstatus cpus[SIGMA_CPUS_MAX];
	static uint8_t low[SIGMA_LOW_SIZE];
	static struct vmcoreinfo kernel;
	struct sigma_low low_memory = { .buffer = (uintptr_t)low };
	struct guest_memory memory;
	struct target target;
	struct sigma_info info;
	struct vmcore core;
	char why[VERSIONS_TEXT_MAX];
	int error, status = EXIT_FAILED;

	if (!versions_fit(VERSIONS_MODULE, "sigmactl", why))
		complain(0, "%s; the dump may fail", why);
	if (ioctl(guest_fd, SIGMA_GET_INFO, &info) || ioctl(guest_fd, SIGMA_READ_LOW, &low_memory))
		return complain(EXIT_FAILED, "%s: cannot read its memory: %s", name,
				strerror(errno));
	if (memory_open(&memory, guest_fd, &info))
		return EXIT_FAILED;
	if (open_target(&target, path))
		goto close_memory;

	error = vmcoreinfo_find(&kernel, &memory);
	if (error)
		complain(0, "%s: its kernel was not found in its memory%s: the dump has physical addresses only, and no log",
			 name, error == -ENOENT ? ", it has not got that far" : "");
	read_registers(name, cpus, info.nr_cpus);
	core = (struct vmcore) {
		.mem = &memory, .low = low, .low_phys = info.low_phys,
		.info = error ? NULL : &kernel, .cpus = cpus, .nr_cpus = info.nr_cpus,
	};
	status = write_dump(&target, &core);
close_memory:
	memory_close(&memory);
	return status;
}

static int run(const struct options *options, char **args)
{
	int status, fd;

	status = guest_check(args[0]);
	if (status)
		return status;
	fd = guest_device(args[0]);
	if (fd == -ESRCH)
		return complain(EXIT_NO_GUEST, "%s: has just gone", args[0]);
	if (fd < 0)
		return EXIT_FAILED;
	status = dump(args[0], fd, args[1]);
	close(fd);
	return status;
}

DEFINE_VERB(dump) = {
	.name = "dump",
	.args = "NAME FILE",
	.summary = "Write a guest's memory to a file, for crash dump tools",
	.help =
"FILE becomes an ELF core like /proc/vmcore, as large as the guest's memory, but with holes where\n"
"the memory is zero. '-' writes it to standard output. An existing file is not overwritten. Only\n"
"its owner may read the new file, since it has all of the guest's data.\n"
"\n"
"The guest may run, hang, have panicked, or have died before its driver was up, and its sigmad may\n"
"be gone. A guest that runs goes on meanwhile, so that its memory is not of one moment. The dump\n"
"has the registers of a CPU that the guard stopped; those of other CPUs are zero.\n"
"\n"
"Examples:\n"
"  sigmactl dump demo demo.core\n"
"  vmcore-dmesg demo.core                       its kernel log (package kexec-tools)\n"
"  makedumpfile -c -d 31 demo.core demo.small   without caches and free memory\n"
"  crash vmlinux demo.core                      vmlinux with debugging symbols\n"
"  sigmactl dump demo - | zstd >demo.core.zst\n",
	.nr_args = 2,
	.run = run,
};
