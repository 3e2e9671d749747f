// SPDX-License-Identifier: GPL-2.0
/* [Channel] of a guest file: who may open a channel, /dev/iosc/NAME/N. */
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

#include "guestparser.h"

static struct guest_channel *this_channel(struct parser *parser)
{
	return &parser->config->channel[parser->config->nr_channels - 1];
}

/* Parse @value, all of which must be a number up to @max */
static bool read_number(const char *value, int base, unsigned long max, unsigned long *number)
{
	char *end;

	errno = 0;
	*number = strtoul(value, &end, base);
	return isdigit((unsigned char)*value) && !*end && !errno && *number <= max;
}

static void set_number(struct parser *parser, const char *value)
{
	unsigned long number;

	if (!read_number(value, 10, SIGMA_CHANNELS, &number) || !number)
		wrong(parser, -EINVAL, "Number=%s: not a channel; give 1 to %u", value,
		      SIGMA_CHANNELS);
	else
		this_channel(parser)->number = number;
}

static void set_user(struct parser *parser, const char *value)
{
	const struct passwd *user = getpwnam(value);
	unsigned long number;

	if (user)
		this_channel(parser)->user = user->pw_uid;
	else if (read_number(value, 10, UINT32_MAX - 1, &number))
		this_channel(parser)->user = number;
	else
		wrong(parser, -EINVAL, "User=%s: no user of this host; make it (adduser) or correct the name",
		      value);
}

static void set_group(struct parser *parser, const char *value)
{
	const struct group *group = getgrnam(value);
	unsigned long number;

	if (group)
		this_channel(parser)->group = group->gr_gid;
	else if (read_number(value, 10, UINT32_MAX - 1, &number))
		this_channel(parser)->group = number;
	else
		wrong(parser, -EINVAL, "Group=%s: no group of this host; make it (addgroup) or correct the name",
		      value);
}

static void set_mode(struct parser *parser, const char *value)
{
	unsigned long mode;

	if (read_number(value, 8, 0666, &mode) && !(mode & 0111))
		this_channel(parser)->mode = mode;
	else
		wrong(parser, -EINVAL, "Mode=%s: not permissions to read and write, in octal; write it like 0660",
		      value);
}

const struct guest_key guest_channel_keys[SECTION_KEYS_MAX] = {
	{ "Number", set_number, KEY_ONCE },
	{ "User", set_user, KEY_ONCE },
	{ "Group", set_group, KEY_ONCE },
	{ "Mode", set_mode, KEY_ONCE },
};

void guest_channels_finish(struct parser *parser)
{
	const struct guest_config *config = parser->config;

	for (unsigned int i = 0; i < config->nr_channels; i++) {
		const struct guest_channel *channel = &config->channel[i];

		if (!channel->number)
			guestfile_mistake(parser, channel->line, -EINVAL,
					  "a [Channel] without Number=; say which one, 1 to %u",
					  SIGMA_CHANNELS);
		for (unsigned int j = 0; channel->number && j < i; j++)
			if (config->channel[j].number == channel->number)
				guestfile_mistake(parser, channel->line, -EINVAL,
						  "the same Number= as that of the [Channel] in line %u; change one",
						  config->channel[j].line);
	}
}
