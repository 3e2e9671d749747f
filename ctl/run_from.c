// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl run --from=FILE -- CMD: has the agent of a guest that has booted already, a copy of one that was
 * saved, run the program. All that the guest has done since it was saved is forgotten afterwards.
 *
 * As with other guests of 'run', sigmad stops the guest when this process ends (run_life.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../common/savefile.h"
#include "ctl.h"
#include "run_command.h"

#define WAKE_TIMEOUT	(60 * USEC_PER_SEC)
#define AGENT_TIMEOUT	(10 * USEC_PER_SEC)

/* Is it the file of a guest? Return: a descriptor of its beginning, or a reported -errno */
static int open_file(const char *path)
{
	char why[SAVE_WHY_MAX];
	struct save_head head;
	int fd = open(path, O_RDONLY | O_CLOEXEC), error;

	if (fd < 0)
		return complain(-errno, "run: --from=%s: cannot be read: %s", path, strerror(errno));
	error = save_head_read(fd, &head, why);
	if (error)
		complain(0, "run: --from=%s: %s", path, why);
	else if (lseek(fd, 0, SEEK_SET))
		error = complain(-errno, "run: --from=%s: cannot be read: %s", path, strerror(errno));
	if (!error)
		return fd;
	close(fd);
	return error;
}

static int in_guest(const struct run_options *options, const struct run_life *life, struct run_steps *steps,
		    struct agent_end *end)
{
	bool refused;
	int socket;

	if (wake_guest(life->name, WAKE_TIMEOUT, &refused))
		return -EIO;
	run_step(steps, life->name, "it is awake");
	socket = agent_connect(life->name, clock_deadline(AGENT_TIMEOUT));
	if (socket < 0)
		return socket;
	run_step(steps, life->name, "its agent answers");
	return run_program(options, NULL, life->name, socket, "/", end);
}

int run_from(const struct run_options *options, struct agent_end *end)
{
	const uint64_t now = clock_now(CLOCK_MONOTONIC);
	struct run_steps steps = { .verbose = options->verbose, .begun = now, .last = now };
	struct run_life life = { .caller = -1 };
	int fd, error;

	if (options->name)
		snprintf(life.name, sizeof(life.name), "%s", options->name);
	else if (run_life_name(&life, "run"))
		return RUN_FAILED;
	fd = open_file(options->from);
	if (fd < 0)
		return RUN_FAILED;
	error = run_life_restore(&life, fd);
	close(fd);
	if (error)
		return RUN_FAILED;
	run_step(&steps, life.name, "CPUs and memory are lent, and it is there");
	error = in_guest(options, &life, &steps, end);
	if (!error)
		run_step(&steps, life.name, "the program has ended");
	else if (!end->timed_out)
		run_life_report(&life);
	/* It need not switch itself off: nothing of it stays */
	if (!run_life_give_back(&life, false))
		return RUN_FAILED;
	run_step(&steps, life.name, "CPUs and memory are back");
	return error && !end->timed_out ? RUN_FAILED : 0;
}
