/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The agent in the guest (guest/agent/), which runs programs there. sigmad makes a key for each
 * start of the guest. The guest gets it in an ACPI table (load/acpi.c), and the next sigmad in
 * /run/sigma/NAME/agent. Nobody else gets it: a client gets a connection that is authenticated.
 */
#ifndef SIGMA_DAEMON_AGENT_H
#define SIGMA_DAEMON_AGENT_H

#include <stdint.h>
#include <systemd/sd-bus.h>

#include "../common/agent.h"
#include "machine.h"

/**
 * agent_of_user - the guest belongs to a user other than root
 *
 * Its connections come from ports of their own, so users who hold many leave some for other guests.
 */
void agent_of_user(void);

/** agent_key_make - make the key of the next start and persist it; 0 or a reported -errno */
int agent_key_make(const char *name, uint8_t key[AGENT_KEY_SIZE]);

/** agent_key_keep - persist a key that was made before; 0 or a reported -errno */
int agent_key_keep(const char *name, const uint8_t key[AGENT_KEY_SIZE]);

/** agent_key_read - the key of the guest's last start; 0 or -errno, not reported */
int agent_key_read(const char *name, uint8_t key[AGENT_KEY_SIZE]);

/**
 * agent_open - the method OpenAgent: connect to the agent and say HELLO
 *
 * The answer follows once the agent has taken the connection, or has not. Its error is EOPNOTSUPP if
 * the guest has no AF_VSOCK, EHOSTDOWN if it has ended or hangs, and EAGAIN if no agent listens, which
 * may come. The agent closes the connection if the key is wrong.
 * Return: 1; or a negative errno, with @error set.
 */
int agent_open(sd_bus_message *m, const struct machine *machine, sd_bus_error *error);

#endif
