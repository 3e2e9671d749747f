/* SPDX-License-Identifier: GPL-2.0 */
/* A guest's configuration, as its guest file describes it: see guestfile.h. */
#ifndef SIGMA_GUESTCONFIG_H
#define SIGMA_GUESTCONFIG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "../kmod/uapi/channel.h"
#include "../kmod/uapi/sigma.h"
#include "cpus.h"

#define GUEST_DISKS_MAX		16
#define GUEST_NETS_MAX		8
#define GUEST_SHARES_MAX	8
#define NUMA_NODE_ANY		(-1)
#define GUEST_FORWARDS_MAX	32	/* of one NIC */
#define GUEST_ADDRESSES_MAX	16	/* of one NIC, and of each key */
#define GUEST_TAG_MAX		36	/* of struct virtio_fs_config */
#define GUEST_SERIAL_MAX	20	/* VIRTIO_BLK_ID_BYTES */

/*
 * The kinds of devices that a section of a guest file can describe, and that can also be hotplugged
 * and unplugged. A row has the kind's name in enum guest_device, its member of struct guest_config,
 * the name of its section, and words for people: for one device and for several.
 *
 * Enums, tables, prototypes and methods on D-Bus are made from the rows. If a part of a new kind is
 * missing, the program does not compile or link. The parts are: the member, nr_MEMBERs and their
 * type, struct guest_MEMBER; guest_MEMBER_keys[], guest_MEMBER_reset() and guest_MEMBER_finish()
 * (guestparser.h); name_MEMBER() in daemon/kinds.c; and virtio_MEMBER_add()
 * (daemon/virtio/backends.h).
 * The saved state of a running guest has the numbers of kinds, so a new row must be the last one.
 */
#define GUEST_DEVICES(row)				\
	row(DISK, disk, Disk, "disk", "disks")		\
	row(NET, net, Network, "net", "NICs")		\
	row(SHARE, share, Share, "share", "shares")

#define GUEST_DEVICE_NUMBER(name, ...)	GUEST_##name,
enum guest_device {
	GUEST_NO_DEVICE,
	GUEST_DEVICES(GUEST_DEVICE_NUMBER)
	GUEST_DEVICE_KINDS
};

/* How long a guest keeps what it has read of a share */
enum guest_cache {
	CACHE_DEFAULT,		/* the profile's, or else CACHE_AUTO */
	CACHE_AUTO,		/* a second; and a file's data while nobody changes it */
	CACHE_ALWAYS,		/* for ever: nobody but this guest changes the share */
	CACHE_NEVER,
};

/**
 * struct guest_profile - what a profile sets (common/profile.h); all is 0: nothing
 * @name: NULL: there is none
 * @text: of its file, as it was read
 * @summary: for people, or NULL
 * @words: for the kernel's command line, each behind a blank
 * @full_tick: no tick on a CPU that runs one task, but on the first CPU
 * @huge_pages, @huge_percent: one of them is not 0: pages to reserve, or a part of the memory
 * @huge_1g: their size is 1 GiB, and not 2 MiB
 * @cache: of shares that have none of their own
 */
struct guest_profile {
	char *name, *text, *summary, *words;
	bool full_tick, huge_1g;
	unsigned long huge_pages;
	unsigned int huge_percent;
	enum guest_cache cache;
};

#define PROFILE_HUGE_PERCENT_MAX	90U

enum guest_format {
	FORMAT_AUTO,		/* raw, and refused if it looks like another format */
	FORMAT_RAW,
	FORMAT_QCOW2,		/* a qemu-storage-daemon serves it */
};

/*
 * @keys of each device: its keys as they were given, "Key=value\n" each; NULL: the slot is free
 */
struct guest_disk {
	char *keys;
	char *path, *socket;	/* one of them is set */
	char *backing;		/* NULL, or the path of the image that a qcow2 image is based on */
	enum guest_format format;
	bool read_only;
	bool direct;		/* bypass the host's page cache if the file system can */
	char serial[GUEST_SERIAL_MAX + 1];	/* "": sigmad chooses it */
	unsigned int block_size;	/* 512 or 4096 bytes; 0: the default, see guestfile.h */
	unsigned int line;	/* of [Disk], for messages; 0: the disk was hotplugged */
};

enum guest_vhost {
	VHOST_IF_POSSIBLE,
	VHOST_NO,
	VHOST_YES,
};

struct guest_forward {
	bool udp;		/* else TCP */
	char address[INET6_ADDRSTRLEN];	/* of the host; "": all its addresses */
	uint16_t host_port, guest_port;
};

struct guest_address {
	int family;		/* AF_INET or AF_INET6 */
	unsigned int prefix;	/* length in bits; 0: it has none */
	uint8_t bytes[sizeof(struct in6_addr)];	/* in network byte order, from the start */
	char text[INET6_ADDRSTRLEN];
};

struct guest_addresses {
	unsigned int nr;
	struct guest_address at[GUEST_ADDRESSES_MAX];
};

struct guest_net {
	char *keys;
	char *bridge;		/* NULL, or the bridge's name */
	struct guest_addresses address;	/* of the host's end of a link */
	struct guest_addresses guest_address, gateway, dns;	/* of the guest's end */
	bool user;		/* passt is the back end */
	uint16_t mtu;		/* 0: not given */
	unsigned int nr_forwards;
	struct guest_forward forward[GUEST_FORWARDS_MAX];
	uint8_t mac[6];
	enum guest_vhost vhost;
	unsigned int line;
};

struct guest_share {
	char *keys;
	char *path;
	char tag[GUEST_TAG_MAX + 1];
	bool read_only;
	bool xattr, acl;	/* extended attributes; POSIX ACLs, which are some of these */
	bool submounts;		/* tell the guest which folders are mount points */
	enum guest_cache cache;
	unsigned int line;
};

struct guest_channel {
	unsigned int number;	/* 1..SIGMA_CHANNELS; 0: not given yet */
	uint32_t user;
	uint32_t group;		/* GUEST_NO_GROUP: not given */
	unsigned int mode;
	unsigned int line;
};

#define GUEST_NO_GROUP		UINT32_MAX
#define GUEST_CHANNEL_MODE	0660

/* What becomes of what the guest writes to the folder that is its root */
enum guest_root_writes {
	ROOT_WRITES_YES,	/* it goes to the host, where the starter may write */
	ROOT_WRITES_NO,		/* the guest cannot write */
	ROOT_WRITES_OVERLAY,	/* it stays in the guest's memory, and ends with the guest */
};

#define VSOCK_CID_MIN		3		/* 2 is the host, see vsock(7) */
#define VSOCK_CID_MAX		(UINT32_MAX - 1)

struct guest_vsock {
	bool off;
	uint32_t cid;		/* 0: sigmad chooses it */
	unsigned int line;	/* 0: VSock= is not given, so the device is optional */
};

/* What wakes a guest that is asleep: bits of guest_config.wake_on */
#define WAKE_ON_NETWORK		0x1	/* frames to its address, and that look for it */
#define WAKE_ON_MAGIC		0x2	/* magic packets alone; WAKE_ON_NETWORK has them, too */
#define WAKE_ON_VSOCK		0x4
#define WAKE_ON_CHANNEL		0x8

struct guest_config {
	char name[SIGMA_NAME_MAX];
	char *file;		/* path of the guest file */
	char *text;		/* contents of the guest file, @text_len bytes */
	uint32_t text_len;
	uint32_t starter;	/* ID of the user who starts it: daemon/virtio/backend.h */
	unsigned int nr_cpus;	/* wanted; > 0 */
	enum cpu_kind cpu_kind;	/* kind of these CPUs, if !@cpus_given */
	bool cpus_given;	/* the file names @cpus; otherwise sigmad chooses them */
	uint32_t cpus[SIGMA_CPUS_MAX];
	uint64_t memory;	/* bytes, multiple of SIGMA_SEGMENT_ALIGN */
	uint64_t shared;	/* of @memory, for memory objects: bytes, likewise */
	int numa_node;		/* of the host, that CPUs and memory must be of; or NUMA_NODE_ANY */
	char *kernel;		/* path, never NULL after guestfile_load() */
	char *initrd;		/* path or NULL */
	char *modules;		/* path or NULL for the default */
	char *cmdline;		/* "" when not given */
	char *root;		/* folder of the host that is the root, or NULL */
	enum guest_root_writes root_writes;
	enum guest_cache root_cache;
	struct guest_profile profile;
	bool split_cores;
	bool host_modules;	/* offer the guest the folder of its kernel's modules */
	enum sigma_guard_kind guard;
	enum sigma_suspend suspend;	/* when the machine sleeps */
	unsigned int wake_on;	/* WAKE_ON_* */
	struct guest_vsock vsock;
	/* lines of keys, for messages; 0: not given */
	unsigned int numa_line, cpus_line, memory_line, shared_line, kernel_line, cmdline_line, guard_line,
		     root_line;
	unsigned int nr_disks, nr_nets, nr_shares;	/* slots up to the last device */
	unsigned int nr_channels;
	struct guest_disk disk[GUEST_DISKS_MAX];
	struct guest_net net[GUEST_NETS_MAX];
	struct guest_share share[GUEST_SHARES_MAX];
	struct guest_channel channel[SIGMA_CHANNELS];
};

#endif
