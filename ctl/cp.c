// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl cp: copies files between host and guest, as a tar stream. tar(1) of the guest makes or
 * reads it there, run by the agent, and libarchive here. The agent's client is a process of its own,
 * since its streams are pipes to this one.
 *
 * What a guest sends is hostile. It gets to no place outside of the folder it is copied to, and
 * becomes no device and no program with the rights of its owner.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "ctl.h"
#include "library.h"

#define CONNECT_USEC	(5 * USEC_PER_SEC)
#define BLOCK		(64 << 10)
#define MODE_MASK	(S_IRWXU | S_IRWXG | S_IRWXO)
#define EXTRACT_FLAGS	(ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_UNLINK | \
			 ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT | \
			 ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS)

#define FUNCTIONS(f)								\
	f(archive_entry_filetype) f(archive_entry_hardlink) f(archive_entry_pathname) \
	f(archive_entry_perm) f(archive_entry_set_hardlink) \
	f(archive_entry_set_pathname) f(archive_entry_set_perm) \
	f(archive_entry_sourcepath) f(archive_error_string) \
	f(archive_read_data_block) f(archive_read_disk_descend) \
	f(archive_read_disk_new) f(archive_read_disk_open) \
	f(archive_read_disk_set_standard_lookup) f(archive_read_free) \
	f(archive_read_new) f(archive_read_next_header) f(archive_read_open_fd) \
	f(archive_read_support_format_empty) f(archive_read_support_format_tar) \
	f(archive_write_close) f(archive_write_data) f(archive_write_data_block) \
	f(archive_write_disk_new) f(archive_write_disk_set_options) \
	f(archive_write_finish_entry) f(archive_write_free) f(archive_write_header) \
	f(archive_write_new) f(archive_write_open_fd) \
	f(archive_write_set_format_pax_restricted)
LIBRARY_FUNCTIONS(FUNCTIONS)

/* "NAME:PATH" */
struct place {
	char name[SIGMA_NAME_MAX];	/* of the guest; "" for the host */
	const char *path;
};

static void parse(struct place *place, const char *text)
{
	const char *colon = strchr(text, ':'), *slash = strchr(text, '/');

	/* A path with a colon in it begins with ./ or / */
	*place = (struct place) { .path = text };
	if (!colon || colon == text || (slash && slash < colon) ||
	    colon - text >= (ptrdiff_t)sizeof(place->name))
		return;
	memcpy(place->name, text, colon - text);
	place->path = colon[1] ? colon + 1 : ".";
}

/* 0; or -EIO: the command failed in the guest and has said why */
static int wait_command(const char *name, pid_t pid)
{
	int how;

	while (waitpid(pid, &how, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(how) && WEXITSTATUS(how) == AGENT_STATUS_NOT_FOUND)
		complain(0, "%s: cp takes tar in the guest; install it", name);
	return WIFEXITED(how) && !WEXITSTATUS(how) ? 0 : -EIO;
}

/* 1: the guest has a folder of this path; 0; or a reported -errno */
static int is_folder(const char *name, const char *path)
{
	char *argv[] = { "test", "-d", (char *)path, NULL };
	pid_t pid = agent_spawn(name, argv, -1, -1, CONNECT_USEC);
	int how;

	if (pid < 0)
		return pid;
	while (waitpid(pid, &how, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFEXITED(how) || WEXITSTATUS(how) >= AGENT_STATUS_FAILED)
		return -EIO;
	return !WEXITSTATUS(how);
}

/*
 * Where the copy goes: into a folder that is there, or else to a new name. Both are copies, with room
 * for PATH_MAX.
 */
static void choose_target(const char *path, bool folder, const char *source, char *into, char *as)
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", folder ? source : path);
	snprintf(as, PATH_MAX, "%s", basename(copy));
	snprintf(copy, sizeof(copy), "%s", path);
	snprintf(into, PATH_MAX, "%s", folder ? path : dirname(copy));
}

/* Replace the first part of the path, or all of it if it has one only. False: it has another one */
static bool rename_top(char out[PATH_MAX], const char *path, const char *from, const char *to)
{
	size_t len = strlen(from);

	while (!strncmp(path, "./", 2))
		path += 2;
	if (strncmp(path, from, len) || (path[len] && path[len] != '/'))
		return false;
	return snprintf(out, PATH_MAX, "%s%s", to, path + len) < PATH_MAX;
}

/* To the guest */

static int copy_data(struct archive *out, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char block[BLOCK];
	ssize_t len = 0;

	if (fd < 0)
		return complain(-errno, "%s: %s", path, strerror(errno));
	while ((len = read(fd, block, sizeof(block))) > 0)
		if (sym_archive_write_data(out, block, len) < 0)
			break;
	close(fd);
	return len < 0 ? complain(-EIO, "%s: cannot read it", path) : len ? -EPIPE : 0;
}

static int send_entry(struct archive *disk, struct archive_entry *entry, struct archive *out,
		      const char *source, const char *as)
{
	char path[PATH_MAX], here[PATH_MAX];
	const char *name = sym_archive_entry_pathname(entry);
	size_t len = strlen(source);

	snprintf(here, sizeof(here), "%s", sym_archive_entry_sourcepath(entry) ?: name);
	sym_archive_read_disk_descend(disk);
	if (snprintf(path, sizeof(path), "%s%s", as, name + len) >= (int)sizeof(path))
		return complain(-ENAMETOOLONG, "%s: the path is too long", name);
	sym_archive_entry_set_pathname(entry, path);
	/* Only files of this kind have data, also if there are several links to one */
	sym_archive_entry_set_hardlink(entry, NULL);
	if (sym_archive_write_header(out, entry) < ARCHIVE_WARN)
		return -EPIPE;
	return sym_archive_entry_filetype(entry) == AE_IFREG ? copy_data(out, here) : 0;
}

static int send_all(int fd, const char *source, const char *as)
{
	struct archive *disk = sym_archive_read_disk_new(), *out = sym_archive_write_new();
	struct archive_entry *entry;
	int ret = ARCHIVE_OK, error = -ENOMEM;

	if (!disk || !out)
		goto free;
	error = 0;
	sym_archive_read_disk_set_standard_lookup(disk);
	sym_archive_write_set_format_pax_restricted(out);
	if (sym_archive_read_disk_open(disk, source) != ARCHIVE_OK)
		error = complain(-EIO, "%s: %s", source, sym_archive_error_string(disk));
	if (!error && sym_archive_write_open_fd(out, fd) != ARCHIVE_OK)
		error = complain(-EIO, "%s", sym_archive_error_string(out));
	while (!error && (ret = sym_archive_read_next_header(disk, &entry)) >= ARCHIVE_WARN &&
	       ret != ARCHIVE_EOF)
		error = send_entry(disk, entry, out, source, as);
	if (!error && ret != ARCHIVE_EOF)
		error = complain(-EIO, "%s: %s", source, sym_archive_error_string(disk));
	if (!error && sym_archive_write_close(out) != ARCHIVE_OK)
		error = -EPIPE;
free:
	sym_archive_write_free(out);
	sym_archive_read_free(disk);
	return error;
}

static int to_guest(const char *path, const struct place *to)
{
	char into[PATH_MAX], as[PATH_MAX], source[PATH_MAX];
	char *argv[] = { "tar", "-x", "-p", "-o", "-f", "-", "-C", into, NULL };
	int ends[2], folder, error, status;
	struct stat st;
	pid_t pid;

	if (lstat(path, &st))
		return complain(EXIT_FAILED, "%s: %s", path, strerror(errno));
	folder = is_folder(to->name, to->path);
	if (folder < 0)
		return EXIT_FAILED;
	snprintf(source, sizeof(source), "%s", path);
	for (size_t len = strlen(source); len > 1 && source[len - 1] == '/'; len--)
		source[len - 1] = '\0';
	choose_target(to->path, folder, source, into, as);
	if (pipe2(ends, O_CLOEXEC))
		return complain(EXIT_FAILED, "no pipe: %s", strerror(errno));
	pid = agent_spawn(to->name, argv, ends[0], -1, CONNECT_USEC);
	close(ends[0]);
	if (pid < 0) {
		close(ends[1]);
		return EXIT_FAILED;
	}
	/* tar says why it stops reading */
	signal(SIGPIPE, SIG_IGN);
	error = send_all(ends[1], source, as);
	close(ends[1]);
	status = wait_command(to->name, pid);
	return error || status ? EXIT_FAILED : EXIT_OK;
}

/* From the guest */

static bool is_usual(struct archive_entry *entry)
{
	mode_t type = sym_archive_entry_filetype(entry);

	return type == AE_IFREG || type == AE_IFDIR || type == AE_IFLNK;
}

/* 0, or a reported -errno */
static int take_entry(struct archive *in, struct archive_entry *entry, struct archive *disk,
		      const char *from, const char *as)
{
	const char *link = sym_archive_entry_hardlink(entry);
	char path[PATH_MAX], target[PATH_MAX];
	const void *block;
	size_t size;
	la_int64_t at;
	int ret;

	if (!rename_top(path, sym_archive_entry_pathname(entry), from, as) ||
	    (link && !rename_top(target, link, from, as)))
		return complain(-EPROTO, "the guest sends another file than the one that was asked for");
	if (!link && !is_usual(entry))
		return complain(0, "%s: no file, folder or link, and left out", path);
	sym_archive_entry_set_pathname(entry, path);
	if (link)
		sym_archive_entry_set_hardlink(entry, target);
	sym_archive_entry_set_perm(entry, sym_archive_entry_perm(entry) & MODE_MASK);
	if (sym_archive_write_header(disk, entry) != ARCHIVE_OK)
		return complain(-EIO, "%s: %s", path, sym_archive_error_string(disk));
	while ((ret = sym_archive_read_data_block(in, &block, &size, &at)) == ARCHIVE_OK)
		if (sym_archive_write_data_block(disk, block, size, at) < 0)
			return complain(-EIO, "%s: %s", path, sym_archive_error_string(disk));
	if (ret != ARCHIVE_EOF || sym_archive_write_finish_entry(disk) != ARCHIVE_OK)
		return complain(-EIO, "%s: the copy is not whole", path);
	return 0;
}

/* The working directory is where it goes. The end of the stream without a file is tar's failure */
static int take_all(int fd, const char *from, const char *as)
{
	struct archive *in = sym_archive_read_new(), *disk = sym_archive_write_disk_new();
	struct archive_entry *entry;
	int ret = ARCHIVE_OK, error = in && disk ? 0 : -ENOMEM;

	if (error)
		goto free;
	sym_archive_write_disk_set_options(disk, EXTRACT_FLAGS);
	sym_archive_read_support_format_tar(in);
	sym_archive_read_support_format_empty(in);
	if (sym_archive_read_open_fd(in, fd, BLOCK) != ARCHIVE_OK)
		error = complain(-EIO, "%s", sym_archive_error_string(in));
	while (!error && (ret = sym_archive_read_next_header(in, &entry)) >= ARCHIVE_WARN &&
	       ret != ARCHIVE_EOF)
		error = take_entry(in, entry, disk, from, as);
	if (!error && ret != ARCHIVE_EOF)
		error = complain(-EIO, "what the guest sends is no tar archive: %s",
				 sym_archive_error_string(in));
	if (sym_archive_write_close(disk) != ARCHIVE_OK && !error)
		error = complain(-EIO, "%s", sym_archive_error_string(disk));
free:
	sym_archive_write_free(disk);
	sym_archive_read_free(in);
	return error;
}

static int from_guest(const struct place *from, const char *path)
{
	char into[PATH_MAX], as[PATH_MAX], source[PATH_MAX], folder[PATH_MAX], name[PATH_MAX];
	char *argv[] = { "tar", "-c", "-f", "-", "-C", folder, "--", name, NULL };
	int ends[2], error, status;
	struct stat st;
	pid_t pid;

	snprintf(source, sizeof(source), "%s", from->path);
	snprintf(name, sizeof(name), "%s", basename(source));
	snprintf(source, sizeof(source), "%s", from->path);
	snprintf(folder, sizeof(folder), "%s", dirname(source));
	choose_target(path, !stat(path, &st) && S_ISDIR(st.st_mode), name, into, as);
	if (!strcmp(name, "/") || !strcmp(as, "/"))
		return complain(EXIT_FAILED, "/: a whole root cannot be copied; name what is in it");
	if (pipe2(ends, O_CLOEXEC))
		return complain(EXIT_FAILED, "no pipe: %s", strerror(errno));
	pid = agent_spawn(from->name, argv, -1, ends[1], CONNECT_USEC);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return EXIT_FAILED;
	}
	error = chdir(into) ? complain(-errno, "%s: %s", into, strerror(errno)) :
			      take_all(ends[0], name, as);
	close(ends[0]);
	status = wait_command(from->name, pid);
	return error || status ? EXIT_FAILED : EXIT_OK;
}

static int run(const struct options *options, char **args)
{
	struct place from, to;

	parse(&from, args[0]);
	parse(&to, args[1]);
	if (!*from.name == !*to.name)
		return complain(EXIT_USAGE, "one of the two paths must be that of a guest, as NAME:PATH; see 'sigmactl cp --help'");
	if (library_load(LIBARCHIVE, library_functions))
		return EXIT_FAILED;
	return *to.name ? to_guest(from.path, &to) : from_guest(&from, to.path);
}

DEFINE_VERB(cp) = {
	.name = "cp",
	.args = "FROM TO",
	.summary = "Copy files between this machine and a guest",
	.help =
"FROM or TO is NAME:PATH, a path in the guest NAME, which begins at the home of root unless it begins\n"
"with /. A folder is copied with all that is in it. If TO is a folder, the copy goes into it, and\n"
"otherwise TO is the copy's name. Modes and times stay; the copy belongs to root in a guest, and here\n"
"to you. From a guest come files, folders and links only, and no set-user-ID bits.\n"
"\n"
"The guest needs tar. All else is as with 'sigmactl exec'.\n"
"\n"
"Examples:\n"
"  sigmactl cp demo:/var/log/syslog .\n"
"  sigmactl cp site demo:/srv/www\n",
	.nr_args = 2,
	.run = run,
};
