// SPDX-License-Identifier: GPL-2.0
/*
 * Parses the kernel's command line, and splits it as the kernel does: at blanks, except between
 * double quotes. Words after "--" are only for the next init.
 *
 * The kernel passes MODULE.NAME=VALUE on to a module that is built in. For a module in a file that
 * is left to whoever loads it, such as modprobe(8), or the program that this is a part of.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "init.h"

#define ROOT_TIMEOUT	30	/* seconds; sigmad may be starting on a busy host */
#define ROOTWAIT	180	/* seconds for "rootwait", with which the kernel waits for ever */

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* Cut the next word off *@next, without its quotes; NULL at the end */
static char *next_word(char **next)
{
	char *in = *next, *out, *word;
	bool quoted = false;

	while (blank(*in))
		in++;
	if (!*in)
		return NULL;

	for (word = out = in; *in && (quoted || !blank(*in)); in++) {
		if (*in == '"')
			quoted = !quoted;
		else
			*out++ = *in;
	}
	*next = *in ? in + 1 : in;
	*out = '\0';
	return word;
}

const char *value_of(const char *word, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(word, name, len) && word[len] == '=' ? word + len + 1 : NULL;
}

static void parse_word(struct cmdline *cmdline, char *word)
{
	const struct {
		const char *name, **value;
	} options[] = {
		{ "root",	&cmdline->root },
		{ "rootfstype",	&cmdline->fstype },
		{ "rootflags",	&cmdline->flags },
		{ "init",	&cmdline->init },
		{ "sigma.modules", &cmdline->modules },
		{ "sigma.readahead", &cmdline->readahead },
	};
	const char *value;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		value = value_of(word, options[i].name);
		if (value)
			*options[i].value = value;
	}

	value = value_of(word, "rootwait");
	if (value)
		cmdline->root_timeout = strtoul(value, NULL, 10);
	else if (!strcmp(word, "rootwait"))
		cmdline->root_timeout = ROOTWAIT;
	else if (!strcmp(word, "sigma.run") || !strcmp(word, "sigma.run=keep"))
		cmdline->run = true;
	else if (value_of(word, "sigma.share") && cmdline->nr_shares < CMDLINE_SHARES_MAX)
		cmdline->shares[cmdline->nr_shares++] = word + strlen("sigma.share=");
	else if (!strcmp(word, "sigma.tmp=host"))
		cmdline->tmp_from_host = true;
	else if (!strcmp(word, "sigma.net=dhcp"))
		cmdline->network = true;
	else if (!strcmp(word, "sigma.overlay"))
		cmdline->overlay = true;
	else if (!strcmp(word, "ro"))
		cmdline->read_only = true;
	else if (!strcmp(word, "rw"))
		cmdline->read_only = false;
	if (!strcmp(word, "sigma.run=keep"))
		cmdline->keep = true;
}

void cmdline_parse(struct cmdline *cmdline)
{
	char *next = cmdline->text;
	char *word;

	cmdline->root = NULL;
	cmdline->fstype = NULL;
	cmdline->flags = NULL;
	cmdline->init = NULL;
	cmdline->modules = NULL;
	cmdline->readahead = NULL;
	cmdline->overlay = false;
	cmdline->run = false;
	cmdline->nr_shares = 0;
	cmdline->keep = false;
	cmdline->tmp_from_host = false;
	cmdline->network = false;
	cmdline->read_only = true;
	cmdline->root_timeout = ROOT_TIMEOUT;
	cmdline->nr_parameters = 0;

	while ((word = next_word(&next)) && strcmp(word, "--")) {
		parse_word(cmdline, word);
		if (word[strcspn(word, ".=")] == '.' && cmdline->nr_parameters < PARAMETERS_MAX)
			cmdline->parameters[cmdline->nr_parameters++] = word;
	}
}

/* Of a module's name, '-' and '_' are the same */
static char folded(char c)
{
	return c == '-' ? '_' : c;
}

/* The parameter of a word for the module whose file is @name, or NULL if it is for another one */
static const char *parameter_of(const char *word, const char *name)
{
	for (; *word != '.' && *name && *name != '.'; word++, name++)
		if (folded(*word) != folded(*name))
			return NULL;
	return *word == '.' && (!*name || *name == '.') ? word + 1 : NULL;
}

void cmdline_parameters(const struct cmdline *cmdline, const char *path, char out[CMDLINE_MAX])
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t len = 0;

	out[0] = '\0';
	for (unsigned int i = 0; i < cmdline->nr_parameters; i++) {
		const char *word = parameter_of(cmdline->parameters[i], name);
		/* A value with a blank has lost its quotes */
		const char *quote = word && strpbrk(word, " \t\n") ? "\"" : "";

		if (word && len + strlen(word) + sizeof("\"\" ") <= CMDLINE_MAX)
			len += sprintf(out + len, "%s%s%s ", quote, word, quote);
	}
}
