// SPDX-License-Identifier: GPL-2.0
/* The methods CheckSave and Save on D-Bus: see bus_save.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus_save.h"
#include "bus_sleep.h"
#include "supervisor.h"

static const sd_bus *saver;		/* the connection that the guest is saved for; NULL: none */
static const sd_bus *asker;		/* that is about to save it, once it sleeps: what comes does not wake it */

/* A pipe that nobody reads would hold the thread of sigmad's calls up. Return: a new descriptor or -errno */
static int take_file(int fd, char why[REASON_TEXT_MAX])
{
	struct stat st;
	int copy;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		snprintf(why, REASON_TEXT_MAX, "it is saved to regular files only");
		return -EINVAL;
	}
	copy = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (copy >= 0)
		return copy;
	snprintf(why, REASON_TEXT_MAX, "%s", strerror(errno));
	return -errno;
}

int bus_check_save(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct supervisor *supervisor = *(struct supervisor **)data;
	char why[REASON_TEXT_MAX];
	int ret = save_check(&supervisor->save, why);

	if (!ret) {
		asker = sd_bus_message_get_bus(m);
		wakeon_hold(&supervisor->wakeon, true);
	}
	return ret ? sd_bus_error_set_errnof(error, ret, "%s", why) : sd_bus_reply_method_return(m, NULL);
}

int bus_save(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct supervisor *supervisor = *(struct supervisor **)data;
	char why[REASON_TEXT_MAX];
	int fd, ret;

	ret = sd_bus_message_read(m, "h", &fd);
	if (ret < 0)
		return ret;
	fd = take_file(fd, why);
	if (fd < 0)
		return sd_bus_error_set_errnof(error, fd, "%s", why);
	ret = save_begin(&supervisor->save, fd, bus_settle, sd_bus_message_ref(m), why);
	if (!ret) {
		saver = sd_bus_message_get_bus(m);
		return 1;
	}
	sd_bus_message_unref(m);
	return sd_bus_error_set_errnof(error, ret, "%s", why);
}

void bus_save_left(struct supervisor *supervisor, const sd_bus *client)
{
	if (client && asker == client) {
		asker = NULL;
		wakeon_hold(&supervisor->wakeon, false);
	}
	if (!client || saver != client)
		return;
	saver = NULL;
	save_release(&supervisor->save);
}
