// SPDX-License-Identifier: GPL-2.0
/* What the agent is told about a program: see agent.h. */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "agent.h"

static int send_text(struct relay *relay, enum agent_type type, const char *text)
{
	int error = relay_send_wait(relay, type, text, strlen(text));

	return error == -EMSGSIZE ? -E2BIG : error;
}

static int send_texts(struct relay *relay, enum agent_type type, char *const *text)
{
	int error = 0;

	for (; text && *text && !error; text++)
		error = send_text(relay, type, *text);
	return error;
}

static int send_user(struct relay *relay, const struct agent_program *program)
{
	uint32_t id[2 + AGENT_GROUPS_MAX];

	if (!program->ids)
		return program->user ? send_text(relay, AGENT_USER, program->user) : 0;
	if (program->nr_ids > sizeof(id) / sizeof(*id))
		return -E2BIG;
	for (unsigned int i = 0; i < program->nr_ids; i++)
		id[i] = htole32(program->ids[i]);
	return relay_send_wait(relay, AGENT_IDS, id, program->nr_ids * sizeof(*id));
}

static int send_limits(struct relay *relay)
{
	int error = 0;

	for (unsigned int i = 0; i < RLIM_NLIMITS && !error; i++) {
		struct agent_limit limit = { .resource = htole32(i) };
		struct rlimit here;

		if (getrlimit(i, &here))
			continue;
		limit.soft = htole64(here.rlim_cur);
		limit.hard = htole64(here.rlim_max);
		error = relay_send_wait(relay, AGENT_LIMIT, &limit, sizeof(limit));
	}
	return error;
}

static int send_terminal(struct relay *relay, const struct agent_terminal_here *here)
{
	struct agent_terminal terminal = { .streams = htole32(here->streams) };

	agent_terminal_size(here, &terminal.size);
	if (here->has_mode) {
		terminal.input = htole32(here->before.c_iflag);
		terminal.output = htole32(here->before.c_oflag);
		terminal.control = htole32(here->before.c_cflag);
		terminal.local = htole32(here->before.c_lflag);
		memcpy(terminal.chars, here->before.c_cc, sizeof(terminal.chars));
	}
	return relay_send_wait(relay, AGENT_TERMINAL, &terminal, sizeof(terminal));
}

int agent_send_request(struct relay *relay, const struct agent_program *program,
		       const struct agent_terminal_here *terminal, uint64_t ignored)
{
	const struct agent_start start = {
		.flags = htole32((program->shell ? AGENT_START_SHELL : 0) |
				 (program->bare ? AGENT_START_BARE : 0)),
		.ignored = htole64(ignored),
	};
	uint32_t mask = htole32(program->umask);
	int error;

	error = send_texts(relay, AGENT_ARG, program->argv);
	if (!error)
		error = send_texts(relay, AGENT_ENV, program->env);
	if (!error && program->workdir)
		error = send_text(relay, AGENT_WORKDIR, program->workdir);
	if (!error)
		error = send_user(relay, program);
	if (!error && program->umask >= 0)
		error = relay_send_wait(relay, AGENT_UMASK, &mask, sizeof(mask));
	if (!error && program->limits)
		error = send_limits(relay);
	if (!error && terminal)
		error = send_terminal(relay, terminal);
	return error ?: relay_send_wait(relay, AGENT_START, &start, sizeof(start));
}
