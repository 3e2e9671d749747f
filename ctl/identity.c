// SPDX-License-Identifier: GPL-2.0
/* Who a guest is that is a copy of another one: see identity_give() in ctl.h. */
#include <linux/if_ether.h>
#include <stdio.h>
#include <sys/wait.h>
#include <systemd/sd-id128.h>

#include "agent.h"
#include "ctl.h"

#define AGENT_TIMEOUT	(10 * USEC_PER_SEC)
#define MAC_TEXT	18

/* What cannot be written, as on a read-only root, is put in its place */
static char script[] =
"name=$1 id=$2 status=0\n"
"shift 2\n"
"echo \"$name\" >/proc/sys/kernel/hostname || status=1\n"
"[ ! -w /etc/hostname ] || echo \"$name\" >/etc/hostname || status=1\n"
"if [ -w /etc/machine-id ]; then\n"
"	echo \"$id\" >/etc/machine-id || status=1\n"
"elif [ -e /etc/machine-id ]; then\n"
"	(umask 222; echo \"$id\" >/run/machine-id) &&\n"
"	mount --bind /run/machine-id /etc/machine-id || status=1\n"
"fi\n"
"while [ $# -ge 2 ]; do\n"
"	for nic in /sys/class/net/*; do\n"
"		[ \"$(cat \"$nic/address\")\" = \"$1\" ] || continue\n"
"		ip link set dev \"${nic##*/}\" address \"$2\" || status=1\n"
"	done\n"
"	shift 2\n"
"done\n"
"exit $status\n";

static void write_mac(char text[MAC_TEXT], const char *name, unsigned int slot)
{
	uint8_t mac[ETH_ALEN] = {};

	/* sigmad has made one already, so it can be made */
	guestfile_mac(name, slot, mac);
	snprintf(text, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5]);
}

int identity_give(const char *name, const char *was)
{
	char id_text[SD_ID128_STRING_MAX], mac[GUEST_NETS_MAX][2][MAC_TEXT], guest[SIGMA_NAME_MAX];
	char *argv[7 + 2 * GUEST_NETS_MAX] = { "sh", "-c", script, "sh", guest, id_text };
	unsigned int nr = 6;
	sd_id128_t id;
	int how;
	pid_t pid;

	if (sd_id128_randomize(&id) < 0)
		return complain(EXIT_FAILED, "%s: no random number for its machine ID", name);
	sd_id128_to_string(id, id_text);
	snprintf(guest, sizeof(guest), "%s", name);
	for (unsigned int i = 0; i < GUEST_NETS_MAX; i++) {
		write_mac(mac[i][0], was, i);
		write_mac(mac[i][1], name, i);
		argv[nr++] = mac[i][0];
		argv[nr++] = mac[i][1];
	}
	pid = agent_spawn(name, argv, -1, -1, AGENT_TIMEOUT);
	if (pid > 0 && waitpid(pid, &how, 0) == pid && !how)
		return EXIT_OK;
	return complain(EXIT_FAILED, "%s: runs, and could not be told all of who it is; it may still have the host name, the machine ID and the MAC addresses of %s",
			name, was);
}
