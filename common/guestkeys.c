// SPDX-License-Identifier: GPL-2.0
/*
 * The keys of a guest file. Each section has a file of its own, section_*.c, with its keys and what
 * is checked when all of them are known.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guestparser.h"

#define COUNT(array)		(sizeof(array) / sizeof(*(array)))

static_assert(SECTION_KEYS_MAX <= 8 * sizeof(((struct parser *)NULL)->seen), "a bit for each key");

#define SECTION_KEYS(name, member, ...)	[SECTION_##name] = guest_##member##_keys,

static const struct guest_key *const keys[SECTIONS] = {
	[SECTION_GUEST] = guest_itself_keys,
	GUEST_DEVICES(SECTION_KEYS)
	[SECTION_CHANNEL] = guest_channel_keys,
};

/* For each key of a section */
#define for_each_key(i, section)	\
	for (size_t i = 0; i < SECTION_KEYS_MAX && keys[section][i].name; i++)

void guestkeys_string(struct parser *parser, char **to, const char *value)
{
	*to = strdup(value);
	if (!*to)
		wrong(parser, -ENOMEM, "no memory to read this file");
}

void guestkeys_bool(struct parser *parser, const char *key, bool *to, const char *value)
{
	/* The words of systemd.syntax(7) */
	static const char *const words[2][4] = {
		{ "no", "false", "off", "0" }, { "yes", "true", "on", "1" },
	};

	for (size_t truth = 0; truth < COUNT(words); truth++) {
		for (size_t i = 0; i < COUNT(words[truth]); i++) {
			if (!strcasecmp(value, words[truth][i])) {
				*to = truth;
				return;
			}
		}
	}
	wrong(parser, -EINVAL, "%s=%s: neither yes nor no; write one of them", key, value);
}

bool guestkeys_usable(struct parser *parser, unsigned int line, const char *what, const char *path,
		      bool folder, int mode)
{
	struct stat st;

	if (*path != '/') {
		guestfile_mistake(parser, line, -EINVAL,
				  "%s%s: not an absolute path; begin it with /", what, path);
		return false;
	}
	if (parser->running)
		return true;
	if (stat(path, &st)) {
		guestfile_absent(parser, line, -errno, what, path, "make it or correct the path");
		return false;
	}
	if (folder != S_ISDIR(st.st_mode)) {
		guestfile_mistake(parser, line, -EINVAL, "%s%s: %s; correct the path", what, path,
				  folder ? "not a folder" : "a folder");
		return false;
	}
	if (!folder && !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
		guestfile_mistake(parser, line, -EINVAL,
				  "%s%s: neither a file nor a block device; correct the path",
				  what, path);
		return false;
	}
	if (access(path, mode)) {
		guestfile_mistake(parser, line, -errno,
				  "%s%s: cannot be %s: %m; change its permissions",
				  what, path, mode & W_OK ? "written" : "read");
		return false;
	}
	return true;
}

static void unknown_key(struct parser *parser, const char *name)
{
	char known[256] = "";
	size_t len = 0;

	for_each_key(i, parser->section)
		len += snprintf(known + len, sizeof(known) - len, " %s=",
				keys[parser->section][i].name);
	wrong(parser, -EINVAL, "%s=: no key of [%s]; it has%s", name,
	      guestfile_sections[parser->section], known);
}

/* Keep a device's keys as they were given; a take-over makes the device from them again */
static void keep_key(struct parser *parser, const char *name, const char *value)
{
	enum guest_device kind = guestdevices_kind(parser->section);
	char **keys, *joined;

	if (!kind)
		return;
	keys = guestdevices_keys(parser->config, kind, parser->slot);
	if (asprintf(&joined, "%s%s=%s\n", *keys, name, value) < 0) {
		wrong(parser, -ENOMEM, "no memory to read this file");
		return;
	}
	free(*keys);
	*keys = joined;
}

/* The key of a hotplugged device comes from a command line, where case does not matter */
static bool is_key(const struct parser *parser, const char *known, const char *name)
{
	return parser->single ? !strcasecmp(known, name) : !strcmp(known, name);
}

void guestkeys_set(struct parser *parser, const char *name, const char *value)
{
	for_each_key(i, parser->section) {
		const struct guest_key *key = &keys[parser->section][i];
		bool seen = parser->seen & 1U << i;

		if (!is_key(parser, key->name, name))
			continue;
		if (seen && parser->indented && key->often != KEY_CONTINUES)
			wrong(parser, -EINVAL,
			      "an indented line continues %s=, which must be one line; don't indent it",
			      name);
		else if (seen && !parser->indented && key->often != KEY_REPEATS)
			wrong(parser, -EINVAL, "%s=: given before in this section; leave one out",
			      name);
		else if (!*value)
			wrong(parser, -EINVAL, "%s=: empty; give a value or leave the line out",
			      name);
		else
			key->set(parser, value);
		keep_key(parser, key->name, value);
		parser->seen |= 1U << i;
		return;
	}
	unknown_key(parser, name);
}
