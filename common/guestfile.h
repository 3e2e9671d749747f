/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest file, /etc/sigma/NAME.guest: INI in the style of systemd.nspawn(5).
 *
 *	[Guest]
 *	CPUs=1			a count ("2"), also of one kind of cores ("2 efficiency"; "performance"
 *				is one CPU), or CPUs of the host ("cpu3", "cpu2,cpu3", "cpu4-7");
 *				default 1
 *	Memory=512M		K, M, G suffixes; rounded up to 2 MiB; default 512M
 *	SharedMemory=0		of this, what programs of host and guest share as memory objects; as above
 *	NUMANode=		a NUMA node of the host, of which CPUs and memory must be; default:
 *				one node if possible
 *	Kernel=/boot/vmlinuz-X	default: the host's running kernel, /boot/vmlinuz-$(uname -r)
 *	Initrd=			default: none; sigmad always adds an initrd of its own
 *	Modules=		root of the kernel's module tree, default /lib/modules/VERSION
 *				where VERSION is that of the kernel image
 *	HostModules=yes		no: the guest gets no share of its kernel's modules
 *	CommandLine=		appended to sigmad's own; an indented line continues it
 *	Root=			folder of the host that is the guest's root, by virtiofs and with the
 *				rights of the user who started the guest; "/" is the host's own root
 *	RootWrites=yes		no: the guest cannot write to it; overlay: what it writes stays in its
 *				memory
 *	Guard=auto		the guard that confines the guest: full, memory, no, or auto, the
 *				strongest one of this machine (see sigmactl check)
 *	Suspend=sleep		when the machine sleeps: the guest does before (sleep), keeps it from
 *				that (refuse), or is switched off before (stop)
 *	WakeOn=			what wakes it when it is asleep: some of network, magic, vsock and
 *				channel
 *	SplitCores=no		yes: hyperthread siblings may be split between host and guest
 *	VSock=			yes, no, or the guest's CID (AF_VSOCK sockets, vsock(7)); default:
 *				yes if the host has vhost_vsock, the CID made from the guest's name
 *	[Disk]			repeatable; vda, vdb, ... in this order
 *	Path=			regular file or block device, or
 *	Socket=			vhost-user socket of a program that serves the disk, like
 *				qemu-storage-daemon; the keys below are then set in that program
 *	Format=auto		a raw disk, which is refused if it looks like another format; raw:
 *				a raw disk whatever it looks like; qcow2: a qemu-storage-daemon
 *				serves the image (daemon/virtio/storage.h)
 *	Backing=		with Format=qcow2: the file that the image is based on
 *	ReadOnly=no
 *	DirectIO=yes		bypass the host's page cache if the file system can
 *	BlockSize=		512 or 4096 bytes; default: 512 for a file, as the device has it
 *	Serial=			up to 20 characters, default sigma-N; the guest has the disk as
 *				/dev/disk/by-id/virtio-SERIAL
 *	[Network]		repeatable
 *	Bridge=br0		attach the tap to this bridge, or
 *	Address=10.0.0.1/24	give the host's end of the tap this address, or several, also of
 *				IPv6; repeatable; or
 *	User=yes		no tap: passt makes the guest's connections with sockets of the
 *				user who started the guest (daemon/virtio/passt.h)
 *	Forward=tcp:2222:22	repeatable, with User=: port 2222 of the host leads to port 22 of
 *				the guest; "tcp:127.0.0.1:2222:22" or "tcp:[::1]:2222:22" for one
 *				address, "udp:..."
 *	MTU=			of the guest's NIC; default: that of the bridge, or of the tap
 *	GuestAddress=10.0.0.2/24 of the guest's end, which guest/init sets up; with Gateway= and
 *				DNS=; each may have several, and is repeatable
 *	VHost=			yes: the host's kernel serves the queues (vhost_net), no: sigmad
 *				does; default: vhost_net if the host has it
 *	MACAddress=		of the guest; default: stable, made from guest name and slot
 *	[Share]			repeatable; a folder of the host: "mount -t virtiofs TAG /mnt" in the
 *				guest. virtiofsd serves it with the rights of the user who started
 *				the guest (daemon/virtio/virtiofsd.h)
 *	Path=			folder, required
 *	Tag=			up to 36 characters; default: the folder's name
 *	ReadOnly=no
 *	Xattr=no		extended attributes
 *	ACL=no			POSIX ACLs; yes: with Xattr=, too
 *	Submounts=yes		file systems mounted in the folder are file systems in the guest
 *	[Channel]		repeatable; the users of the host who may open a channel, iosc(4)
 *	Number=			1 to 16, required
 *	User=			name or number, default root
 *	Group=			name or number, default sigma
 *	Mode=0660		in octal
 *
 * All paths are absolute. A line that begins with # or ; is a comment. In other lines, a blank and
 * a ; begin a comment.
 */
#ifndef SIGMA_GUESTFILE_H
#define SIGMA_GUESTFILE_H

#include <limits.h>
#include <linux/if_ether.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guestconfig.h"

#define GUEST_FILES		"/etc/sigma"
#define GUEST_SUFFIX		".guest"
#define GUESTFILE_MAX		65536	/* bytes */
#define GUEST_KEYS_MAX		4096	/* bytes of one device's keys */
#define GUEST_ABSENT_MAX	(2 * PATH_MAX + 64)
#define GUEST_NAME_RULE \
	"cannot be the name of a guest: up to 31 letters, digits, '_', '.' and '-', the first a letter or digit, and not \"control\""

/** guestfile_name_valid - are the @len bytes of @name a valid guest name, fit for a path? */
bool guestfile_name_valid(const char *name, size_t len);

/**
 * guestfile_find - get the name of a guest and the path of its file
 * @name_or_file: NAME for GUEST_FILES/NAME.guest; or a path (it has a '/' in it), whose
 *		  base name without ".guest" is the guest's name
 * @file: out: to be freed
 *
 * Return: 0, -EINVAL if the name breaks GUEST_NAME_RULE, or -ENOMEM; not reported.
 */
int guestfile_find(const char *name_or_file, char name[SIGMA_NAME_MAX], char **file);

/**
 * guestfile_mac - the MAC address of the NIC in @slot of the guest @name, unless its file has one
 *
 * It is the same whenever the guest starts, but differs between hosts. Return: 0; or -errno of reading the
 * machine's ID, not reported.
 */
int guestfile_mac(const char *name, unsigned int slot, uint8_t mac[ETH_ALEN]);

/**
 * guestfile_load - read and check a guest file
 * @name_or_file: as for guestfile_find()
 *
 * Every mistake is reported with log_error() as "FILE:LINE: what, why, remedy". Files named
 * in it are checked to exist and be readable.
 * Return: 0 or a negative errno; free with guestfile_free() only after 0.
 */
int guestfile_load(struct guest_config *config, const char *name_or_file);

/**
 * guestfile_load_late - as guestfile_load(), if what the file names may be there only later
 * @absent: out: if -EAGAIN: the first file, socket or bridge that is not there, for people
 *
 * Return: as guestfile_load(), or -EAGAIN, not reported: nothing is wrong but that.
 */
int guestfile_load_late(struct guest_config *config, const char *name_or_file,
			char absent[GUEST_ABSENT_MAX]);

/**
 * guestfile_parse - parse the text of a guest file that was read before, without its devices
 * @name_or_file: where @text was read from
 *
 * The caller adds the devices by guestfile_add(). Files named in the text are not looked at.
 * Return: as guestfile_load().
 */
int guestfile_parse(struct guest_config *config, const char *name_or_file, const char *text,
		    uint32_t text_len);
void guestfile_free(struct guest_config *config);

/**
 * guestfile_add - add one device to a configuration that was loaded or parsed
 * @slot: slot in disk[], net[] or share[] of a device that the guest has had before, so that files
 *	  named in @keys are not looked at; -1: the first free one
 * @line: of its section in the guest file; 0: it has none
 * @keys: of that section, "Key=value\n" each
 *
 * Return: its slot; or a reported negative errno, and @config is as it was.
 */
int guestfile_add(struct guest_config *config, enum guest_device kind, int slot,
		  unsigned int line, const char *keys);

/** guestfile_drop - remove a device from the configuration, which frees its slot */
void guestfile_drop(struct guest_config *config, enum guest_device kind, unsigned int slot);

/** guestfile_device - the kind of device that a section describes, or GUEST_NO_DEVICE */
enum guest_device guestfile_device(const char *section);

/** guestfile_word - the word for one device of this kind, for people: "disk" */
const char *guestfile_word(enum guest_device kind);

/** guestfile_slots - the number of slots of this kind up to the last device; some may be free */
unsigned int guestfile_slots(const struct guest_config *config, enum guest_device kind);

/** guestfile_line - the line of the device's section in the guest file; 0 for a hotplugged one */
unsigned int guestfile_line(const struct guest_config *config, enum guest_device kind,
			    unsigned int slot);

/** guestfile_keys - the keys of the device in this slot; NULL if the slot is free */
const char *guestfile_keys(const struct guest_config *config, enum guest_device kind,
			   unsigned int slot);

/** struct guest_place - "FILE:LINE: " in front of a message; "" if @line is 0 */
struct guest_place {
	char text[PATH_MAX + 16];
};

struct guest_place guestfile_place(const char *file, unsigned int line);

#endif
