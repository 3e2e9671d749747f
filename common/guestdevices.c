// SPDX-License-Identifier: GPL-2.0
/*
 * Devices in a guest's configuration. Each device has a slot among those of its kind. The slot
 * is free again when the device is removed. The devices of the guest file get their slots when
 * the sections are read. A hotplugged device has the same keys and rules, but no section.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guestfile.h"
#include "guestparser.h"
#include "log.h"

#define COUNT(array)	(sizeof(array) / sizeof(*(array)))

/**
 * struct kind - a kind of device, and where the configuration has its devices
 * @section: of the guest file
 * @word: name of one device, for people
 * @several: name of several devices, for people
 * @array: offset of the first device in struct guest_config
 * @size: bytes of each device
 * @nr: offset in struct guest_config of the number of slots up to the last device
 * @keys: offset of a device's keys in the device
 * @line: offset of a device's line in the device
 * @max: number of slots
 * @reset: free what the device in a slot has beside its keys, and set its defaults
 * @finish: check each new device of this kind
 */
struct kind {
	enum section section;
	const char *word, *several;
	size_t array, size, nr, keys, line;
	unsigned int max;
	void (*reset)(struct guest_config *config, unsigned int slot);
	void (*finish)(struct parser *parser);
};

#define RESET(name, member, ...)							\
static void reset_##member(struct guest_config *config, unsigned int slot)		\
{											\
	guest_##member##_reset(&config->member[slot]);					\
}
GUEST_DEVICES(RESET)

#define ROW(name, member, section_, word_, several_)					\
	[GUEST_##name] = {								\
		.section = SECTION_##name, .word = word_, .several = several_,		\
		.array = offsetof(struct guest_config, member),				\
		.size = sizeof(struct guest_##member),					\
		.nr = offsetof(struct guest_config, nr_##member##s),			\
		.keys = offsetof(struct guest_##member, keys),				\
		.line = offsetof(struct guest_##member, line),				\
		.max = COUNT(((struct guest_config *)0)->member),			\
		.reset = reset_##member, .finish = guest_##member##_finish,		\
	},
static const struct kind kinds[GUEST_DEVICE_KINDS] = { GUEST_DEVICES(ROW) };

static void *device_at(const struct guest_config *config, enum guest_device kind,
		       unsigned int slot)
{
	return (char *)config + kinds[kind].array + slot * kinds[kind].size;
}

static unsigned int *line_of(const struct guest_config *config, enum guest_device kind,
			     unsigned int slot)
{
	return (void *)((char *)device_at(config, kind, slot) + kinds[kind].line);
}

static unsigned int *slots_of(const struct guest_config *config, enum guest_device kind)
{
	return (void *)((char *)config + kinds[kind].nr);
}

enum guest_device guestdevices_kind(enum section section)
{
	for (size_t kind = GUEST_NO_DEVICE + 1; kind < GUEST_DEVICE_KINDS; kind++)
		if (kinds[kind].section == section)
			return kind;
	return GUEST_NO_DEVICE;
}

enum guest_device guestfile_device(const char *section)
{
	for (size_t kind = GUEST_NO_DEVICE + 1; kind < GUEST_DEVICE_KINDS; kind++)
		if (!strcmp(guestfile_sections[kinds[kind].section], section))
			return kind;
	return GUEST_NO_DEVICE;
}

const char *guestfile_word(enum guest_device kind)
{
	return kinds[kind].word;
}

unsigned int guestfile_slots(const struct guest_config *config, enum guest_device kind)
{
	return *slots_of(config, kind);
}

unsigned int guestfile_line(const struct guest_config *config, enum guest_device kind,
			    unsigned int slot)
{
	return *line_of(config, kind, slot);
}

char **guestdevices_keys(struct guest_config *config, enum guest_device kind, unsigned int slot)
{
	return (void *)((char *)device_at(config, kind, slot) + kinds[kind].keys);
}

void guestdevices_finish(struct parser *parser, enum guest_device kind)
{
	kinds[kind].finish(parser);
}

bool guestdevices_new(const struct parser *parser, unsigned int slot, const char *keys)
{
	return parser->single ? slot == parser->slot : keys != NULL;
}

bool guestdevices_rivals(const struct parser *parser, unsigned int slot, unsigned int other,
			 const char *keys)
{
	return keys && (parser->single ? other != slot : other < slot);
}

struct guest_where guestdevices_where(const struct parser *parser, unsigned int line)
{
	struct guest_where where = { "which was added later" };

	if (line && parser->single)
		snprintf(where.text, sizeof(where.text), "in line %u of %.*s", line, PATH_MAX,
			 parser->config->file);
	else if (line)
		snprintf(where.text, sizeof(where.text), "in line %u", line);
	return where;
}

struct guest_place guestfile_place(const char *file, unsigned int line)
{
	struct guest_place place = { "" };

	if (line)
		snprintf(place.text, sizeof(place.text), "%.*s:%u: ", PATH_MAX, file, line);
	return place;
}

/* Put a device with the default values of its keys into the slot parser->slot; 0 or -errno */
static int take_slot(struct parser *parser, enum guest_device kind)
{
	struct guest_config *config = parser->config;
	unsigned int *nr = slots_of(config, kind);
	char *keys = strdup("");

	if (!keys)
		return -ENOMEM;
	kinds[kind].reset(config, parser->slot);
	*guestdevices_keys(config, kind, parser->slot) = keys;
	*line_of(config, kind, parser->slot) = parser->line;
	if (*nr <= parser->slot)
		*nr = parser->slot + 1;
	return 0;
}

void guestdevices_open(struct parser *parser, enum guest_device kind)
{
	parser->slot = 0;
	while (parser->slot < kinds[kind].max &&
	       *guestdevices_keys(parser->config, kind, parser->slot))
		parser->slot++;
	if (parser->slot == kinds[kind].max)
		wrong(parser, -EINVAL, "more than %u %s; %s", kinds[kind].max,
		      kinds[kind].several, parser->single ? "remove one first" :
		      "leave some out");
	else if (take_slot(parser, kind))
		wrong(parser, -ENOMEM, "no memory to read this file");
	else
		parser->skip = false;
}

/* Set the keys of a device, one "Key=value" per line */
static int take_keys(struct parser *parser, const char *keys)
{
	char *text = strdup(keys), *rest = text, *key, *value;

	if (!text)
		return -ENOMEM;
	while ((key = strsep(&rest, "\n"))) {
		if (!*key)
			continue;
		value = strchr(key, '=');
		if (value) {
			*value++ = '\0';
			guestkeys_set(parser, key, value);
		} else {
			wrong(parser, -EINVAL, "%s: no Key=value; correct it", key);
		}
	}
	free(text);
	return 0;
}

int guestfile_add(struct guest_config *config, enum guest_device kind, int slot,
		  unsigned int line, const char *keys)
{
	struct parser parser = {
		.config = config, .section = kinds[kind].section, .line = line, .single = true,
		.skip = true,
	};

	if (slot < 0) {
		guestdevices_open(&parser, kind);
		if (parser.skip)
			return parser.error;
	} else {
		parser.running = true;
		parser.slot = slot;
		if ((unsigned int)slot >= kinds[kind].max ||
		    *guestdevices_keys(config, kind, slot) || take_slot(&parser, kind))
			return log_error(-EINVAL, "slot %d of the %s is in use or does not exist",
					 slot, kinds[kind].several);
	}
	if (take_keys(&parser, keys))
		wrong(&parser, -ENOMEM, "no memory to read this file");
	if (parser.error)
		goto drop;
	guestdevices_finish(&parser, kind);
	if (!parser.error)
		return parser.slot;
drop:
	guestfile_drop(config, kind, parser.slot);
	return parser.error;
}

void guestfile_drop(struct guest_config *config, enum guest_device kind, unsigned int slot)
{
	free(*guestdevices_keys(config, kind, slot));
	kinds[kind].reset(config, slot);
}

const char *guestfile_keys(const struct guest_config *config, enum guest_device kind,
			   unsigned int slot)
{
	return *guestdevices_keys((struct guest_config *)config, kind, slot);
}

void guestdevices_drop(struct guest_config *config)
{
	for (size_t kind = GUEST_NO_DEVICE + 1; kind < GUEST_DEVICE_KINDS; kind++)
		for (unsigned int slot = 0; slot < kinds[kind].max; slot++)
			guestfile_drop(config, kind, slot);
}
