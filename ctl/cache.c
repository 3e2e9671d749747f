// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl cache: what is in the page cache of a guest, so that another guest of the same work starts
 * with it. The agent (guest/agent/cache.c) makes the list and reads the files. A list that a guest sends
 * is read and written anew line by line, so that nothing else gets into the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/cachelist.h"
#include "agent.h"
#include "cache.h"
#include "ctl.h"

#define CONNECT_USEC	(5 * USEC_PER_SEC)
#define NEW		".new"
#define FOLDERS_MAX	64
/* The agent, as which the guest's process runs until it executes its program */
#define SELF		"/proc/self/exe"

/* 0, or a reported -errno; @what: of the list, for messages */
static int copy_list(FILE *in, FILE *out, const char *what)
{
	static struct cachelist list;
	static struct cachelist_file file;
	int ret = cachelist_open(&list, in);

	if (ret == -EPROTONOSUPPORT)
		return complain(ret, "%s: a list of a newer SIGMA; make it again with this one", what);
	if (ret)
		return complain(ret, "%s: no list of 'sigmactl cache save'", what);
	if (out)
		cachelist_begin(out);
	while ((ret = cachelist_next(&list, &file)) > 0) {
		if (!out)
			continue;
		cachelist_print(out, &file);
		if (ftello(out) > CACHELIST_SIZE_MAX)
			return complain(-EFBIG, "%s: a list of more than %u MiB", what,
					CACHELIST_SIZE_MAX >> 20);
	}
	if (ret)
		return complain(ret, "%s:%lu: not as it should be: RANGES PATH, as in '0-15,32 /usr/bin/java'; correct it, or leave the line out",
				what, list.line);
	return 0;
}

int cache_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), copy, error = 0;
	struct stat st;
	FILE *in;

	if (fd < 0)
		return complain(-errno, "%s: %s; 'sigmactl cache save' makes such a list", path,
				strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		error = complain(-EINVAL, "%s: no file", path);
		goto close_fd;
	}
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	in = copy < 0 ? NULL : fdopen(copy, "r");
	if (!in) {
		error = complain(-errno, "%s: %s", path, strerror(errno));
		goto close_fd;
	}
	error = copy_list(in, NULL, path);
	fclose(in);
	if (!error && lseek(fd, 0, SEEK_SET) < 0)
		error = complain(-errno, "%s: %s", path, strerror(errno));
	if (!error)
		return fd;
close_fd:
	close(fd);
	return error;
}

/* 0, or -EIO: the agent has said why */
static int wait_agent(pid_t pid)
{
	int how;

	while (waitpid(pid, &how, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(how) && !WEXITSTATUS(how) ? 0 : -EIO;
}

int cache_load(const char *name, int fd, int out, uint64_t usec)
{
	char *argv[] = { SELF, "--cache-load", NULL };
	pid_t pid = agent_spawn(name, argv, fd, out, usec);

	return pid < 0 ? pid : wait_agent(pid);
}

/* Have the guest write its list to @out. 0, or a reported -errno */
static int receive(const char *name, char **folders, FILE *out)
{
	char *argv[FOLDERS_MAX + 4] = { SELF, "--cache-save" };
	int ends[2], error, nr = 2, status;
	FILE *in;
	pid_t pid;

	if (!*folders)
		argv[nr++] = "/";
	for (; *folders && nr < FOLDERS_MAX + 2; folders++)
		argv[nr++] = *folders;
	if (*folders)
		return complain(-E2BIG, "more than %d folders; name those that they are in", FOLDERS_MAX);
	if (pipe2(ends, O_CLOEXEC))
		return complain(-errno, "no pipe: %s", strerror(errno));
	pid = agent_spawn(name, argv, -1, ends[1], CONNECT_USEC);
	close(ends[1]);
	in = pid < 0 ? NULL : fdopen(ends[0], "r");
	if (!in) {
		close(ends[0]);
		return pid < 0 ? pid : -ENOMEM;
	}
	error = copy_list(in, out, name);
	fclose(in);
	/* What the guest sends is no list, and need not end */
	if (error)
		kill(pid, SIGKILL);
	status = wait_agent(pid);
	return error ?: status;
}

/* A file that is there already is replaced once the list is whole */
static int save(const char *name, const char *path, char **folders)
{
	char new[PATH_MAX];
	struct stat st;
	int error;
	FILE *out;

	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return complain(-EINVAL, "%s: no regular file; give the path of a file", path);
	if (snprintf(new, sizeof(new), "%s" NEW, path) >= (int)sizeof(new))
		return complain(-ENAMETOOLONG, "%s: the path is too long", path);
	/* What is left of one that was killed; and no link of others is followed */
	unlink(new);
	out = fopen(new, "wxe");
	if (!out)
		return complain(-errno, "%s: %s", new, strerror(errno));
	error = receive(name, folders, out);
	if (fclose(out) && !error)
		error = complain(-errno, "%s: %s", new, strerror(errno));
	if (!error && rename(new, path))
		error = complain(-errno, "%s: %s", path, strerror(errno));
	if (error)
		unlink(new);
	return error;
}

static int load(const char *name, const char *path)
{
	int fd = cache_open(path), error;

	if (fd < 0)
		return fd;
	error = cache_load(name, fd, STDOUT_FILENO, CONNECT_USEC);
	close(fd);
	return error;
}

static int run(const struct options *options, char **args)
{
	if (!strcmp(args[0], "save"))
		return save(args[1], args[2], args + 3) ? EXIT_FAILED : EXIT_OK;
	if (strcmp(args[0], "load") || args[3])
		return complain(EXIT_USAGE, "cache %s: say 'cache save NAME FILE', with folders, or 'cache load NAME FILE'",
				args[0]);
	return load(args[1], args[2]) ? EXIT_FAILED : EXIT_OK;
}

DEFINE_VERB(cache) = {
	.name = "cache",
	.args = "save|load NAME FILE",
	.summary = "Save what a guest's page cache has, or fill it again",
	.help =
"'save' writes a list of the files, and their pages, that are in the page cache of the guest. Behind\n"
"FILE there may be folders of the guest to look in, in place of all of its files. 'load' has a guest\n"
"read what is in such a list, in large pieces, until its memory is full; 'sigmactl run --cache=FILE'\n"
"does so before its command begins. So a new guest of the same work starts warm.\n"
"\n"
"Of a share or of a root that is one, a guest keeps what it has read only with Cache=always,\n"
"RootCache=always or 'sigmactl run --unchanging': otherwise each open(2) of a file asks the host again,\n"
"also that of 'save'. All else is as with 'sigmactl exec'.\n"
"\n"
"Examples:\n"
"  sigmactl cache save search search.cache /srv/index /usr/lib/jvm\n"
"  sigmactl cache load search search.cache\n"
"  sigmactl run --unchanging --cache=search.cache -- java -jar search.jar\n",
	.nr_args = 3,
	.more_args = true,
	.run = run,
};
