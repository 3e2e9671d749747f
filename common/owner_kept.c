// SPDX-License-Identifier: GPL-2.0
/* Whose guest it is that runs, in /run/sigma/NAME: see owner.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "owner.h"
#include "rundir.h"

int owner_keep(const struct owner *owner, const char *guest)
{
	char text[OWNER_TEXT_MAX];

	if (!owner)
		return 0;
	owner_format(owner, text);
	return rundir_keep(guest, "owner", text, "note the owner");
}

/* "": it is root's. 0 or -errno */
static int read_kept(const char *guest, char text[OWNER_TEXT_MAX])
{
	char path[RUNDIR_PATH_MAX];
	ssize_t len;
	int fd;

	*text = '\0';
	rundir_path(path, guest, "owner");
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	len = read(fd, text, OWNER_TEXT_MAX - 1);
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	return len > 0 ? 0 : -EIO;
}

bool owner_is_kept(const struct owner *owner, const char *guest)
{
	char kept[OWNER_TEXT_MAX], text[OWNER_TEXT_MAX] = "";
	int error = read_kept(guest, kept);

	if (owner)
		owner_format(owner, text);
	if (error)
		log_error(error, "%s: cannot see whose guest it is: %s; 'sigmactl kill %s' ends it",
			  guest, strerror(-error), guest);
	else if (strcmp(kept, text))
		error = log_error(-EPERM, "%s: is a guest of %s%.*s, and is not served with the rights of others; 'sigmactl kill %s' ends it",
				  guest, *kept ? "user " : "root", (int)strcspn(kept, ":"), kept, guest);
	return !error;
}
