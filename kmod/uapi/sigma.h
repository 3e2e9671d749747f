/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause */
/*
 * The ioctl interface of sigma.ko: /dev/sigma/control makes and destroys guests and fills the pool,
 * /dev/sigma/NAME drives one guest.
 *
 * A guest owns CPUs and memory that the host has lent. It exists from SIGMA_CREATE to
 * SIGMA_DESTROY, also while no process has its device open: the process that made it may exit, and
 * another one may take it over.
 *
 * /dev/sigma/NAME
 *   read, write   one control message (iosc.h: struct sigma_msg and what
 *                 follows it) per call. read: blocks unless O_NONBLOCK; the buffer must
 *                 hold SIGMA_MSG_MAX bytes, else EINVAL; EPIPE when the guest is not
 *                 running and the ring is empty; EPROTO, until the next start, when the guest
 *                 broke the ring.
 *                 write: blocks, or EAGAIN if O_NONBLOCK, when the ring is full; EPIPE when
 *                 the guest does not run; EMSGSIZE: not 1..SIGMA_MSG_MAX bytes.
 *   poll          EPOLLIN: a message waits; EPOLLOUT: room for one; EPOLLPRI: the state
 *                 changed since this file last did SIGMA_GET_INFO, or the guest is asleep and
 *                 one of its doorbells was rung since then: sigma_iosc_header.to_guest has which.
 *   mmap          offset 0, SIGMA_IOSC_SIZE bytes, MAP_SHARED, PROT_READ: the IOSC (inter-OS
 *                 communication) window, see iosc.h. EPERM with PROT_WRITE.
 *   ioctl         below. All may sleep.
 *
 * Once the guest is destroyed, read, write and ioctl fail with ENODEV, and poll reports EPOLLERR
 * and EPOLLHUP.
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
/*
 * Bytes below 1 MiB that each guest is given, in one piece. A kernel puts its real-mode code there
 * (arch/x86/realmode), which has 24 to 28 KiB and does not boot without. Before that, the
 * decompressor uses 8 KiB of the same memory, if at all, to switch 5-level paging on.
 */
#define SIGMA_LOW_SIZE		0xa000

#define SIGMA_CREATE_SPLIT_CORES 0x1	/* allow hyperthread siblings to be split */
#define SIGMA_CREATE_ONE_NODE	0x2	/* memory of the first CPU's NUMA node alone */

/* The minimal hypervisor that confines a guest: see kmod/guard/guard.h */
enum sigma_guard_kind {
	SIGMA_GUARD_NO		= 0,	/* none: the guest is as trusted as the host's kernel */
	SIGMA_GUARD_MEMORY	= 1,	/* controls memory, ports and machine-wide registers */
	SIGMA_GUARD_FULL	= 2,	/* controls these, and which interrupts the guest sends */
	SIGMA_GUARD_AUTO	= 3,	/* SIGMA_CREATE only: the strongest that is possible */
};

/*
 * Why a guest cannot be made or cannot have a guard, or why a range of memory cannot be in the
 * pool. "value" is sigma_why.value
 */
enum sigma_reason {
	SIGMA_REASON_NONE		= 0,
	/* The arguments */
	SIGMA_REASON_CLOSED		= 1,	/* the machine is about to restart or to sleep */
	SIGMA_REASON_NAME		= 2,	/* the name is malformed */
	SIGMA_REASON_EXISTS		= 3,	/* a guest has this name */
	SIGMA_REASON_FLAGS		= 4,	/* unknown flags; value: which */
	SIGMA_REASON_GUARD		= 5,	/* unknown guard; value: which */
	SIGMA_REASON_NR_CPUS		= 6,	/* 0 or more than SIGMA_CPUS_MAX; value: how many */
	SIGMA_REASON_MEMORY_SIZE	= 7,	/* not in SIGMA_SEGMENT_ALIGN; value: bytes */
	/* The CPU sigma_why.cpu */
	SIGMA_REASON_CPU_TWICE		= 8,	/* is named twice */
	SIGMA_REASON_CPU_0		= 9,	/* is CPU 0, which is never lent */
	SIGMA_REASON_CPU_NONE		= 10,	/* is not there */
	SIGMA_REASON_CPU_LENT		= 11,	/* is lent already */
	SIGMA_REASON_CPU_SMT		= 12,	/* and all others are hyperthreads that the host
						 * has switched off
						 */
	SIGMA_REASON_CPU_APIC_ID	= 13,	/* has an APIC ID above 254; value: the ID */
	SIGMA_REASON_CPU_SIBLING	= 14,	/* shares a core with CPU number value */
	SIGMA_REASON_CPU_BUSY		= 15,	/* could not be taken offline; value: errno */
	/* The host's resources */
	SIGMA_REASON_NO_MEMORY		= 16,	/* for the kernel's own structs */
	SIGMA_REASON_WINDOW		= 17,	/* no SIGMA_IOSC_SIZE bytes in one piece */
	SIGMA_REASON_INTERRUPT		= 18,	/* no interrupt for doorbells; value: errno */
	SIGMA_REASON_LOW_MEMORY		= 19,	/* no room left below 1 MiB; value: guests that exist */
	SIGMA_REASON_GUEST_MEMORY	= 20,	/* more than can be lent; value: how many bytes can */
	SIGMA_REASON_PAGE_TABLES	= 21,	/* no memory for them below 4 GiB */
	SIGMA_REASON_DEVICE		= 22,	/* no device node; value: errno */
	SIGMA_REASON_CHANNELS		= 23,	/* no device nodes of channels; value: errno */
	/* The guard */
	SIGMA_REASON_NO_VIRTUALISATION	= 24,	/* neither SVM nor VMX */
	SIGMA_REASON_SVM_UNKNOWN	= 25,	/* the CPU does not tell if SVM may be used */
	SIGMA_REASON_SVM_OFF		= 26,	/* the firmware switched SVM off */
	SIGMA_REASON_SVM_INIT		= 27,	/* the firmware redirects INIT */
	SIGMA_REASON_SVM_NO_NPT		= 28,	/* SVM without nested paging */
	SIGMA_REASON_VMX_OFF		= 29,	/* the firmware switched VMX off */
	SIGMA_REASON_VMX_OLD		= 30,	/* VMX without the "true" controls */
	SIGMA_REASON_VMX_NO_EPT		= 31,	/* no EPT, VPID or unrestricted guest */
	SIGMA_REASON_VMX_NO_EFER	= 32,	/* entries, exits do not switch EFER and PAT */
	SIGMA_REASON_VMX_EPT_OLD	= 33,	/* EPT without large pages or INVEPT of all */
	SIGMA_REASON_NO_X2APIC		= 34,	/* no x2APIC mode, which SIGMA_GUARD_FULL needs */
	SIGMA_REASON_X2APIC_ID		= 35,	/* the CPU would in x2APIC mode get interrupts
						 * that the host sends to CPU number value
						 */
	/* The pool */
	SIGMA_REASON_POOL_BOUNDS	= 36,	/* a multiple of SIGMA_SEGMENT_ALIGN is needed */
	SIGMA_REASON_POOL_EXISTS	= 37,	/* this very range is in the pool */
	SIGMA_REASON_POOL_OVERLAPS	= 38,	/* part of the range is in the pool */
	SIGMA_REASON_POOL_FULL		= 39,	/* the pool has so many ranges; value: how many */
	SIGMA_REASON_POOL_IN_USE	= 40,	/* the host or a driver uses some of the range */
	SIGMA_REASON_POOL_NOT_RAM	= 41,	/* not the host's RAM, and no SIGMA_POOL_RAM */
	SIGMA_REASON_POOL_UNMAPPABLE	= 42,	/* cannot be mapped; value: errno */
	/* The host's resources, continued */
	SIGMA_REASON_SCATTERED		= 43,	/* the host's memory is in use here and there, and
						 * what can be moved is in too many pieces; value:
						 * bytes that were found in SIGMA_SEGMENTS_MAX
						 */
	/* The CPU sigma_why.cpu, continued */
	SIGMA_REASON_CPU_NEW		= 44,	/* was never online, and could not be brought up
						 * once; value: errno
						 */
	SIGMA_REASON_NODE_MEMORY	= 45,	/* its NUMA node lacks memory, with
						 * SIGMA_CREATE_ONE_NODE; value: bytes that were
						 * found there
						 */
	SIGMA_REASON_CPU_OTHER		= 46,	/* SIGMA_WAKE: is another one than before: it has
						 * APIC ID value
						 */
	/* SIGMA_CREATE_AT: a place that the guest must have; value: address, unless said otherwise */
	SIGMA_REASON_PLACE		= 47,	/* misaligned, or places overlap or are in no order */
	SIGMA_REASON_PLACE_NO_RAM	= 48,	/* is not the host's memory, or may not be lent */
	SIGMA_REASON_PLACE_GUEST	= 49,	/* another guest has memory or its window there */
	SIGMA_REASON_PLACE_HOST		= 50,	/* the host uses it, and cannot move what it has there */
	SIGMA_REASON_PLACE_LOW		= 51,	/* below 1 MiB: another guest has it, or none may */
	SIGMA_REASON_NO_APIC_ID		= 52,	/* no CPU of the machine has APIC ID value */
	SIGMA_REASON_PLACE_PIECES	= 53,	/* from here on it would be more than SIGMA_SEGMENTS_MAX
						 * pieces of the pool and of the host
						 */
};

/**
 * struct sigma_why - a reason
 * @reason: enum sigma_reason
 * @cpu: the host's number of the CPU that is to blame, where the reason is about one
 * @value: see enum sigma_reason
 */
struct sigma_why {
	__u32 reason;
	__u32 cpu;
	__u64 value;
};

/**
 * struct sigma_create - argument of SIGMA_CREATE
 * @name: NUL-terminated; neither "control" nor the name of a guest that exists
 * @memory: bytes, a multiple of SIGMA_SEGMENT_ALIGN
 * @flags: SIGMA_CREATE_*
 * @guard: enum sigma_guard_kind
 * @reserved: 0
 * @nr_cpus: 1..SIGMA_CPUS_MAX
 * @cpus: logical CPU numbers of the host, no number twice; the first one boots the guest. CPUs that
 *	  are offline are lent and given back as such. Memory of the first one's NUMA node is
 *	  preferred, and required with SIGMA_CREATE_ONE_NODE
 * @why: out: on an error the reason. On success the reason why SIGMA_GUARD_AUTO did not become
 *	 SIGMA_GUARD_FULL, or SIGMA_REASON_NONE
 */
struct sigma_create {
	char name[SIGMA_NAME_MAX];
	__u64 memory;
	__u32 flags;
	__u32 guard;
	__u32 reserved;
	__u32 nr_cpus;
	__u32 cpus[SIGMA_CPUS_MAX];
	struct sigma_why why;
};

/**
 * struct sigma_segment - a piece of the guest's memory
 * @phys: physical address, the same number for host and guest
 * @size: bytes
 *
 * Segment 0 starts at offset 0 of the memory file, and each next one where the one before ends.
 * Adjacent pieces are reported as one segment. The low memory is not in the file.
 */
struct sigma_segment {
	__u64 phys;
	__u64 size;
};

/**
 * struct sigma_create_at - argument of SIGMA_CREATE_AT
 * @create: as for SIGMA_CREATE. @create.memory is the sum of @segments, and @create.cpus are ignored.
 *	    SIGMA_CREATE_ONE_NODE is not possible
 * @apic_ids: @create.nr_cpus physical APIC IDs of CPUs, the first one boots the guest
 * @iosc_phys: sigma_info.iosc_phys, a multiple of SIGMA_IOSC_SIZE
 * @low_phys: sigma_info.low_phys, a multiple of 4096
 * @nr_segments: number of @segments, 1..SIGMA_SEGMENTS_MAX
 * @reserved: 0
 * @segments: sigma_info.segments: multiples of SIGMA_SEGMENT_ALIGN, not 0, by ascending addresses, none
 *	      adjacent to the next
 */
struct sigma_create_at {
	struct sigma_create create;
	__u32 apic_ids[SIGMA_CPUS_MAX];
	__u64 iosc_phys;
	__u64 low_phys;
	__u32 nr_segments;
	__u32 reserved;
	struct sigma_segment segments[SIGMA_SEGMENTS_MAX];
};

/**
 * struct sigma_destroy - argument of SIGMA_DESTROY
 * @name: the guest
 */
struct sigma_destroy {
	char name[SIGMA_NAME_MAX];
};

/*
 * The caller vouches that the range is RAM. sigma.ko cannot find out, and without it takes memory
 * blocks that were set offline, but no memory that the host has never had.
 */
#define SIGMA_POOL_RAM	0x1

/**
 * struct sigma_pool_add - argument of SIGMA_POOL_ADD
 * @phys: physical address, a multiple of SIGMA_SEGMENT_ALIGN, not 0
 * @size: bytes, a multiple of SIGMA_SEGMENT_ALIGN, not 0
 * @flags: SIGMA_POOL_*
 * @why: out: on an error the reason
 */
struct sigma_pool_add {
	__u64 phys;
	__u64 size;
	__u64 flags;
	struct sigma_why why;
};

enum sigma_state {
	SIGMA_STATE_CREATED	= 0,	/* CPUs and memory lent, never started */
	SIGMA_STATE_BOOTING	= 1,	/* started or woken; its driver has not reported yet */
	SIGMA_STATE_RUNNING	= 2,	/* its driver is up */
	SIGMA_STATE_POWEROFF	= 3,	/* it switched itself off; CPUs parked */
	SIGMA_STATE_REBOOT	= 4,	/* it asks to be started again; CPUs parked */
	SIGMA_STATE_PANICKED	= 5,	/* it panicked; CPUs parked */
	SIGMA_STATE_STOPPED	= 6,	/* stopped by SIGMA_STOP; CPUs parked */
	SIGMA_STATE_LOST	= 7,	/* a CPU did not answer INIT: nothing is returned */
	SIGMA_STATE_UNRESPONSIVE = 8,	/* running, but its heartbeat has stopped */
	SIGMA_STATE_CONTAINED	= 9,	/* its guard stopped it, see SIGMA_GET_VIOLATION; parked */
	SIGMA_STATE_ASLEEP	= 10,	/* it fell asleep; CPUs parked or given back, memory kept */
};

/**
 * struct sigma_info - argument of SIGMA_GET_INFO; all fields are out
 * @name: of the guest
 * @state: enum sigma_state
 * @nr_cpus: number of @cpus and of @apic_ids
 * @nr_segments: number of @segments
 * @bsp_apic_id: APIC ID of the host's boot CPU, which no guest ever owns
 * @tsc_khz: frequency of the TSC, as the host has measured it
 * @guard: enum sigma_guard_kind, never AUTO
 * @memory: bytes, as given to SIGMA_CREATE
 * @iosc_phys: physical address of the IOSC window, SIGMA_IOSC_SIZE bytes
 * @low_phys: physical address of SIGMA_LOW_SIZE bytes below 1 MiB for the guest to use
 * @ioapic_phys: a zeroed page below 1 MiB for the MADT to name as the I/O APIC
 * @cpus: as given to SIGMA_CREATE
 * @apic_ids: physical APIC IDs of @cpus
 * @segments: the guest's memory, by ascending addresses
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
 * struct sigma_wake - argument of SIGMA_WAKE
 * @flags: 0
 * @why: out: on EBUSY, EINVAL and ENOMEM the reason, if there is one
 */
struct sigma_wake {
	__u64 flags;
	struct sigma_why why;
};

/* What becomes of a guest when the machine sleeps; of one that runs then. Others are no hindrance */
enum sigma_suspend {
	SIGMA_SUSPEND_REFUSE	= 0,	/* the machine does not sleep. So it is after SIGMA_CREATE */
	SIGMA_SUSPEND_SLEEP	= 1,	/* it falls asleep before, and is woken afterwards */
	SIGMA_SUSPEND_STOP	= 2,	/* it switches itself off before, or is stopped */
};

/**
 * struct sigma_suspend_policy - argument of SIGMA_SET_SUSPEND
 * @policy: enum sigma_suspend
 * @reserved: 0
 */
struct sigma_suspend_policy {
	__u32 policy;
	__u32 reserved;
};

/**
 * struct sigma_wake_failure - argument of SIGMA_GET_WAKE_FAILURE; all fields are out
 * @error: errno value; 0: there was no failure, or the guest was woken or stopped since
 * @reserved: 0
 * @why: as in struct sigma_wake
 */
struct sigma_wake_failure {
	__u32 error;
	__u32 reserved;
	struct sigma_why why;
};

/**
 * struct sigma_restore - argument of SIGMA_RESTORE
 * @window: address of SIGMA_IOSC_SIZE bytes: the IOSC window of a guest that was asleep
 * @low: address of SIGMA_LOW_SIZE bytes: its low memory
 */
struct sigma_restore {
	__u64 window;
	__u64 low;
};

#define SIGMA_NODE_RANGES_MAX	128

/**
 * struct sigma_node_range - memory of one NUMA node
 * @phys: physical address
 * @size: bytes
 * @node: the host's number of the node
 * @reserved: 0
 */
struct sigma_node_range {
	__u64 phys;
	__u64 size;
	__u32 node;
	__u32 reserved;
};

/**
 * struct sigma_nodes - argument of SIGMA_GET_NODES; all fields are out
 * @nr_ranges: number of @ranges
 * @reserved: 0
 * @cpus: the host's numbers of the NUMA nodes of sigma_info.cpus
 * @ranges: all of sigma_info.segments, by ascending addresses, divided where the node changes
 */
struct sigma_nodes {
	__u32 nr_ranges;
	__u32 reserved;
	__u32 cpus[SIGMA_CPUS_MAX];
	struct sigma_node_range ranges[SIGMA_NODE_RANGES_MAX];
};

/**
 * struct sigma_shared - argument of SIGMA_SET_SHARED
 * @phys: physical address, a multiple of SIGMA_SEGMENT_ALIGN
 * @size: bytes, likewise; with @phys 0, too: none
 */
struct sigma_shared {
	__u64 phys;
	__u64 size;
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
 * @fd: an eventfd, or -1 to undo the binding
 */
struct sigma_eventfd {
	__u32 doorbell;
	__s32 fd;
};

/**
 * struct sigma_low - argument of SIGMA_READ_LOW
 * @buffer: address of SIGMA_LOW_SIZE bytes; receives a copy of what is at sigma_info.low_phys
 */
struct sigma_low {
	__u64 buffer;
};

/* What a guest did when its guard stopped it. "info" is sigma_violation.info */
enum sigma_violation_reason {
	SIGMA_VIOLATION_NONE		= 0,	/* the guard did not stop the guest */
	SIGMA_VIOLATION_MEMORY		= 1,	/* access to memory of others; info: address */
	SIGMA_VIOLATION_SHUTDOWN	= 2,	/* triple fault */
	SIGMA_VIOLATION_IPI		= 3,	/* sent a forbidden interrupt; info: the ICR */
	SIGMA_VIOLATION_STATE		= 4,	/* VM entry failed, or a state no kernel uses */
	SIGMA_VIOLATION_EXIT		= 5,	/* a VM exit that was not enabled; info: its code */
	SIGMA_VIOLATION_GUARD		= 6,	/* a fault in the guard itself; info: its address */
	SIGMA_VIOLATION_MACHINE_CHECK	= 7,	/* the guest can't go on; info: MCi or MCG_STATUS */
};

/**
 * struct sigma_violation - argument of SIGMA_GET_VIOLATION; all fields are out
 * @reason: enum sigma_violation_reason; if it is 0, so are all other fields
 * @cpu: the host's number of the CPU
 * @guest_cpu: the guest's number of that CPU, an index of sigma_info.cpus
 * @write: the access was a write
 * @fetch: the access was an instruction fetch
 * @cpl: the guest's privilege level
 * @reserved: 0
 * @info: see enum sigma_violation_reason
 * @address: of SIGMA_VIOLATION_MACHINE_CHECK: where memory failed, or 0
 * @rip: address of the guest's instruction
 * @gpr: general registers, numbered as in an instruction: RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI,
 *	 R8 to R15
 */
struct sigma_violation {
	__u32 reason;
	__u32 cpu;
	__u32 guest_cpu;
	__u8 write, fetch, cpl, reserved;
	__u64 info;
	__u64 address;
	__u64 rip, rflags, cr0, cr2, cr3, cr4, efer;
	__u64 gpr[16];
};

#define SIGMA_PANIC_MAX	192	/* bytes of the first line of a panic, with the NUL */

/**
 * struct sigma_panic - argument of SIGMA_PANIC
 * @text: the first line of the panic, NUL-terminated; sysfs "panic" shows it
 */
struct sigma_panic {
	char text[SIGMA_PANIC_MAX];
};

#define SIGMA_IOC	0xE5

/*
 * On /dev/sigma/control.
 *
 * SIGMA_CREATE: lend CPUs and memory, make /dev/sigma/NAME. Takes everything or nothing. Several
 *   calls may run at the same time; one that names a CPU of another waits until that has ended.
 *   EINVAL  a field is out of bounds, a CPU may not be lent (CPU 0, no such CPU,
 *           a split core, an APIC ID above 254), the name is malformed
 *   EEXIST  the name is taken
 *   EBUSY   a CPU is lent already, is the last one, or could not be taken offline
 *   ENOMEM  the memory could not be gathered, or would leave the host too little
 *   EINTR   a fatal signal came while the memory was gathered, or while the call waited
 *   ENOSPC  there is no room left below 1 MiB
 *   EOPNOTSUPP  this machine, or one of the CPUs, lacks what the requested guard needs
 *   ESHUTDOWN  the machine is about to restart or to sleep
 * SIGMA_CREATE_AT: as SIGMA_CREATE, for a guest that was saved and has to be where it was: with the
 *   same addresses, and with CPUs of the same APIC IDs. Of the errors above; and
 *   EBUSY   the host or another guest has a place, @why tells which
 *   EINVAL  no CPU has an APIC ID, or a place cannot be lent
 * SIGMA_DESTROY: stop the guest if it runs, return everything to the host, remove the device.
 *   ENOENT  no such guest, or SIGMA_CREATE has not made it yet
 *   EBUSY   a memory file of it is still open or mapped
 *   EIO     a CPU could not be confirmed as stopped: its memory stays lent for good
 * SIGMA_POOL_ADD: set a range of memory that the host does not use aside for guests. Guests get
 *   this memory first. The range stays in the pool until the module is unloaded.
 *   EPERM   the caller lacks CAP_SYS_ADMIN. To have opened the device is not enough: guests' memory
 *           is zeroed, and so would be a device whose addresses somebody calls RAM
 *   EINVAL  a field is out of bounds, or the range overlaps another one of the pool
 *   EEXIST  the pool has this very range
 *   ENOSPC  the pool has as many ranges as it can have
 *   EBUSY   the host or a driver uses some of the memory, or blocks of it go online or offline
 *   ENXIO   the host has no such memory, and SIGMA_POOL_RAM was not given
 *   ENOMEM  no memory for the kernel's own structs
 *   others  the range cannot be mapped
 */
#define SIGMA_CREATE	_IOWR(SIGMA_IOC, 0x01, struct sigma_create)
#define SIGMA_DESTROY	_IOW(SIGMA_IOC, 0x02, struct sigma_destroy)
#define SIGMA_POOL_ADD	_IOWR(SIGMA_IOC, 0x03, struct sigma_pool_add)
#define SIGMA_CREATE_AT	_IOWR(SIGMA_IOC, 0x04, struct sigma_create_at)

/*
 * On /dev/sigma/NAME.
 *
 * SIGMA_GET_INFO: always succeeds; clears this file's EPOLLPRI.
 * SIGMA_START: reset the IOSC window and start the guest's CPUs. While the machine falls asleep, or is
 *   asleep, this waits until it is awake.
 *   EBUSY   it runs or is asleep
 *   ENXIO   it was asleep, its CPUs were given back, and it was stopped then
 *   EFAULT  @entry or @boot_params is not in the guest's memory
 *   ENOMEM  no memory for the guard
 *   EIO     a CPU did not answer; the guest is SIGMA_STATE_STOPPED, or SIGMA_STATE_LOST if
 *           not all of its CPUs could be stopped again. Or it was SIGMA_STATE_LOST before
 *   ESHUTDOWN  the machine is about to restart
 * SIGMA_STOP: stop its CPUs with INIT, whatever they do, and park them. Its memory and
 *   the IOSC window stay as they are. No error when it does not run.
 *   EIO     a CPU did not answer; the guest is SIGMA_STATE_LOST then
 * SIGMA_NMI: send an NMI to its first CPU, whose driver logs what it interrupted.
 *   EPIPE   its driver is not up; an NMI to a kernel without a handler would reset the machine
 *   EOPNOTSUPP  its driver does not take NMIs
 *   EIO     the local APIC did not send it
 * SIGMA_PANIC: the guest panicked while it booted, and its log in its memory shows it: stop it as
 *   SIGMA_STOP does. Its state becomes SIGMA_STATE_PANICKED.
 *   EPIPE   it is not SIGMA_STATE_BOOTING
 *   EIO     a CPU did not answer; the guest is SIGMA_STATE_LOST then
 * SIGMA_RETURN_CPUS: give the CPUs of a guest that is asleep back to the host, which may also lend
 *   them to other guests. No error when they are back already. The memory stays lent.
 *   EPIPE   it is not asleep
 * SIGMA_WAKE: wake a guest that is asleep: lend its CPUs again, if they were given back, and start
 *   them. It is SIGMA_STATE_BOOTING then, until it reports. After an error it is still asleep,
 *   unless EIO says otherwise.
 *   EPIPE   it is not asleep
 *   EFAULT  where it wants to wake is not a page in its memory, or needs what the CPU lacks
 *   EBUSY, EINVAL  a CPU cannot be lent, @why tells which and why
 *   ENOMEM  no memory for the guard
 *   EIO     a CPU did not answer; the guest is asleep, or SIGMA_STATE_LOST if not all of its CPUs
 *           could be stopped again
 *   ESHUTDOWN  the machine is about to restart or to sleep
 * SIGMA_SET_SUSPEND: what shall become of the guest when the machine sleeps. The module does it,
 *   whether or not a process has the device open, before the machine's processes are frozen.
 *   EINVAL  a field is out of bounds
 * SIGMA_GET_WAKE_FAILURE: why the guest sleeps on, although it was put to sleep for the machine's
 *   sleep only. The state counts as changed (EPOLLPRI) when that happens. Always succeeds.
 * SIGMA_GET_VIOLATION: what the guest did when its guard stopped it. Valid until the next start.
 * SIGMA_GET_NODES: of which NUMA nodes its CPUs and its memory are.
 *   ENOMEM  no memory for a temporary copy
 * SIGMA_MEMORY_FD: returns a new file descriptor for the guest's memory: offset 0 is the
 *   start of segment 0, lseek(SEEK_END) gives the size, mmap gives ordinary pages. At a page with a
 *   memory error read and pread fail with EIO, and an access to the mapping is a SIGBUS.
 * SIGMA_SET_KICK: when the guest rings the doorbell, signal this eventfd.
 * SIGMA_SET_CALL: when this eventfd is signalled, ring the doorbell of the guest.
 *   Bindings outlive the open file; SIGMA_STOP, SIGMA_DESTROY or fd == -1 undo them.
 *   EINVAL  doorbell out of range, or fd is no eventfd
 *   EBADF   fd is not open
 * SIGMA_READ_LOW: copy the low memory, which is not in the memory file.
 *   EFAULT  @buffer is not all writable
 *   ENOMEM  no memory for a temporary copy
 * SIGMA_RESTORE: the guest, which was created and not started yet, becomes one that is asleep, with this
 *   IOSC window and low memory; its memory was written by the memory file. What the host has in the
 *   window is made anew. What the guest wrote is not trusted more than that of a guest that ran.
 *   EBUSY   it was started before
 *   EINVAL  the window has another version, or is not of a guest that is asleep
 *   EFAULT  the bytes cannot all be read
 *   ENOMEM  no memory for a temporary copy
 *   ESHUTDOWN  the machine is about to restart or to sleep
 * SIGMA_SET_SHARED: programs of the host and of the guest have memory objects (object.h) in this piece of
 *   the guest's memory, until the guest is destroyed. The caller keeps the guest's kernel from using it
 *   for anything else. What the guest has already may be said again, at a later start.
 *   EBUSY   it has another one; or none, and was started before
 *   EINVAL  a field is out of bounds
 *   EFAULT  not all of it is in one segment of the guest's memory
 *   ENOMEM  no memory for the kernel's own structs
 */
#define SIGMA_SET_SHARED _IOW(SIGMA_IOC, 0x20, struct sigma_shared)
#define SIGMA_GET_INFO	_IOR(SIGMA_IOC, 0x10, struct sigma_info)
#define SIGMA_START	_IOW(SIGMA_IOC, 0x11, struct sigma_start)
#define SIGMA_STOP	_IO(SIGMA_IOC, 0x12)
#define SIGMA_MEMORY_FD	_IO(SIGMA_IOC, 0x13)
#define SIGMA_SET_KICK	_IOW(SIGMA_IOC, 0x14, struct sigma_eventfd)
#define SIGMA_SET_CALL	_IOW(SIGMA_IOC, 0x15, struct sigma_eventfd)
#define SIGMA_READ_LOW	_IOW(SIGMA_IOC, 0x16, struct sigma_low)
#define SIGMA_NMI	_IO(SIGMA_IOC, 0x17)
#define SIGMA_PANIC	_IOW(SIGMA_IOC, 0x18, struct sigma_panic)
#define SIGMA_GET_VIOLATION _IOR(SIGMA_IOC, 0x19, struct sigma_violation)
#define SIGMA_GET_NODES	_IOR(SIGMA_IOC, 0x1a, struct sigma_nodes)
#define SIGMA_RETURN_CPUS _IO(SIGMA_IOC, 0x1b)
#define SIGMA_WAKE	_IOWR(SIGMA_IOC, 0x1c, struct sigma_wake)
#define SIGMA_SET_SUSPEND _IOW(SIGMA_IOC, 0x1d, struct sigma_suspend_policy)
#define SIGMA_GET_WAKE_FAILURE _IOR(SIGMA_IOC, 0x1e, struct sigma_wake_failure)
#define SIGMA_RESTORE	_IOW(SIGMA_IOC, 0x1f, struct sigma_restore)

#endif
