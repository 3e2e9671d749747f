// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl edit. The editor works on a copy, in a new folder beside the file, so that one rename()
 * can replace the file. The parser of guest files checks the copy before. A copy that can't replace
 * the file is kept, and a message names it: no edit is ever lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl.h"
#include "sample.h"

#define FILE_MODE 0644

/**
 * struct edit - an edit of a guest file
 * @name: of the guest
 * @file: the guest file, with symbolic links resolved
 * @dir: folder of the copy
 * @copy: the copy
 * @before: contents of @file before the edit; NULL: there was no file
 */
struct edit {
	const char *name;
	char file[PATH_MAX];
	char dir[PATH_MAX + 16];
	char copy[PATH_MAX + 16 + SIGMA_NAME_MAX + sizeof(GUEST_SUFFIX)];
	char *before;
};

/* Read a file of at most GUESTFILE_MAX bytes; NULL with errno */
static char *read_all(const char *path)
{
	char *text = calloc(1, GUESTFILE_MAX + 2);
	FILE *f = fopen(path, "re");
	int error = 0;

	if (f && text && fread(text, 1, GUESTFILE_MAX + 1, f) > GUESTFILE_MAX)
		error = EFBIG;
	else if (!f || !text || ferror(f))
		error = !text ? ENOMEM : errno ?: EIO;
	if (f)
		fclose(f);
	if (!error)
		return text;
	free(text);
	errno = error;
	return NULL;
}

/* Write the copy, with the owner and mode of the file that it will replace; 0 or -errno */
static int write_copy(const struct edit *edit)
{
	const char *text = edit->before ?: GUESTFILE_SAMPLE;
	struct stat st = { .st_mode = FILE_MODE };
	int fd, error = 0;
	FILE *f;

	if (edit->before && stat(edit->file, &st))
		return -errno;
	fd = open(edit->copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if ((edit->before && fchown(fd, st.st_uid, st.st_gid)) || fchmod(fd, st.st_mode & 07777))
		error = -errno;
	f = fdopen(fd, "w");
	if (!f) {
		error = -errno;
		close(fd);
		return error;
	}
	fputs(text, f);
	if (fclose(f) && !error)
		error = -errno;
	return error;
}

static void remove_copy(const struct edit *edit)
{
	unlink(edit->copy);
	rmdir(edit->dir);
}

/* Find the guest file and make the copy; 0 or a reported -errno */
static int begin(struct edit *edit)
{
	char path[sizeof(GUEST_FILES) + SIGMA_NAME_MAX + sizeof(GUEST_SUFFIX)], folder[PATH_MAX];
	int error;

	snprintf(path, sizeof(path), GUEST_FILES "/%s" GUEST_SUFFIX, edit->name);
	if (!realpath(path, edit->file))
		strcpy(edit->file, path);
	edit->before = read_all(edit->file);
	if (!edit->before && errno != ENOENT)
		return complain(-errno, "%s: cannot read it: %s", edit->file, strerror(errno));

	strcpy(folder, edit->file);
	snprintf(edit->dir, sizeof(edit->dir), "%s/.edit-XXXXXX", dirname(folder));
	if (!mkdtemp(edit->dir))
		return complain(-errno, "%s: cannot make a copy beside it: %s%s", edit->file,
				strerror(errno), errno == EACCES ? "; be root" :
				errno == ENOENT ? "; as root, mkdir " GUEST_FILES : "");
	snprintf(edit->copy, sizeof(edit->copy), "%s/%s" GUEST_SUFFIX, edit->dir, edit->name);
	error = write_copy(edit);
	if (error) {
		complain(0, "%s: cannot write it: %s", edit->copy, strerror(-error));
		remove_copy(edit);
	}
	return error;
}

static const char *editor(void)
{
	static const char * const names[] = { "VISUAL", "EDITOR" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return value;
	}
	/* Debian's editor that the administrator chooses, or the one of POSIX */
	return access("/usr/bin/editor", X_OK) ? "vi" : "editor";
}

/* Run the editor; $EDITOR may contain arguments, as other programs allow. 0 or a reported -errno */
static int run_editor(const struct edit *edit)
{
	char command[PATH_MAX];
	char *argv[] = { "sh", "-c", command, "sh", (char *)edit->copy, NULL };
	int error, how;
	pid_t pid;

	if (snprintf(command, sizeof(command), "%s \"$1\"", editor()) >= (int)sizeof(command))
		return complain(-E2BIG, "$VISUAL or $EDITOR is too long");
	error = posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ);
	if (error)
		return complain(-error, "cannot run a shell for the editor: %s", strerror(error));
	if (waitpid(pid, &how, 0) < 0)
		return complain(-errno, "cannot wait for the editor: %s", strerror(errno));
	if (!WIFEXITED(how) || WEXITSTATUS(how))
		return complain(-ECANCELED, "the editor, %s, failed; name another one with $EDITOR",
				editor());
	return 0;
}

static bool wants_again(void)
{
	char answer[16];

	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return false;
	fputs("Edit it again? [Y/n] ", stderr);
	return fgets(answer, sizeof(answer), stdin) && !strchr("nN", answer[0]);
}

/* Edit until the parser accepts the copy; 0, or a reported -errno if the person gives up */
static int edit_copy(const struct edit *edit)
{
	int error;

	do {
		struct guest_config config;

		error = run_editor(edit);
		if (error)
			return error;
		error = guestfile_load(&config, edit->copy);
		if (!error)
			guestfile_free(&config);
	} while (error && wants_again());
	return error;
}

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* Replace the file with the copy; an exit status */
static int put_in_place(const struct edit *edit)
{
	struct guest_view guest;
	char *now = read_all(edit->file);
	bool changed = !same(now, edit->before);

	free(now);
	if (changed)
		return complain(EXIT_FAILED, "%s: somebody else has changed it meanwhile; yours is kept as %s",
				edit->file, edit->copy);
	if (rename(edit->copy, edit->file))
		return complain(EXIT_FAILED, "%s: cannot replace it: %s; yours is kept as %s",
				edit->file, strerror(errno), edit->copy);
	remove_copy(edit);
	printf("%s: written%s\n", edit->file, guest_view(&guest, edit->name) ? "" :
	       "; the guest that runs has it from its next start on");
	return EXIT_OK;
}

static int finish(const struct edit *edit, int error)
{
	char *after = read_all(edit->copy);
	const char *before = edit->before ?: GUESTFILE_SAMPLE;
	bool changed = after && strcmp(after, before);
	int status = EXIT_OK;

	if (!changed) {
		complain(0, "%s: nothing was changed", edit->file);
		remove_copy(edit);
		status = error ? EXIT_FAILED : EXIT_OK;
	} else if (error) {
		status = complain(EXIT_FAILED, "%s: left as it was; yours is kept as %s",
				  edit->file, edit->copy);
	} else {
		status = put_in_place(edit);
	}
	free(after);
	return status;
}

static int run(const struct options *options, char **args)
{
	struct edit edit = { .name = args[0] };
	int status;

	if (!guestfile_name_valid(edit.name, strlen(edit.name)))
		return guest_check(edit.name);
	status = begin(&edit) ? EXIT_FAILED : finish(&edit, edit_copy(&edit));
	free(edit.before);
	return status;
}

DEFINE_VERB(edit) = {
	.name = "edit",
	.args = "NAME",
	.summary = "Edit a guest's file, or write a new one",
	.help =
"$VISUAL or $EDITOR opens a copy of /etc/sigma/NAME.guest. If there is no such file yet, the copy\n"
"begins as an example. Afterwards the copy is checked as 'sigmactl start' would. A copy without\n"
"mistakes replaces the file. If there is a mistake, file, line, reason and remedy are shown, the\n"
"file stays as it was, and the copy is kept. A guest that runs uses the new file from its next\n"
"start on.\n"
"\n"
"Examples:\n"
"  sigmactl edit demo\n"
"  EDITOR='sed -i s/Memory=.*/Memory=1G/' sigmactl edit demo\n",
	.nr_args = 1,
	.run = run,
};
