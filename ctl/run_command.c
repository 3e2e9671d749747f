// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl run -- CMD: starts a guest whose root is the host's, has its agent run the program as if
 * it were a process of the host, and gives everything back.
 *
 * When this process ends in whatever way, sigmad stops the guest (run_life.c). So before the program
 * runs, signals have their usual effect.
 * Afterwards agent_run() passes them on. When the program has ended, so does the agent, and the guest
 * ends all other programs, writes what it has not written yet, and switches itself off.
 */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"
#include "cache.h"
#include "ctl.h"
#include "run_command.h"
#include "run_root.h"

#define AGENT_TIMEOUT	(120 * USEC_PER_SEC)	/* from the driver to the agent */
#define GRACE		(10 * USEC_PER_SEC)	/* for the program, once its time is over */

/**
 * struct run - one run, as root
 * @root: what --rootfs= names
 * @cache: descriptor of the list that --cache= names; -1: none
 */
struct run {
	struct run_options options;
	struct run_life life;
	struct run_root root;
	int cache;
	struct run_steps steps;
};

void run_step(struct run_steps *steps, const char *name, const char *what)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC);

	if (steps->verbose)
		fprintf(stderr, "sigmactl: %s: %6llu ms (+%llu): %s\n", name,
			(unsigned long long)(now - steps->begun) / 1000,
			(unsigned long long)(now - steps->last) / 1000, what);
	steps->last = now;
}

static void tell_step(struct run *run, const char *what)
{
	run_step(&run->steps, run->life.name, what);
}

/* With --keep, sigmad does not wait for this process any more, and nor does its broker */
static bool let_go(struct run_life *life)
{
	bool done = write(life->caller, "\0", 2) == 2;

	close(life->caller);
	if (done)
		complain(0, "%s: goes on; 'sigmactl exec %s -- CMD' runs more in it, 'sigmactl stop %s' ends it",
			 life->name, life->name, life->name);
	return done;
}

/* The program */

/* UID, GID and groups of this process; their number, or a reported -errno */
static int read_ids(uint32_t **ids)
{
	int nr = getgroups(0, NULL);

	*ids = nr < 0 ? NULL : calloc(nr + 2, sizeof(**ids));
	if (!*ids)
		return complain(-ENOMEM, "run: out of memory");
	(*ids)[0] = getuid();
	(*ids)[1] = getgid();
	nr = getgroups(nr, *ids + 2);
	return nr < 0 ? complain(-errno, "run: cannot read its groups: %s", strerror(errno)) : nr + 2;
}

/* As podman(1) does: the image says who and where */
static void take_image(const struct image *image, struct agent_program *program)
{
	program->bare = false;
	program->ids = NULL;
	program->nr_ids = 0;
	program->umask = -1;
	program->user = image->user;
	program->workdir = image->workdir ?: "/";
	if (!*program->argv)
		program->argv = image->argv;
}

int run_program(const struct run_options *options, const struct image *image, const char *name,
		int socket, const char *workdir, struct agent_end *end)
{
	const mode_t mask = umask(0);
	struct agent_program program = {
		.argv = options->command, .bare = true, .workdir = workdir, .umask = mask,
		.limits = true, .tty = AGENT_TTY_AUTO, .last = !options->keep,
		.timeout = options->timeout, .grace = GRACE,
	};
	char **env;
	uint32_t *ids;
	int error, nr;

	umask(mask);
	nr = read_ids(&ids);
	if (nr < 0) {
		close(socket);
		return nr;
	}
	program.ids = ids;
	program.nr_ids = nr;
	if (image)
		take_image(image, &program);
	env = run_env_join(options, image ? image->env : NULL);
	program.env = env;
	if (env) {
		error = agent_run(name, socket, &program, end);
	} else {
		close(socket);
		error = -ENOMEM;
	}
	free(env);
	free(ids);
	return error;
}

/* Without it the program is slower, and no more */
static void fill_cache(struct run *run)
{
	const int out = run->options.verbose ? STDERR_FILENO : -1;

	if (run->cache < 0)
		return;
	if (cache_load(run->life.name, run->cache, out, AGENT_TIMEOUT))
		complain(0, "%s: begins without the cache of %s", run->life.name, run->options.cache);
	else
		tell_step(run, "its page cache is filled");
}

/* Return: 0 or a reported -errno */
static int start(struct run *run)
{
	char *text = run_guest_text(&run->options, run_guest_memory());
	int error = text ? run_life_start(&run->life, text, NULL) : -ENOMEM;

	free(text);
	return error;
}

static int in_guest(struct run *run, const char *workdir, struct agent_end *end)
{
	int socket, error = run_life_wait(&run->life);

	if (error)
		return error;
	tell_step(run, "its driver is up");
	fill_cache(run);
	socket = agent_connect(run->life.name, clock_deadline(AGENT_TIMEOUT));
	if (socket < 0)
		return socket;
	tell_step(run, "its agent answers");
	return run_program(&run->options, run->root.has_image ? &run->root.image : NULL,
			   run->life.name, socket, workdir, end);
}

/* Return: the exit status, unless @end has another one: 0 */
static int do_run(struct run *run, const char *workdir, struct agent_end *end)
{
	int error = start(run);

	if (error)
		return RUN_FAILED;
	tell_step(run, "CPUs and memory are lent, and its kernel begins");
	error = in_guest(run, workdir, end);
	if (error)
		run_life_report(&run->life);
	else
		tell_step(run, "the program has ended");
	if (!error && run->options.keep)
		return let_go(&run->life) ? 0 : RUN_FAILED;
	if (!run_life_give_back(&run->life, !error))
		return RUN_FAILED;
	tell_step(run, "CPUs and memory are back");
	return error && !end->timed_out ? RUN_FAILED : 0;
}

/* The root, and, with an image, its program. 0, or a reported -errno */
static int open_root(struct run *run)
{
	int error;

	if (!strcmp(run->options.root, "/")) {
		run_root_remove_left();
		return 0;
	}
	error = run_root_open(&run->root, run->options.root, run->life.name);
	if (error)
		return error;
	run->options.unpacked = run->root.lock >= 0;
	if (*run->options.command || (run->root.has_image && *run->root.image.argv)) {
		run->options.root = run->root.path;
		tell_step(run, "its root is there");
		return 0;
	}
	error = complain(-EINVAL, "run: there is no command behind --, and %s has none, either; write 'sigmactl run --rootfs=%s -- CMD'",
			 run->options.root, run->options.root);
	run_root_close(&run->root, false);
	return error;
}

/* The list of --cache=. 0, or a reported -errno */
static int open_cache(struct run *run)
{
	if (!run->options.cache)
		return 0;
	if (!run->options.unchanging && !run->options.unpacked)
		return complain(-EINVAL, "run: --cache= without --unchanging: each file that is opened would be read from the host again; give --unchanging, too, if nobody changes files of the root meanwhile");
	run->cache = cache_open(run->options.cache);
	return run->cache < 0 ? run->cache : 0;
}

int run_as_root(const struct run_options *options, const char *workdir, struct agent_end *end)
{
	struct run run = {
		.options = *options, .life.caller = -1, .root.lock = -1, .cache = -1,
	};
	int status = RUN_FAILED;

	run.steps.verbose = options->verbose;
	run.steps.begun = run.steps.last = clock_now(CLOCK_MONOTONIC);
	/* These are about who has called sudo, and the guest has the rights of this process */
	unsetenv("SUDO_UID");
	unsetenv("PKEXEC_UID");
	if (options->name)
		snprintf(run.life.name, sizeof(run.life.name), "%s", options->name);
	else if (run_life_name(&run.life, "run"))
		return RUN_FAILED;
	if (open_root(&run))
		return RUN_FAILED;
	if (!open_cache(&run))
		status = do_run(&run, workdir, end);
	run_root_close(&run.root, options->keep && !status);
	if (run.cache >= 0)
		close(run.cache);
	return status;
}
