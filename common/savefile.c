// SPDX-License-Identifier: GPL-2.0
/* The head of the file of a guest that was saved: see savefile.h. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../kmod/uapi/iosc.h"
#include "guestfile.h"
#include "hash.h"
#include "savefile.h"
#include "whole.h"

#define STATE_MAX	(64UL << 20)	/* bytes of a state file, in any layout */

uint64_t save_head_sum(const struct save_head *head)
{
	return hash_bytes(hash_text(""), head, offsetof(struct save_head, check));
}

uint64_t save_record_sum(const struct save_record *record, uint64_t before)
{
	return hash_bytes(hash_bytes(hash_text(""), &before, sizeof(before)), record,
			  offsetof(struct save_record, check));
}

static bool is_text(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return len < size;
}

static bool in_bounds(const struct save_head *head)
{
	return guestfile_name_valid(head->name, strnlen(head->name, sizeof(head->name))) &&
	       is_text(head->sigma, sizeof(head->sigma)) &&
	       is_text(head->host, sizeof(head->host)) && is_text(head->guest, sizeof(head->guest)) &&
	       head->state_size && head->state_size <= STATE_MAX &&
	       head->guard < SIGMA_GUARD_AUTO && head->tsc_khz &&
	       head->nr_cpus && head->nr_cpus <= SIGMA_CPUS_MAX &&
	       head->nr_segments && head->nr_segments <= SIGMA_SEGMENTS_MAX &&
	       head->nr_stamps <= SIGMA_DEVICES;
}

int save_head_read(int fd, struct save_head *head, char why[SAVE_WHY_MAX])
{
	int error = read_whole(fd, head, sizeof(*head));

	if (error && error != -ENODATA) {
		snprintf(why, SAVE_WHY_MAX, "%s", strerror(-error));
		return error;
	}
	if (error || memcmp(head->magic, SAVE_MAGIC, sizeof(head->magic))) {
		snprintf(why, SAVE_WHY_MAX, "is no file of 'sigmactl save'");
		return -EBADMSG;
	}
	if (head->version != SAVE_VERSION) {
		snprintf(why, SAVE_WHY_MAX, "has format %u, and this version of SIGMA reads format %u",
			 head->version, SAVE_VERSION);
		return -EPROTO;
	}
	if (head->size != sizeof(*head) || head->check != save_head_sum(head) || !in_bounds(head)) {
		snprintf(why, SAVE_WHY_MAX, "is damaged: its first bytes were altered");
		return -EBADMSG;
	}
	return 0;
}
