// SPDX-License-Identifier: GPL-2.0
/*
 * Devices in a guest's configuration. Each device has a slot (@place) among those of its kind. The
 * slot is free again when the device is removed. The devices of the guest file get their slots when
 * the sections are read. A hotplugged device has the same keys and rules, but no section.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guestfile.h"
#include "guestparser.h"
#include "log.h"

#define COUNT(array)	(sizeof(array) / sizeof(*(array)))

/* The section of each kind of device, and how many devices a guest may have */
static const struct {
	enum section section;
	unsigned int max;
	const char *several;
} kinds[] = {
	[GUEST_DISK] = { SECTION_DISK, GUEST_DISKS_MAX, "disks" },
	[GUEST_NET] = { SECTION_NETWORK, GUEST_NETS_MAX, "NICs" },
	[GUEST_SHARE] = { SECTION_SHARE, GUEST_SHARES_MAX, "shares" },
};

enum guest_device guestdevices_kind(enum section section)
{
	for (size_t kind = GUEST_DISK; kind < COUNT(kinds); kind++)
		if (kinds[kind].section == section)
			return kind;
	return GUEST_NO_DEVICE;
}

char **guestdevices_keys(struct guest_config *config, enum guest_device kind, unsigned int place)
{
	switch (kind) {
	case GUEST_DISK:
		return &config->disk[place].keys;
	case GUEST_NET:
		return &config->net[place].keys;
	default:
		return &config->share[place].keys;
	}
}

struct guest_place guestfile_place(const char *file, unsigned int line)
{
	struct guest_place place = { "" };

	if (line)
		snprintf(place.text, sizeof(place.text), "%.*s:%u: ", PATH_MAX, file, line);
	return place;
}

/* Put a device with the default values of its keys into the slot parser->place; 0 or -errno */
static int take_place(struct parser *parser, enum guest_device kind)
{
	struct guest_config *config = parser->config;
	unsigned int place = parser->place, *nr;
	char **keys = guestdevices_keys(config, kind, place);

	*keys = strdup("");
	if (!*keys)
		return -ENOMEM;
	switch (kind) {
	case GUEST_DISK:
		config->disk[place].direct = true;
		config->disk[place].line = parser->line;
		nr = &config->nr_disks;
		break;
	case GUEST_NET:
		config->net[place].line = parser->line;
		nr = &config->nr_nets;
		break;
	default:
		config->share[place].line = parser->line;
		nr = &config->nr_shares;
	}
	if (*nr <= place)
		*nr = place + 1;
	return 0;
}

void guestdevices_open(struct parser *parser, enum guest_device kind)
{
	parser->place = 0;
	while (parser->place < kinds[kind].max &&
	       *guestdevices_keys(parser->config, kind, parser->place))
		parser->place++;
	if (parser->place == kinds[kind].max)
		wrong(parser, -EINVAL, "more than %u %s; %s", kinds[kind].max,
		      kinds[kind].several, parser->single ? "remove one first" :
		      "leave some out");
	else if (take_place(parser, kind))
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

int guestfile_add(struct guest_config *config, enum guest_device kind, int place,
		  unsigned int line, const char *keys)
{
	struct parser parser = {
		.config = config, .section = kinds[kind].section, .line = line, .single = true,
		.skip = true,
	};

	if (place < 0) {
		guestdevices_open(&parser, kind);
		if (parser.skip)
			return parser.error;
	} else {
		parser.place = place;
		if ((unsigned int)place >= kinds[kind].max ||
		    *guestdevices_keys(config, kind, place) || take_place(&parser, kind))
			return log_error(-EINVAL, "no place for one of the %s", kinds[kind].several);
	}
	if (take_keys(&parser, keys))
		wrong(&parser, -ENOMEM, "no memory to read this file");
	if (parser.error)
		goto drop;
	guestfile_finish_devices(&parser, kind);
	if (!parser.error)
		return parser.place;
drop:
	guestfile_drop(config, kind, parser.place);
	return parser.error;
}

void guestfile_drop(struct guest_config *config, enum guest_device kind, unsigned int place)
{
	free(*guestdevices_keys(config, kind, place));
	switch (kind) {
	case GUEST_DISK:
		free(config->disk[place].path);
		free(config->disk[place].socket);
		memset(&config->disk[place], 0, sizeof(config->disk[place]));
		break;
	case GUEST_NET:
		free(config->net[place].bridge);
		free(config->net[place].address);
		memset(&config->net[place], 0, sizeof(config->net[place]));
		break;
	default:
		free(config->share[place].path);
		memset(&config->share[place], 0, sizeof(config->share[place]));
	}
}

const char *guestfile_keys(const struct guest_config *config, enum guest_device kind,
			   unsigned int place)
{
	return *guestdevices_keys((struct guest_config *)config, kind, place);
}

void guestdevices_drop(struct guest_config *config)
{
	for (size_t kind = GUEST_DISK; kind < COUNT(kinds); kind++)
		for (unsigned int place = 0; place < kinds[kind].max; place++)
			guestfile_drop(config, kind, place);
}
