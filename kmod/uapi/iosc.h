/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause */
/*
 * IOSC, inter-OS communication: the shared memory between a SIGMA host and one guest.
 *
 * Each guest has one IOSC window: SIGMA_IOSC_SIZE bytes of host memory, naturally
 * aligned, mapped by the host kernel, by sigmad (mmap of /dev/sigma/NAME) and by
 * the guest kernel, which finds its address in the _CRS of the ACPI device
 * SIGMA_ACPI_HID. The window belongs to the host, so it can be read after the guest died.
 *
 *   offset                      what                          written by
 *   SIGMA_IOSC_HEADER_OFF       struct sigma_iosc_header      see each field
 *   SIGMA_IOSC_MAILBOX_OFF      ACPI wake-up mailbox, 4 KiB   guest and host
 *   SIGMA_IOSC_RING_OFF(c, d)   struct sigma_iosc_ring        see below
 *   SIGMA_IOSC_OBJECTS_OFF      struct sigma_grants[2]        see object.h
 *   SIGMA_IOSC_LOG_OFF          struct sigma_iosc_log         guest
 *   SIGMA_IOSC_CHANNEL_OFF(n)   struct sigma_channel          see channel.h
 *
 * Rules for shared memory. Every field is little-endian, naturally aligned and owned by exactly
 * one side. A value that the other side wrote is read once into a local variable, masked and
 * bounds-checked. No lock is shared. Two kinds of words are written by both sides: a doorbell's
 * pending words, with atomic instructions (LOCK OR by the sender, XCHG by the receiver), and the
 * command of the wake-up mailbox, as ACPI defines it.
 */
#ifndef _UAPI_SIGMA_IOSC_H
#define _UAPI_SIGMA_IOSC_H

#include <linux/types.h>

#include "channel.h"
#include "object.h"

#define SIGMA_ACPI_HID		"SGMA0001"

#define SIGMA_IOSC_MAGIC	0x43534f49414d4753ULL	/* "SGMAIOSC" */
#define SIGMA_IOSC_VERSION	2

#define SIGMA_IOSC_SIZE		0x200000
#define SIGMA_IOSC_HEADER_OFF	0x0
#define SIGMA_IOSC_MAILBOX_OFF	0x1000
#define SIGMA_IOSC_RINGS_OFF	0x8000
#define SIGMA_IOSC_RING_SIZE	0x8000
#define SIGMA_IOSC_OBJECTS_OFF	0x20000		/* index: enum sigma_channel_side */
#define SIGMA_IOSC_LOG_OFF	0x80000
#define SIGMA_IOSC_LOG_BYTES	0x40000		/* power of two */
#define SIGMA_IOSC_CHANNELS_OFF	0xd0000

/*
 * The control rings, one in each direction, carry control messages between the guest's
 * sigma_guest.ko and sigmad. Their number is 0. The message channels for programs, /dev/iosc, have
 * the numbers 1..SIGMA_CHANNELS and another layout: see channel.h.
 */
#define SIGMA_IOSC_CHANNELS	1
#define SIGMA_CHANNEL_CONTROL	0

#define SIGMA_IOSC_CHANNEL_OFF(n) \
	(SIGMA_IOSC_CHANNELS_OFF + ((n) - 1) * SIGMA_CHANNEL_SIZE)

enum sigma_iosc_dir {
	SIGMA_TO_HOST = 0,
	SIGMA_TO_GUEST = 1,
};

#define SIGMA_IOSC_RING_OFF(channel, dir) \
	(SIGMA_IOSC_RINGS_OFF + ((channel) * 2 + (dir)) * SIGMA_IOSC_RING_SIZE)

/*
 * Doorbells. Each direction has SIGMA_DOORBELLS numbered doorbells: one bit each in
 * sigma_iosc_header.{to_host,to_guest}.pending. To ring doorbell n the sender
 *
 *   1. publishes its data,
 *   2. sets bit n of the pending words with an atomic OR (a full barrier),
 *   3. sends the IPI that `target` of that direction names, unless bit n was set
 *      already or `busy` is non-zero: in both cases the receiver will check the words anyway.
 *
 * The receiver's interrupt handler sets `busy`, takes the words with XCHG, handles their bits,
 * clears `busy`, executes a full barrier, and repeats this while any word is non-zero (else a bit
 * that was set while it was busy would be lost).
 * A target of 0 means that there is no receiver: the bits stay set, no IPI is sent, and the
 * receiver checks the words once when it starts. Vector and APIC ID share one word so that a
 * sender never pairs an old vector with a new APIC ID when the interrupt moves.
 */
#define SIGMA_DOORBELLS		256
#define SIGMA_DOORBELL_WORDS	(SIGMA_DOORBELLS / 64)

#define SIGMA_DOORBELL_CONTROL	0	/* control rings: new message, or new room */
#define SIGMA_DOORBELL_STATE	1	/* to host: sigma_iosc_guest.state changed */
#define SIGMA_DOORBELL_LOG	2	/* to host: new bytes in the log */
#define SIGMA_DOORBELL_OBJECTS	3	/* memory objects: see object.h */
/* sigmad gives FIRST..END-1 to virtqueues; the channels have those from END */
#define SIGMA_DOORBELL_FIRST	8
#define SIGMA_DOORBELL_END	(SIGMA_DOORBELLS - SIGMA_CHANNELS)
#define SIGMA_DOORBELL_CHANNEL(n) (SIGMA_DOORBELL_END + (n) - 1)

#define SIGMA_DOORBELL_TARGET(apic_id, vector)	((__u64)(apic_id) << 32 | (vector))

struct sigma_iosc_doorbell {
	/* owned by the receiver */
	__le64 target;			/* SIGMA_DOORBELL_TARGET(), 0: there is no receiver */
	__le32 busy;			/* receiver is in its handler: no IPI needed */
	__u8 pad0[52];
	/* written by both sides, with atomic instructions only */
	__le64 pending[SIGMA_DOORBELL_WORDS];
	__u8 pad1[32];
};

/* The state that the guest reports in sigma_iosc_guest.state. Nothing follows a final one. */
enum sigma_guest_state {
	SIGMA_GUEST_NONE	= 0,	/* sigma_guest.ko has not been loaded yet */
	SIGMA_GUEST_UP		= 1,	/* sigma_guest.ko is loaded and serves its control rings */
	SIGMA_GUEST_POWEROFF	= 2,	/* final: parked after power-off or halt */
	SIGMA_GUEST_REBOOT	= 3,	/* final: parked, asks to be started again */
	SIGMA_GUEST_PANIC	= 4,	/* final: parked after a panic; see panic_text */
	/* Asleep: its first CPU halts, the others are offline. After UP, and UP follows. See wake_page */
	SIGMA_GUEST_ASLEEP	= 5,
};

/*
 * Sleep. A guest that falls asleep fills in `wake_page` and `wake_flags`, increments `sleeps`, and
 * reports SIGMA_GUEST_ASLEEP. The host then takes its CPUs and keeps its memory. To wake the guest,
 * the host starts the first CPU at the beginning of the wake page, as SIGMA_START does at `entry`,
 * but with the page's address in RSI; all other CPUs wait at the wake-up mailbox. The guest reports
 * SIGMA_GUEST_UP once its processes run again. It takes doorbells that were rung meanwhile for rung,
 * though no interrupt came for them. The host may take a doorbell for a reason to wake it. So before it
 * sleeps, the guest's kernel sets `want_data` of each of its channels that are open (channel.h).
 */
#define SIGMA_WAKE_LA57		0x1	/* start the first CPU with 5-level paging */

/* Written by the guest; SIGMA_PANIC writes panic_text of a guest that panicked while it booted */
struct sigma_iosc_guest {
	__le32 state;			/* enum sigma_guest_state */
	__le32 version;			/* SIGMA_IOSC_VERSION of sigma_guest.ko */
	__le64 heartbeat;		/* incremented every SIGMA_HEARTBEAT_MS */
	__le32 takes_nmis;		/* 1: it handles the NMIs that the host counts in `nmis` */
	__le32 can_sleep;		/* 1: it obeys SIGMA_POWER_SLEEP */
	__le64 wake_page;		/* physical address, page-aligned, in the guest's memory */
	__le32 wake_flags;		/* SIGMA_WAKE_* */
	__le32 sleeps;			/* how often it has reported SIGMA_GUEST_ASLEEP */
	__le32 refusals;		/* how often it could not obey SIGMA_POWER_SLEEP */
	__le32 refusal;			/* errno value of the last of these; written before @refusals */
	/*
	 * Written before it reports SIGMA_GUEST_ASLEEP: when its alarm shall wake it, in seconds since
	 * 1970 (CLOCK_REALTIME of the host). 0: not at a time
	 */
	__le64 wake_at;
	__u8 pad[8];
	char release[64];		/* utsname release, NUL-terminated */
	char panic_text[192];		/* first line of the panic, NUL-terminated */
};

/*
 * By which addresses others look for the guest when they do not know that of its NIC. Written by the guest
 * before SIGMA_BUS_SLEEP, or as zeros.
 */
#define SIGMA_WAKE_ADDRESSES	16

struct sigma_iosc_wake {
	__le32 nr_ipv4;			/* 0..SIGMA_WAKE_ADDRESSES, of @ipv4 */
	__le32 nr_groups;		/* likewise, of @group */
	__u8 ipv4[SIGMA_WAKE_ADDRESSES][4];	/* of its NICs, in network byte order */
	/* The last bytes of 33:33:ff:*, by which hosts look for an IPv6 address (RFC 4861), and a 0 */
	__u8 group[SIGMA_WAKE_ADDRESSES][4];
};

#define SIGMA_HEARTBEAT_MS	500

/*
 * The guard answers a guest's CPUID while the guest boots. When the guest's driver is up, it asks
 * for the CPU's own answers by one VMMCALL (Intel: VMCALL) with this value in RAX, at CPL 0. Any
 * other VMMCALL or VMCALL is #UD, as without a guard.
 */
#define SIGMA_GUARD_CALL_UP	0x7075414d47495355ULL	/* "USIGMAup" */

/*
 * The wall clock. Only the host writes it, whenever its own clock changes its rate or is set. At
 * TSC value t, CLOCK_REALTIME is
 *
 *	realtime_ns + ((t - tsc) * mult >> shift)
 *
 * also for t < tsc; the product has up to 96 bits. The fields are valid if `seq` is even and the
 * same before and after reading them, and `mult` is not 0.
 */
#define SIGMA_CLOCK_IS_TSC	0x1	/* exact: the TSC is the host's own clock source */
#define SIGMA_CLOCK_SHIFT_MAX	32

struct sigma_iosc_clock {
	__le32 seq;
	__le32 flags;			/* SIGMA_CLOCK_* */
	__le64 tsc;
	__le64 realtime_ns;
	__le32 mult;
	__le32 shift;			/* 0..SIGMA_CLOCK_SHIFT_MAX */
	__u8 pad[32];
};

/*
 * The area of memory objects (object.h): a piece of the guest's memory that its kernel does not use.
 * Written by the host before the guest starts. A size of 0: there is none
 */
struct sigma_iosc_shared {
	__le64 phys;			/* a multiple of SIGMA_SEGMENT_ALIGN, as is the size */
	__le64 size;			/* bytes */
};

struct sigma_iosc_header {
	/* written by the host before the guest starts, constant while it runs */
	__le64 magic;			/* SIGMA_IOSC_MAGIC */
	__le32 version;			/* SIGMA_IOSC_VERSION */
	__le32 size;			/* SIGMA_IOSC_SIZE */
	char name[32];			/* the guest's name, NUL-terminated */
	__le32 guarded;			/* 1: the guest shall do SIGMA_GUARD_CALL_UP */
	/* written by the host at any time */
	__le32 nmis;			/* incremented before each NMI that the host sends */
	/* constant, as above */
	__le32 wakes;			/* 1: the host can wake a guest that is asleep */
	__u8 pad0[4];

	struct sigma_iosc_clock clock;
	struct sigma_iosc_doorbell to_host;
	struct sigma_iosc_doorbell to_guest;
	struct sigma_iosc_guest guest;
	struct sigma_iosc_wake wake;
	struct sigma_iosc_shared shared;
};

/*
 * The ACPI multiprocessor wake-up mailbox (ACPI 6.4, 5.2.12.19), version 0. The guest's
 * secondary CPUs poll `command` in code of the host. Page-aligned.
 */
#define SIGMA_MAILBOX_WAKEUP	1

struct sigma_iosc_mailbox {
	__le16 command;			/* guest: 1 = wake up; host: 0 = done */
	__le16 reserved;
	__le32 apic_id;			/* guest */
	__le64 wakeup_vector;		/* guest: physical address, identity mapped */
};

/*
 * A control ring: single producer, single consumer, SIGMA_RING_SLOTS slots of one message each.
 * Both indices are never reset, and are reduced modulo SIGMA_RING_SLOTS on use. The ring is empty
 * when they are equal, full when they differ by SIGMA_RING_SLOTS, broken when they differ by more.
 * The producer fills the slot, then publishes it by a release store of `produced`. The consumer
 * copies the slot out, then frees it by a release store of `consumed`. The producer rings
 * SIGMA_DOORBELL_CONTROL after each message, the consumer at least when a full ring has room again.
 */
#define SIGMA_RING_SLOTS	64	/* power of two */
#define SIGMA_MSG_MAX		248	/* bytes of payload in one message */

struct sigma_iosc_slot {
	__le32 length;			/* bytes used of @data, 1..SIGMA_MSG_MAX */
	__le32 reserved;		/* 0 */
	__u8 data[SIGMA_MSG_MAX];
};

struct sigma_iosc_ring {
	__le32 produced;		/* owned by the producer */
	__u8 pad0[60];
	__le32 consumed;		/* owned by the consumer */
	__u8 pad1[60];
	struct sigma_iosc_slot slot[SIGMA_RING_SLOTS];
};

/*
 * The guest's kernel log. Only the guest writes it, and it never waits: it stores bytes at
 * head % SIGMA_IOSC_LOG_BYTES, overwriting the oldest, then publishes `head` by a release store.
 * A reader keeps its own tail. Where head - tail exceeds SIGMA_IOSC_LOG_BYTES, the reader has lost
 * the difference and reports it ("<missed N bytes>").
 */
struct sigma_iosc_log {
	__le64 head;			/* bytes ever written */
	__u8 pad[4088];
	char data[SIGMA_IOSC_LOG_BYTES];
};

/*
 * Control messages. Ids and their meaning follow the draft of the virtio-msg transport; magic,
 * version and framing are our own. A request has exactly one response, with the same id, device
 * and token; an event has none. The guest sends one request at a time. An invalid request is
 * answered with `status` != 0.
 */
#define SIGMA_MSG_RESPONSE	0x01	/* flags: answers a request */
#define SIGMA_MSG_BUS		0x02	/* flags: to the bus, `device` is 0 */

struct sigma_msg {
	__u8 flags;
	__u8 id;			/* enum sigma_msg_id, enum sigma_bus_id */
	__le16 device;			/* 0..SIGMA_DEVICES-1 */
	__le16 token;			/* chosen by the requester, echoed */
	__le16 status;			/* response: 0 or an errno value */
	/* one of the structs below follows, without padding */
};

#define SIGMA_MSG_PAYLOAD_MAX	(SIGMA_MSG_MAX - sizeof(struct sigma_msg))
#define SIGMA_DEVICES		64
#define SIGMA_QUEUES		32	/* virtqueues per device */

enum sigma_bus_id {
	SIGMA_BUS_HELLO		= 0x01,	/* request: none; response: sigma_bus_hello */
	SIGMA_BUS_GET_DEVICES	= 0x02,	/* request and response: sigma_bus_devices */
	SIGMA_BUS_PING		= 0x03,	/* request and response: none */
	SIGMA_BUS_AWAKE		= 0x04,	/* request: sigma_bus_awake; response: none */
	SIGMA_BUS_SLEEP		= 0x05,	/* request: sigma_bus_sleep; response: none */
	SIGMA_BUS_EVENT_DEVICE	= 0x40,	/* event to guest: sigma_bus_event_device */
	SIGMA_BUS_EVENT_POWER	= 0x41,	/* event to guest: sigma_bus_event_power */
};

enum sigma_msg_id {
	SIGMA_MSG_DEVICE_INFO	= 0x02,	/* none -> sigma_msg_device_info */
	SIGMA_MSG_GET_FEATURES	= 0x03,	/* none -> sigma_msg_features */
	SIGMA_MSG_SET_FEATURES	= 0x04,	/* sigma_msg_features -> none */
	SIGMA_MSG_GET_CONFIG	= 0x05,	/* sigma_msg_config, data unused -> with data */
	SIGMA_MSG_SET_CONFIG	= 0x06,	/* sigma_msg_config with data -> none */
	SIGMA_MSG_GET_STATUS	= 0x07,	/* none -> sigma_msg_device_status */
	SIGMA_MSG_SET_STATUS	= 0x08,	/* sigma_msg_device_status -> the status after it */
	SIGMA_MSG_GET_VQUEUE	= 0x09,	/* sigma_msg_vqueue, index only -> filled in */
	SIGMA_MSG_SET_VQUEUE	= 0x0a,	/* sigma_msg_vqueue -> none */
	SIGMA_MSG_RESET_VQUEUE	= 0x0b,	/* sigma_msg_vqueue, index only -> none */
	SIGMA_MSG_EVENT_CONFIG	= 0x40,	/* event to guest: none */
};

#define SIGMA_HELLO_TELL_SLEEP	0x1	/* the guest shall send SIGMA_BUS_SLEEP */

struct sigma_bus_hello {
	__le32 version;			/* SIGMA_IOSC_VERSION of sigmad */
	__le32 flags;			/* SIGMA_HELLO_* */
};

/*
 * Hotplug. After an event, and whenever it has removed a device, the guest sends a request that
 * lists the devices it has, and the response lists the devices it should have. A device answers
 * until the guest has removed it, so its driver can be unbound in order. Only then is its number
 * used for another device.
 *
 * @present: bit n, in a request: the guest has device n. In a response: device n exists; where the
 *	bit is clear, the guest shall remove the device, even if it is in use
 * @leaving: bit n, in a response: unplug is pending, the guest shall remove device n unless it is
 *	in use. In a request: device n was in use, and the guest keeps it
 */
struct sigma_bus_devices {
	__le64 present;
	__le64 leaving;
};

struct sigma_bus_event_device {
	__le16 device;
	__le16 present;			/* 1: added, 0: to be removed */
	__le32 reserved;
};

enum sigma_power {
	SIGMA_POWER_OFF		= 1,	/* orderly power-off, as by a power button */
	SIGMA_POWER_REBOOT	= 2,	/* orderly reboot, as by ctrl-alt-del */
	SIGMA_POWER_SLEEP	= 3,	/* fall asleep, if sigma_iosc_guest.can_sleep is set */
};

struct sigma_bus_event_power {
	__le32 action;			/* enum sigma_power */
	/*
	 * SIGMA_POWER_SLEEP: sigma_iosc_guest.sleeps, as the host knows it. A guest that has slept since
	 * then has obeyed, and ignores the event. Else 0
	 */
	__le32 sleeps;
};

/* After SIGMA_POWER_SLEEP: the guest could not fall asleep, and goes on */
struct sigma_bus_awake {
	__le32 error;			/* errno value */
	__le32 reserved;
};

/*
 * Sent before the guest's NICs fall asleep. From the response on sigmad drops the frames that do not wake
 * the guest (sigma_iosc_wake), so none of them is pending when it reports SIGMA_GUEST_ASLEEP. If it does
 * not fall asleep after all, it sends one with @asleep 0. When it is woken, it sends none.
 */
struct sigma_bus_sleep {
	__le32 asleep;			/* 1: falls asleep; 0: goes on */
	__le32 reserved;
};

struct sigma_msg_device_info {
	__le32 device_id;		/* virtio device type, virtio 1.2 section 5 */
	__le32 vendor_id;
	__le32 config_size;		/* bytes */
	__le32 queues;			/* 0..SIGMA_QUEUES */
};

struct sigma_msg_features {
	__le64 features;
};

#define SIGMA_CONFIG_CHUNK	128

struct sigma_msg_config {
	__le32 offset;			/* offset + length <= config_size */
	__le32 length;			/* bytes, 1..SIGMA_CONFIG_CHUNK */
	__le32 generation;		/* in the response to GET_CONFIG */
	__le32 reserved;
	__u8 data[SIGMA_CONFIG_CHUNK];
};

/*
 * Only in a response, beside VIRTIO_CONFIG_S_NEEDS_RESET: the back end is gone. Nobody accesses the
 * virtqueues any more, or answers the requests in them, until the device is reset.
 */
#define SIGMA_STATUS_LOST	0x100

struct sigma_msg_device_status {
	__le32 status;			/* VIRTIO_CONFIG_S_*; 0 resets the device */
	__le32 reserved;
};

struct sigma_msg_vqueue {
	__le32 index;			/* 0..queues-1 */
	__le32 size;			/* GET: maximum, SET: chosen; entries, power of two */
	__le32 kick;			/* GET: doorbell to ring for the host */
	__le32 call;			/* GET: doorbell the host rings for the guest */
	__le64 desc;			/* SET: guest physical addresses */
	__le64 driver;
	__le64 device;
};

/* The layout is the ABI: a change below is a change of SIGMA_IOSC_VERSION. */
#ifdef __KERNEL__
#include <linux/build_bug.h>
#else
#include <assert.h>
#endif
#define _SIGMA_ABI(type, field, offset) \
	static_assert(__builtin_offsetof(struct type, field) == (offset), #type "." #field)
_SIGMA_ABI(sigma_iosc_clock, mult, 24);
static_assert(sizeof(struct sigma_iosc_clock) == 64, "sigma_iosc_clock");
_SIGMA_ABI(sigma_iosc_doorbell, pending, 64);
static_assert(sizeof(struct sigma_iosc_doorbell) == 128, "sigma_iosc_doorbell");
_SIGMA_ABI(sigma_iosc_header, clock, 64);
_SIGMA_ABI(sigma_iosc_header, to_host, 128);
_SIGMA_ABI(sigma_iosc_header, to_guest, 256);
_SIGMA_ABI(sigma_iosc_header, guest, 384);
_SIGMA_ABI(sigma_iosc_header, wake, 704);
static_assert(sizeof(struct sigma_iosc_wake) == 136, "sigma_iosc_wake");
_SIGMA_ABI(sigma_iosc_header, shared, 840);
_SIGMA_ABI(sigma_iosc_guest, wake_page, 24);
_SIGMA_ABI(sigma_iosc_guest, wake_at, 48);
_SIGMA_ABI(sigma_iosc_guest, release, 64);
_SIGMA_ABI(sigma_iosc_guest, panic_text, 128);
static_assert(sizeof(struct sigma_iosc_header) <= SIGMA_IOSC_MAILBOX_OFF, "header");
_SIGMA_ABI(sigma_iosc_mailbox, wakeup_vector, 8);
static_assert(sizeof(struct sigma_iosc_slot) == 256, "sigma_iosc_slot");
_SIGMA_ABI(sigma_iosc_ring, consumed, 64);
_SIGMA_ABI(sigma_iosc_ring, slot, 128);
static_assert(sizeof(struct sigma_iosc_ring) <= SIGMA_IOSC_RING_SIZE, "sigma_iosc_ring");
static_assert(SIGMA_IOSC_RING_OFF(SIGMA_IOSC_CHANNELS, 0) <= SIGMA_IOSC_OBJECTS_OFF, "rings");
static_assert(sizeof(struct sigma_grant) == 32, "sigma_grant");
_SIGMA_ABI(sigma_grants, held, 8192);
static_assert(sizeof(struct sigma_grants) == 12288, "sigma_grants");
static_assert(SIGMA_IOSC_OBJECTS_OFF + 2 * sizeof(struct sigma_grants) <= SIGMA_IOSC_LOG_OFF,
	      "objects");
_SIGMA_ABI(sigma_iosc_log, data, 4096);
static_assert(SIGMA_IOSC_LOG_OFF + sizeof(struct sigma_iosc_log) <= SIGMA_IOSC_CHANNELS_OFF, "log");
static_assert(sizeof(struct sigma_channel_state) == 64, "sigma_channel_state");
_SIGMA_ABI(sigma_channel_block, consumed, 64);
_SIGMA_ABI(sigma_channel_block, data, 4096);
_SIGMA_ABI(sigma_channel, block, 4096);
static_assert(sizeof(struct sigma_channel) == SIGMA_CHANNEL_SIZE, "sigma_channel");
static_assert(SIGMA_IOSC_CHANNEL_OFF(SIGMA_CHANNELS + 1) <= SIGMA_IOSC_SIZE, "channels");
static_assert(sizeof(struct sigma_msg) == 8, "sigma_msg");
static_assert(sizeof(struct sigma_msg_config) <= SIGMA_MSG_PAYLOAD_MAX, "sigma_msg_config");
static_assert(sizeof(struct sigma_msg_vqueue) == 40, "sigma_msg_vqueue");

#endif
