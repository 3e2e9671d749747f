/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's first program: a static program, the only one in the initrd that sigmad builds.
 *
 *	init.c		mounts file systems, loads modules, switches to the root file system
 *	share.c		mounts a root that is a share, also below an overlay
 *	readahead.c	the read-ahead of shares
 *	agent.c		starts the agent (guest/agent/)
 *	system.c	the system of 'sigmactl run', which has no other init: mounts, agent, power-off
 *	dhcp.c		the NIC's address in that system
 *	root.c		finds the device of the root file system, and waits for it
 *	partition.c	finds a partition in the partition table of a disk
 *	super.c		reads the UUID and the label of a file system
 *	cmdline.c	parses the kernel's command line
 *	file.c		reads small text files
 *	network.c	gives NICs their addresses, and tells programs the DNS servers
 */
#ifndef SIGMA_INIT_H
#define SIGMA_INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <sys/types.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* printk levels */
#define LEVEL_ERROR	3
#define LEVEL_WARNING	4
#define LEVEL_INFO	6

/** init_say - write one line into the kernel log, with level LEVEL_* */
void init_say(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define NEWROOT		"/newroot"
#define VIRTIOFS	"virtiofs"


/**
 * init_need_driver - a driver that the initrd has no module for must be built into the kernel
 *
 * Return: 0 or a reported -ENODEV.
 */
int init_need_driver(const char *name, const char *option);

/* agent.c */

/**
 * agent_start - start the agent, by which the host runs programs in this guest
 * @file: the program, whose file goes with the initrd; it is closed. -1: there is none
 * @once: it ends with the program of 'sigmactl run'
 *
 * Return: its process ID, or -1, reported.
 */
pid_t agent_start(int file, bool once);

/* cmdline.c */

#define CMDLINE_MAX 4096
#define CMDLINE_SHARES_MAX 8	/* that a guest may have */
#define PARAMETERS_MAX 64

/**
 * struct cmdline - the options of the command line that init uses; the strings are in @text
 * @root: value of root=, or NULL
 * @fstype: value of rootfstype=, a comma list, or NULL
 * @flags: value of rootflags=, or NULL
 * @init: value of init=, or NULL
 * @modules: value of sigma.modules=, which sigmad writes, or NULL
 * @overlay: sigma.overlay: writes to a root that is a share stay in memory
 * @run: sigma.run: no init of the root starts, but the system of system.c; sigma.run=keep: and @keep,
 *	it goes on when the program has ended
 * @tmp_from_host: sigma.tmp=host: /tmp is the root's
 * @shares: sigma.share=TAG:PATH, as often as given: a share to mount in the root, with sigma.run
 * @readahead: value of sigma.readahead=, KiB that are read ahead of a share, or NULL
 * @network: sigma.net=dhcp: the NIC gets its address by DHCP
 * @read_only: "ro", the default, or "rw", whichever came last
 * @root_timeout: seconds to wait for @root
 * @parameters: the words MODULE.NAME[=VALUE], @nr_parameters of them; those beyond have no effect
 * @nr_parameters: see there
 * @text: the command line, which cmdline_parse() modifies
 */
struct cmdline {
	const char *root, *fstype, *flags, *init, *modules, *readahead;
	bool read_only, overlay, run, keep, tmp_from_host, network;
	unsigned int root_timeout, nr_shares;
	char *shares[CMDLINE_SHARES_MAX];
	const char *parameters[PARAMETERS_MAX];
	unsigned int nr_parameters;
	char text[CMDLINE_MAX];
};

/** cmdline_parse - parse @cmdline->text; if an option is given twice, the last one counts */
void cmdline_parse(struct cmdline *cmdline);

/**
 * cmdline_parameters - what the command line says to a module, as the kernel takes it
 * @path: the module's file; its name is that up to the first dot
 * @out: NAME=VALUE for each word MODULE.NAME=VALUE, with blanks between
 */
void cmdline_parameters(const struct cmdline *cmdline, const char *path, char out[CMDLINE_MAX]);

/** value_of - the value if @word is "NAME=value", or NULL when it is another option */
const char *value_of(const char *word, const char *name);

/* file.c */

/**
 * file_read - read a small text file
 * @text: out: its first @size - 1 bytes and a null byte, if the file could be opened
 *
 * Return: the number of bytes, or -errno.
 */
ssize_t file_read(const char *path, char *text, size_t size);

/* init.c */

/** init_load_list - load the modules of a list that sigmad may have made, or not: /modules.NAME */
void init_load_list(const char *name, const struct cmdline *cmdline);

/* share.c */

/** share_mount_root - mount the share that root= names at NEWROOT; 0 or a reported -errno */
int share_mount_root(const struct cmdline *cmdline);

/* readahead.c */

/** readahead_set - of the share that is mounted @at, as @cmdline says. What fails is logged */
void readahead_set(const struct cmdline *cmdline, const char *at);

/* system.c */

/**
 * system_run - be the init of 'sigmactl run', in the root; switches the guest off in the end
 * @agent: the agent's program
 *
 * Returns only if that fails, reported.
 */
void system_run(const struct cmdline *cmdline, int agent);

/** system_ask_off - have that init switch the guest off, from another process; its exit status */
int system_ask_off(void);

/** system_set_up - set a network interface up; 0 or -errno */
int system_set_up(const char *nic);

/* dhcp.c */

#define DHCP_DNS_MAX 3		/* of resolv.conf(5) */

/** struct dhcp_lease - what an answer of a server says; @type: of the message; 0: not given */
struct dhcp_lease {
	struct in_addr address, mask, router, server, dns[DHCP_DNS_MAX];
	unsigned int nr_dns;
	uint16_t mtu;
	uint8_t type;
};

/**
 * dhcp_parse - read a packet, from the IP header on
 * @xid: of the question
 * @mac: of the NIC
 *
 * Return: it is an answer to that question.
 */
bool dhcp_parse(struct dhcp_lease *lease, const uint8_t *data, size_t len, uint32_t xid,
		const uint8_t mac[6]);

/** dhcp_configure - set the NIC up and get its address; 0 or -errno */
int dhcp_configure(const char *nic);

/* super.c */

#define SUPER_LABEL_MAX 256	/* of btrfs */

/** struct super - what the superblock of a file system says; @type is what mount(2) takes */
struct super {
	const char *type;
	uint8_t uuid[16];
	char label[SUPER_LABEL_MAX + 1];
};

/** read_at - read exactly @len bytes of the device @fd at @at */
bool read_at(int fd, off_t at, void *to, size_t len);

/** super_read - read the superblock on the device @fd. Return: it has one that is known. */
bool super_read(struct super *super, int fd);

/** super_matches - does @spec, "UUID=..." or "LABEL=...", mean this file system? */
bool super_matches(const struct super *super, const char *spec);

/* partition.c */

/**
 * partition_find - find a partition of the disk @fd
 * @block_size: logical, in bytes
 * @spec: "PARTUUID=...", "PARTLABEL=..."; anything else means the root partition of x86-64, by its
 *	type
 *
 * Return: the partition's number, or 0.
 */
unsigned int partition_find(int fd, unsigned int block_size, const char *spec);

/* root.c */

/**
 * root_listen - listen for new devices
 *
 * Called before the first module is loaded, so that none is missed. Return: 0 or -errno.
 */
int root_listen(void);

/**
 * root_wait - wait for a condition that depends on a new device
 * @done: the condition, checked at once, after each uevent and from time to time
 * @data: argument of @done
 *
 * Return: @done became true within @seconds.
 */
bool root_wait(bool (*done)(void *data), void *data, unsigned int seconds);

/* As in systemd: the first root partition of x86-64 on any disk, by the type in the GPT */
#define ROOT_AUTO "gpt-auto"

/**
 * struct root_device - the device that root= names
 * @spec: "/dev/NAME", "UUID=...", "LABEL=...", "PARTUUID=...", "PARTLABEL=..." or ROOT_AUTO
 * @path: its node, once found
 */
struct root_device {
	const char *spec;
	char path[64];
};

/** root_spec_valid - is @spec of a form that root_find() understands? */
bool root_spec_valid(const char *spec);

/** root_find - a condition for root_wait(): find the device of a struct root_device */
bool root_find(void *root);

/** root_type - the type of the file system on the device that was found; NULL: it is not known */
const char *root_type(const struct root_device *root);

/* network.c */

/**
 * network_start - give NICs the addresses and routes that sigmad lists
 * @seconds: to wait for each NIC
 *
 * What fails is logged.
 */
void network_start(unsigned int seconds);

/** network_servers - tell the programs of the root file system, which is /, the DNS servers */
void network_servers(void);

#endif
