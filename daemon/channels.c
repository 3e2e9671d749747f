// SPDX-License-Identifier: GPL-2.0
/* Owners and modes of a guest's channels: see channels.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/log.h"
#include "../common/rundir.h"
#include "channels.h"

#define CHANNELS_DIR	"/dev/iosc"
#define PATH_SIZE	(sizeof(CHANNELS_DIR) + SIGMA_NAME_MAX + 8)

static void path_of(char path[PATH_SIZE], const char *name, unsigned int number)
{
	snprintf(path, PATH_SIZE, CHANNELS_DIR "/%s/%u", name, number);
}

static int set_owner(const char *file, const char *path, const struct guest_channel *channel)
{
	/* First the owner, so that the old owner never has the new mode */
	if (!chown(path, channel->user, channel->group) && !chmod(path, channel->mode))
		return 0;
	return log_error(-errno, "%s:%u: [Channel]: cannot change owner and mode of %s: %s", file,
			 channel->line, path, strerror(errno));
}

int channels_share(const struct guest_config *config)
{
	char path[PATH_SIZE];

	for (unsigned int number = 1; number <= SIGMA_CHANNELS; number++) {
		path_of(path, config->name, number);
		rundir_share(path, GUEST_CHANNEL_MODE);
	}
	for (unsigned int i = 0; i < config->nr_channels; i++) {
		int error;

		path_of(path, config->name, config->channel[i].number);
		error = set_owner(config->file, path, &config->channel[i]);
		if (error)
			return error;
	}
	return 0;
}
