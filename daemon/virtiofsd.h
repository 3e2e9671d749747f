/* SPDX-License-Identifier: GPL-2.0 */
/*
 * virtiofsd, the vhost-user back end of a shared folder: one process for each.
 *
 * It can do no more than the person who started the guest. sigmad runs as root, so under sudo or
 * pkexec it is put into a user namespace where this person is root and nobody else exists: the
 * guest's root reads and writes as this person, the guest's other users can make no file, files of
 * others look like nobody's, and none can be given away. Where root itself started the guest,
 * ids are the same on both sides.
 */
#ifndef SIGMA_VIRTIOFSD_H
#define SIGMA_VIRTIOFSD_H

#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "guestfile.h"
#include "virtio/ratelimit.h"

#define VIRTIOFSD_WHY_MAX 256

/**
 * struct virtiofsd - one that runs, or not
 * @pid: 0: none runs
 */
struct virtiofsd {
	pid_t pid;
	/* private to virtiofsd.c */
	const char *tag;
	int pid_fd;
	int log_fd;			/* what it says; -1: no more */
	sd_event_source *log_source;
	char line[256];			/* of which the end is to come */
	size_t line_len;
	struct ratelimit warned;
};

/** virtiofsd_caller - user ID of who runs us, behind sudo and pkexec */
uid_t virtiofsd_caller(void);

/**
 * virtiofsd_start - run one for @share, which stays
 * @starter: user ID of who started the guest; 0: as sigmad itself
 * @why: out: what is wrong and what to do, in the middle of a sentence
 *
 * Return: a socket connected to it, or a negative errno: none runs.
 */
int virtiofsd_start(struct virtiofsd *server, sd_event *event, const struct guest_share *share,
		    uid_t starter, char why[VIRTIOFSD_WHY_MAX]);

/**
 * virtiofsd_end - have it gone, after its socket was closed
 *
 * It gets a second to end by itself and is killed then, with all processes that it made, so that
 * on return nobody has the guest's memory mapped.
 */
void virtiofsd_end(struct virtiofsd *server);

#endif
