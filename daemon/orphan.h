/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest of 'sigmactl run' when both sigmad and sigmactl have been killed. A guest outlives its sigmad, so
 * that another one can take it over; but this one has nobody left to serve.
 */
#ifndef SIGMA_ORPHAN_H
#define SIGMA_ORPHAN_H

/**
 * orphan_end - give a guest back to the host that nobody serves any more, and nobody waits for
 * @guest: its name or file
 * @caller: the pipe of --with-caller, of which sigmad has read one byte if the guest was to go on
 *
 * To be called when sigmad has ended, by a process that needs nobody's answer: it waits for the end of the
 * caller, and for whoever has the guest's memory. A guest that another sigmad has taken over is left to that.
 */
void orphan_end(const char *guest, int caller);

#endif
