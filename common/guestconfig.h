/* SPDX-License-Identifier: GPL-2.0 */
/* What a guest is made of, as its file says: see guestfile.h. */
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
#define GUEST_FORWARDS_MAX	32	/* of one NIC */
#define GUEST_TAG_MAX		36	/* of struct virtio_fs_config */
#define GUEST_SERIAL_MAX	20	/* VIRTIO_BLK_ID_BYTES */

/* What sections of a guest file stand for that can also be added to a running guest, and removed */
enum guest_device {
	GUEST_NO_DEVICE,
	GUEST_DISK,
	GUEST_NET,
	GUEST_SHARE,
};

/*
 * @keys of each device: as they were given, "Key=value\n" each; NULL: no device has this place
 */
struct guest_disk {
	char *keys;
	char *path, *socket;	/* one of them */
	bool read_only;
	bool direct;		/* without the host's page cache where the file system can */
	char serial[GUEST_SERIAL_MAX + 1];	/* "": sigmad's own */
	unsigned int block_size;	/* bytes that the guest can address; 0: as the file has */
	unsigned int line;	/* of [Disk], for messages; 0: it was added later */
};

enum guest_vhost {
	VHOST_IF_POSSIBLE,
	VHOST_NO,
	VHOST_YES,
};

struct guest_forward {
	bool udp;		/* else TCP */
	char address[INET_ADDRSTRLEN];	/* of the host; "": all */
	uint16_t host_port, guest_port;
};

struct guest_net {
	char *keys;
	char *bridge;		/* NULL, or the bridge's name */
	char *address;		/* NULL, or "a.b.c.d/len" of the host's end */
	bool user;		/* through passt */
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

#define VSOCK_CID_MIN		3		/* 2 is the host, see vsock(7) */
#define VSOCK_CID_MAX		(UINT32_MAX - 1)

struct guest_vsock {
	bool off;
	uint32_t cid;		/* 0: any that is free */
	unsigned int line;	/* 0: not asked for, the guest can do without */
};

struct guest_config {
	char name[SIGMA_NAME_MAX];
	char *file;		/* where it was read from */
	char *text;		/* what was in it, @text_len bytes */
	uint32_t text_len;
	uint32_t starter;	/* user ID, which its reader sets: see daemon/backend.h */
	unsigned int nr_cpus;	/* wanted; > 0 */
	enum cpu_kind cpu_kind;	/* of these, unless they are given */
	bool cpus_given;	/* cpus[] were named, else sigmad chooses */
	uint32_t cpus[SIGMA_CPUS_MAX];
	uint64_t memory;	/* bytes, multiple of SIGMA_SEGMENT_ALIGN */
	char *kernel;		/* path, never NULL after guestfile_load() */
	char *initrd;		/* path or NULL */
	char *modules;		/* path or NULL for the default */
	char *cmdline;		/* "" when not given */
	bool split_cores;
	enum sigma_guard_kind guard;
	struct guest_vsock vsock;
	/* 0: not given */
	unsigned int cpus_line, memory_line, kernel_line, guard_line;
	unsigned int nr_disks, nr_nets, nr_shares;	/* places up to the last device */
	unsigned int nr_channels;
	struct guest_disk disk[GUEST_DISKS_MAX];
	struct guest_net net[GUEST_NETS_MAX];
	struct guest_share share[GUEST_SHARES_MAX];
	struct guest_channel channel[SIGMA_CHANNELS];
};

#endif
