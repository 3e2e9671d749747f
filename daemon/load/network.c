// SPDX-License-Identifier: GPL-2.0
/* The list of addresses that guest/init/network.c gives the guest's NICs. */
#include <stdio.h>
#include <stdlib.h>

#include "../../common/guestconfig.h"
#include "load.h"

static void print_addresses(FILE *out, const char *word, const struct guest_addresses *list)
{
	for (unsigned int i = 0; i < list->nr; i++)
		if (list->at[i].prefix)
			fprintf(out, "%s %s/%u\n", word, list->at[i].text, list->at[i].prefix);
		else
			fprintf(out, "%s %s\n", word, list->at[i].text);
}

char *network_list(const struct guest_config *config)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool failed;

	if (!out)
		return NULL;
	for (unsigned int i = 0; i < config->nr_nets; i++) {
		const struct guest_net *net = &config->net[i];
		const uint8_t *mac = net->mac;

		if (!net->keys || !net->guest_address.nr)
			continue;
		fprintf(out, "nic %02x:%02x:%02x:%02x:%02x:%02x\n", mac[0], mac[1], mac[2], mac[3],
			mac[4], mac[5]);
		print_addresses(out, "address", &net->guest_address);
		print_addresses(out, "gateway", &net->gateway);
		print_addresses(out, "dns", &net->dns);
	}
	failed = ferror(out);
	if (!fclose(out) && !failed)
		return text;
	free(text);
	return NULL;
}
