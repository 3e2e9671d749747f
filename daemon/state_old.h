/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Readers of state files that an older sigmad left. A layout of struct guest_state that a release
 * had is kept in state_old.c for good, under the name struct guest_state_N.
 *
 * Whoever changes the layout, or the meaning of a field,
 *
 *	1. increments STATE_LAYOUT (state_layout.h) and corrects the assertions in state_old.c,
 *	2. copies each struct that changes, as it was, to state_old.c as struct NAME_N,
 *	3. adds a reader of layout N to the table there, which sets what layout N did not have, and
 *	4. adds a case to selftests/unit/supervisor.c, with a struct as the release had it.
 *
 * A qemu-storage-daemon that outlives its sigmad is noted as ended in the file that its sigmad had
 * (@unsaved). A reader of layout 2 must wait for that, or the disk would stop.
 */
#ifndef SIGMA_STATE_OLD_H
#define SIGMA_STATE_OLD_H

#include <stddef.h>

#include "state_layout.h"

/**
 * state_old_size - the size of the struct of an older layout
 *
 * Return: bytes; 0: no reader knows @layout.
 */
size_t state_old_size(unsigned int layout);

/**
 * state_old_read - what an older sigmad left, in the present layout
 * @state: out: all but the header and @version; zeros before
 * @old: a struct of @layout, state_old_size(@layout) bytes
 */
void state_old_read(struct guest_state *state, unsigned int layout, const void *old);

#endif
