// SPDX-License-Identifier: GPL-2.0
/* The guest sends interprocessor interrupts (IPIs) with the same code as the host. */
#include "../kmod/shared/apic.c"
