/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest from its start until its driver is up. Meanwhile it has no voice and no heartbeat: that
 * one has panicked the host's kernel finds in its memory, and one that is stuck takes too long.
 */
#ifndef SIGMA_BOOT_H
#define SIGMA_BOOT_H

struct life;

/**
 * boot_watch - the guest was started, taken over, or has another state
 *
 * One that boots for longer than @life->boot_timeout is reported and, as a service's, is a failure.
 * Once it runs READY=1 is sent, or at once where nobody waits for that.
 */
void boot_watch(struct life *life);

/** boot_ready - tell who started us (sd_notify(3)) that what they asked for is done; once */
void boot_ready(struct life *life);

/** boot_end - watch it no more */
void boot_end(struct life *life);

#endif
