// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * iosc-idl: makes C stubs of an interface, see iosc-idl(1). "capnp compile -o-" parses the file
 * (schema.c reads what it says), layout.c places the fields of messages, and emit_*.c write.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emit.h"
#include "schema.h"

#define CAPNP		"capnp"
#define INCLUDES_MAX	16
#define PIECE		65536

extern char **environ;

static const char help[] =
	"Usage: iosc-idl [OPTION]... FILE.capnp\n"
	"Make C stubs for calls over IOSC channels of the interface in FILE.capnp.\n"
	"\n"
	"  -o, --output=DIR   write NAME.h, NAME-client.h and NAME-server.h to DIR, by default to\n"
	"                     the current one; NAME is that of the interface\n"
	"  -f, --fuzz         also write NAME-fuzz.c, a fuzz target\n"
	"  -I, --include=DIR  where else \"capnp\" looks for imports\n"
	"  -h, --help\n";

/* Read all of @fd. Return: its bytes, which are the caller's */
static void *read_all(int fd, size_t *size)
{
	char *bytes = NULL;
	ssize_t piece;

	for (*size = 0;; *size += piece) {
		bytes = realloc(bytes, *size + PIECE);
		if (!bytes)
			err(EXIT_FAILURE, "memory");
		piece = read(fd, bytes + *size, PIECE);
		if (piece <= 0)
			return bytes;
	}
}

/* Run the parser, which prints its own messages, with file, line and column */
static void *parse(const char *file, char *const *includes, size_t *size)
{
	char *argv[INCLUDES_MAX + 6] = { CAPNP, "compile", "-o-" };
	posix_spawn_file_actions_t actions;
	int ends[2], status, error, count = 3;
	void *bytes;
	pid_t pid;

	while (*includes)
		argv[count++] = text("-I%s", *includes++);
	argv[count++] = (char *)file;
	if (pipe(ends))
		err(EXIT_FAILURE, "pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&actions, ends[0]);
	error = posix_spawnp(&pid, CAPNP, &actions, NULL, argv, environ);
	if (error)
		errx(EXIT_FAILURE, "%s: %s: it parses the file; install the package capnproto",
		     CAPNP, strerror(error));
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	bytes = read_all(ends[0], size);
	close(ends[0]);
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
		exit(EXIT_FAILURE);
	return bytes;
}

static void write_file(const char *folder, const struct interface *interface, const char *suffix,
		       void (*emit)(const struct interface *))
{
	char *path = text("%s/%s%s", folder, interface->name, suffix);
	FILE *stream = fopen(path, "w");

	if (!stream)
		err(EXIT_FAILURE, "%s", path);
	emit_to(stream);
	emit(interface);
	if (ferror(stream) || fclose(stream))
		err(EXIT_FAILURE, "%s", path);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "include", required_argument, NULL, 'I' },
		{ "fuzz", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ },
	};
	char *includes[INCLUDES_MAX + 2] = { SIGMA_INCLUDEDIR };
	const struct interface *interface;
	const char *folder = ".", *file;
	int option, nr_includes = 1;
	bool fuzz = false;
	size_t size;
	void *bytes;

	while ((option = getopt_long(argc, argv, "o:I:fh", options, NULL)) != -1) {
		switch (option) {
		case 'o':
			folder = optarg;
			break;
		case 'I':
			if (nr_includes > INCLUDES_MAX)
				errx(EXIT_FAILURE, "-I %s: at most %d folders", optarg,
				     INCLUDES_MAX);
			includes[nr_includes++] = optarg;
			break;
		case 'f':
			fuzz = true;
			break;
		case 'h':
			fputs(help, stdout);
			return EXIT_SUCCESS;
		default:
			fputs("Try \"iosc-idl --help\".\n", stderr);
			return EXIT_FAILURE;
		}
	}
	if (optind + 1 != argc)
		errx(EXIT_FAILURE, "give one file, whose name ends in .capnp; see --help");
	file = argv[optind];
	bytes = parse(file, includes, &size);
	interface = schema_read(file, bytes, size);
	if (!interface)
		return EXIT_FAILURE;
	write_file(folder, interface, ".h", emit_types);
	write_file(folder, interface, "-client.h", emit_client);
	write_file(folder, interface, "-server.h", emit_server);
	if (fuzz)
		write_file(folder, interface, "-fuzz.c", emit_fuzz);
	return EXIT_SUCCESS;
}
