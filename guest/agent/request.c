// SPDX-License-Identifier: GPL-2.0
/* Collects what the host says about the program: see agent.h. */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"

static int add_string(struct request *request, struct strings *strings, const uint8_t *text,
		      size_t size)
{
	char **larger;

	if (memchr(text, '\0', size) || strings->nr == AGENT_STRINGS_MAX ||
	    request->bytes + size > AGENT_STRINGS_SIZE_MAX)
		return -EPROTO;
	if (strings->nr + 1 >= strings->room) {
		larger = reallocarray(strings->string, strings->room + 256, sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		strings->string = larger;
		strings->room += 256;
	}
	strings->string[strings->nr] = strndup((const char *)text, size);
	if (!strings->string[strings->nr])
		return -ENOMEM;
	request->bytes += size;
	strings->string[++strings->nr] = NULL;
	return 0;
}

static int set_string(char **string, const uint8_t *text, size_t size)
{
	if (!size || size >= PATH_MAX || memchr(text, '\0', size))
		return -EPROTO;
	free(*string);
	*string = strndup((const char *)text, size);
	return *string ? 0 : -ENOMEM;
}

static int set_user(struct request *request, const uint8_t *text, size_t size,
		    char why[REASON_MAX])
{
	char *spec = NULL;
	int error = set_string(&spec, text, size);

	if (!error)
		error = user_find(&request->user, spec, why);
	request->has_user = !error;
	free(spec);
	return error;
}

static int set_ids(struct request *request, const uint8_t *payload, size_t size)
{
	uint32_t id[2 + AGENT_GROUPS_MAX];
	unsigned int nr = size / sizeof(*id);

	if (size % sizeof(*id) || nr < 2 || size > sizeof(id))
		return -EPROTO;
	memcpy(id, payload, size);
	for (unsigned int i = 0; i < nr; i++) {
		id[i] = le32toh(id[i]);
		if (id[i] == UINT32_MAX)
			return -EPROTO;
	}
	user_from_ids(&request->user, id[0], id[1], id + 2, nr - 2);
	request->has_user = true;
	return 0;
}

static int set_umask(struct request *request, const uint8_t *payload, size_t size)
{
	uint32_t mask;

	if (size != sizeof(mask))
		return -EPROTO;
	memcpy(&mask, payload, sizeof(mask));
	mask = le32toh(mask);
	if (mask & ~0777U)
		return -EPROTO;
	request->umask = mask;
	request->has_umask = true;
	return 0;
}

static int set_limit(struct request *request, const uint8_t *payload, size_t size)
{
	struct agent_limit limit;
	uint32_t resource;

	if (size != sizeof(limit))
		return -EPROTO;
	memcpy(&limit, payload, sizeof(limit));
	resource = le32toh(limit.resource);
	if (resource >= RLIM_NLIMITS)
		return -EPROTO;
	request->limit[resource] = (struct rlimit) {
		.rlim_cur = le64toh(limit.soft), .rlim_max = le64toh(limit.hard),
	};
	request->has_limit[resource] = true;
	return 0;
}

static int set_terminal(struct request *request, const uint8_t *payload, size_t size)
{
	struct agent_terminal *terminal = &request->terminal;

	if (size != sizeof(*terminal))
		return -EPROTO;
	memcpy(terminal, payload, sizeof(*terminal));
	terminal->streams = le32toh(terminal->streams);
	terminal->input = le32toh(terminal->input);
	terminal->output = le32toh(terminal->output);
	terminal->control = le32toh(terminal->control);
	terminal->local = le32toh(terminal->local);
	if (terminal->streams >> AGENT_TTY)
		return -EPROTO;
	request->has_terminal = true;
	return 0;
}

static int set_start(struct request *request, const uint8_t *payload, size_t size)
{
	struct agent_start *start = &request->start;

	if (size != sizeof(*start))
		return -EPROTO;
	memcpy(start, payload, sizeof(*start));
	start->flags = le32toh(start->flags);
	start->ignored = le64toh(start->ignored);
	if (start->flags & ~AGENT_START_FLAGS ||
	    (!request->arg.nr && !(start->flags & AGENT_START_SHELL)))
		return -EPROTO;
	if (!request->has_user)
		return user_find(&request->user, "root", (char[REASON_MAX]){}) ?: 1;
	return 1;
}

int request_take(struct request *request, unsigned int type, const uint8_t *payload, size_t size,
		 char why[REASON_MAX])
{
	switch (type) {
	case AGENT_ARG:
		return add_string(request, &request->arg, payload, size);
	case AGENT_ENV:
		if (!memchr(payload, '=', size))
			return -EPROTO;
		return add_string(request, &request->env, payload, size);
	case AGENT_WORKDIR:
		return set_string(&request->workdir, payload, size);
	case AGENT_USER:
		return set_user(request, payload, size, why);
	case AGENT_IDS:
		return set_ids(request, payload, size);
	case AGENT_UMASK:
		return set_umask(request, payload, size);
	case AGENT_LIMIT:
		return set_limit(request, payload, size);
	case AGENT_TERMINAL:
		return set_terminal(request, payload, size);
	case AGENT_START:
		return set_start(request, payload, size);
	default:
		return -EPROTO;
	}
}

static void free_strings(struct strings *strings)
{
	for (unsigned int i = 0; i < strings->nr; i++)
		free(strings->string[i]);
	free(strings->string);
}

void request_free(struct request *request)
{
	free_strings(&request->arg);
	free_strings(&request->env);
	free(request->workdir);
}
