/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The ioctl interface of sigma.ko: /dev/sigma/control makes and destroys guests,
 * /dev/sigma/NAME drives one.
 *
 * A guest owns CPUs and memory that were lent by the host. It exists from SIGMA_CREATE
 * to SIGMA_DESTROY, whoever has its device open in between: the process that made it may
 * exit and another may go on.
 *
 * /dev/sigma/NAME
 *   read, write   one control message of IOSC channel 0 (struct sigma_msg and what
 *                 follows it) per call. read: blocks unless O_NONBLOCK; the buffer must
 *                 hold SIGMA_MSG_MAX bytes, else EINVAL; EPIPE when the guest is not
 *                 running and the ring is empty; EPROTO, for good, when the guest broke the ring.
 *                 write: EAGAIN or blocks when the ring is full; EPIPE when the guest
 *                 does not run; EMSGSIZE beyond SIGMA_MSG_MAX.
 *   poll          EPOLLIN: a message waits; EPOLLOUT: room for one; EPOLLPRI: the state
 *                 changed since this file last did SIGMA_GET_INFO.
 *   mmap          offset 0, SIGMA_IOSC_SIZE bytes, MAP_SHARED, PROT_READ: the IOSC window.
 *                 EPERM with PROT_WRITE.
 *   ioctl         below. All may sleep.
 *
 * /dev/iosc/NAME/1 to /dev/iosc/NAME/16 are the guest's channels: see channel.h.
 *
 * /sys/class/sigma/NAME/ shows state, cpus, memory and counters: see sysfs.c. Each change of
 * state sends a uevent; all of a guest's uevents carry SIGMA_STATE=.
 */
#ifndef _UAPI_SIGMA_H
#define _UAPI_SIGMA_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define SIGMA_NAME_MAX		32	/* with the NUL; [A-Za-z0-9][A-Za-z0-9_.-]* */
#define SIGMA_CPUS_MAX		64	/* CPUs of one guest */
#define SIGMA_SEGMENTS_MAX	64	/* pieces of one guest's memory */
#define SIGMA_SEGMENT_ALIGN	0x200000ULL
#define SIGMA_LOW_SIZE		0x10000	/* bytes below 1 MiB that each guest is given */

#define SIGMA_CREATE_SPLIT_CORES 0x1	/* allow hyperthread siblings to be split */

/* What keeps a guest inside of what is its own: kmod/guard/guard.h tells how */
enum sigma_guard_kind {
	SIGMA_GUARD_NO		= 0,	/* nothing does: the guest is as trusted as the host */
	SIGMA_GUARD_MEMORY	= 1,	/* memory, ports and machine-wide registers */
	SIGMA_GUARD_FULL	= 2,	/* these, and which interrupts it sends */
	SIGMA_GUARD_AUTO	= 3,	/* SIGMA_CREATE only: the strongest that this machine can do */
};

/**
 * struct sigma_create - argument of SIGMA_CREATE
 * @name: NUL-terminated; neither "control" nor the name of a guest that exists
 * @memory: bytes, a multiple of SIGMA_SEGMENT_ALIGN
 * @flags: SIGMA_CREATE_*
 * @guard: enum sigma_guard_kind
 * @reserved: 0
 * @nr_cpus: 1..SIGMA_CPUS_MAX
 * @cpus: logical CPU numbers of the host, no number twice; the first one boots the guest
 * @error: out: what was wrong, for people, NUL-terminated; empty on success
 */
struct sigma_create {
	char name[SIGMA_NAME_MAX];
	__u64 memory;
	__u32 flags;
	__u32 guard;
	__u32 reserved;
	__u32 nr_cpus;
	__u32 cpus[SIGMA_CPUS_MAX];
	char error[192];
};

/**
 * struct sigma_destroy - argument of SIGMA_DESTROY
 * @name: the guest
 */
struct sigma_destroy {
	char name[SIGMA_NAME_MAX];
};

enum sigma_state {
	SIGMA_STATE_CREATED	= 0,	/* CPUs and memory lent, never started */
	SIGMA_STATE_BOOTING	= 1,	/* started; its driver has not spoken yet */
	SIGMA_STATE_RUNNING	= 2,	/* its driver is up */
	SIGMA_STATE_POWEROFF	= 3,	/* it switched itself off; CPUs parked */
	SIGMA_STATE_REBOOT	= 4,	/* it wants to be started again; CPUs parked */
	SIGMA_STATE_PANICKED	= 5,	/* it panicked; CPUs parked */
	SIGMA_STATE_STOPPED	= 6,	/* stopped by SIGMA_STOP; CPUs parked */
	SIGMA_STATE_LOST	= 7,	/* a CPU did not answer INIT: nothing is given back */
	SIGMA_STATE_UNRESPONSIVE = 8,	/* running, but its heartbeat stands still */
	SIGMA_STATE_CONTAINED	= 9,	/* its guard stopped it; CPUs parked; see sysfs "violation" */
};

/**
 * struct sigma_segment - a piece of the guest's memory
 * @phys: physical address, the same number for host and guest
 * @size: bytes
 *
 * Segment 0 starts at offset 0 of the memory file, the next one where it ends. Segments that
 * touch are reported as one. The low memory is not in the file.
 */
struct sigma_segment {
	__u64 phys;
	__u64 size;
};

/**
 * struct sigma_info - argument of SIGMA_GET_INFO, all out
 * @state: enum sigma_state
 * @nr_cpus: and @cpus, @apic_ids: as given to SIGMA_CREATE, with physical APIC IDs
 * @nr_segments: and @segments: guest memory, ascending addresses
 * @bsp_apic_id: APIC ID of the host's boot CPU, which no guest ever owns
 * @tsc_khz: of the host
 * @guard: enum sigma_guard_kind that it has, never AUTO
 * @iosc_phys: the IOSC window, SIGMA_IOSC_SIZE bytes
 * @low_phys: SIGMA_LOW_SIZE bytes of memory below 1 MiB for the guest to use
 * @ioapic_phys: a zeroed page below 1 MiB for the MADT to name as the I/O APIC
 */
struct sigma_info {
	char name[SIGMA_NAME_MAX];
	__u32 state;
	__u32 nr_cpus;
	__u32 nr_segments;
	__u32 bsp_apic_id;
	__u32 tsc_khz;
	__u32 guard;
	__u64 memory;
	__u64 iosc_phys;
	__u64 low_phys;
	__u64 ioapic_phys;
	__u32 cpus[SIGMA_CPUS_MAX];
	__u32 apic_ids[SIGMA_CPUS_MAX];
	struct sigma_segment segments[SIGMA_SEGMENTS_MAX];
};

/**
 * struct sigma_start - argument of SIGMA_START
 * @entry: guest physical address to jump to in 64-bit mode, paging on, all of the
 *	   guest's memory, its low memory and the IOSC window identity mapped,
 *	   interrupts off, flat segments (Documentation/arch/x86/boot.rst, 64-bit protocol)
 * @boot_params: guest physical address passed in RSI
 */
struct sigma_start {
	__u64 entry;
	__u64 boot_params;
};

/**
 * struct sigma_eventfd - argument of SIGMA_SET_KICK and SIGMA_SET_CALL
 * @doorbell: SIGMA_DOORBELL_FIRST..SIGMA_DOORBELL_END-1; SIGMA_SET_KICK also takes
 *	      SIGMA_DOORBELL_LOG
 * @fd: an eventfd, or -1 to take the binding back
 */
struct sigma_eventfd {
	__u32 doorbell;
	__s32 fd;
};

/**
 * struct sigma_low - argument of SIGMA_READ_LOW
 * @buffer: address of SIGMA_LOW_SIZE bytes for what is at sigma_info.low_phys
 */
struct sigma_low {
	__u64 buffer;
};

#define SIGMA_IOC	0xE5

/*
 * On /dev/sigma/control.
 *
 * SIGMA_CREATE: lend CPUs and memory, make /dev/sigma/NAME. Takes everything or nothing.
 *   EINVAL  a field is out of bounds, a CPU may not be lent (CPU 0, no such CPU,
 *           a split core), the name is malformed
 *   EEXIST  the name is taken
 *   EBUSY   a CPU is lent already, is the last one, or could not be taken offline
 *   ENOMEM  the memory could not be gathered, or is too much of what the host has
 *   ENOSPC  there is no room left below 1 MiB
 *   EOPNOTSUPP  this machine can't guard a guest in the way that was asked for
 *   ESHUTDOWN  the machine is about to restart or to sleep
 * SIGMA_DESTROY: stop the guest if it runs, give everything back, remove the device.
 *   ENOENT  no such guest
 *   EBUSY   a memory file of it is still open or mapped
 *   EIO     a CPU could not be confirmed as stopped: its memory stays lent for good
 */
#define SIGMA_CREATE	_IOWR(SIGMA_IOC, 0x01, struct sigma_create)
#define SIGMA_DESTROY	_IOW(SIGMA_IOC, 0x02, struct sigma_destroy)

/*
 * On /dev/sigma/NAME.
 *
 * SIGMA_GET_INFO: always succeeds; clears this file's EPOLLPRI.
 * SIGMA_START: reset the IOSC window and start the guest's CPUs.
 *   EBUSY   it runs
 *   EFAULT  @entry or @boot_params is not in the guest's memory
 *   ENOMEM  no memory for what guards it
 *   EIO     a CPU did not answer; the guest is SIGMA_STATE_STOPPED, or SIGMA_STATE_LOST where
 *           not all of its CPUs could be stopped again
 *   ESHUTDOWN  the machine is about to restart or to sleep
 * SIGMA_STOP: stop its CPUs with INIT, whatever they do, and park them. Its memory and
 *   the IOSC window stay as they are. No error when it does not run.
 *   EIO     a CPU did not answer; it is SIGMA_STATE_LOST then
 * SIGMA_NMI: send an NMI to its first CPU, whose driver logs what it interrupted.
 *   EPIPE   its driver is not up: a kernel that can't take an NMI would reset the machine
 *   EOPNOTSUPP  its driver does not take NMIs
 *   EIO     the local APIC did not send it
 * SIGMA_MEMORY_FD: returns a new file descriptor for the guest's memory: offset 0 is the
 *   start of segment 0, lseek(SEEK_END) gives the size, mmap gives ordinary pages.
 * SIGMA_SET_KICK: when the guest rings the doorbell, signal this eventfd.
 * SIGMA_SET_CALL: when this eventfd is signalled, ring the doorbell of the guest.
 *   Bindings outlive the file; SIGMA_STOP, SIGMA_DESTROY or fd == -1 take them back.
 *   EINVAL  doorbell out of range, or fd is no eventfd
 *   EBADF   fd is not open
 * SIGMA_READ_LOW: copy the low memory, which is not in the memory file.
 *   EFAULT  @buffer is not all writable
 *   ENOMEM  no memory for it meanwhile
 */
#define SIGMA_GET_INFO	_IOR(SIGMA_IOC, 0x10, struct sigma_info)
#define SIGMA_START	_IOW(SIGMA_IOC, 0x11, struct sigma_start)
#define SIGMA_STOP	_IO(SIGMA_IOC, 0x12)
#define SIGMA_MEMORY_FD	_IO(SIGMA_IOC, 0x13)
#define SIGMA_SET_KICK	_IOW(SIGMA_IOC, 0x14, struct sigma_eventfd)
#define SIGMA_SET_CALL	_IOW(SIGMA_IOC, 0x15, struct sigma_eventfd)
#define SIGMA_READ_LOW	_IOW(SIGMA_IOC, 0x16, struct sigma_low)
#define SIGMA_NMI	_IO(SIGMA_IOC, 0x17)

#endif
