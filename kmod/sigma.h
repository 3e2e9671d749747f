/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sigma.ko: the declarations that its files share.
 *
 *	main.c		module, host checks, reboot and suspend
 *	guest.c		a guest's life: create, start, stop, destroy; its state
 *	cpu.c		lend and return CPUs; start them by INIT-SIPI, park them
 *	entry.S arrival.c	the entry pages, where a started CPU arrives
 *	frequency.c	the frequency of lent CPUs
 *	memory.c	lend and return memory
 *	pool.c		memory that was set aside at boot
 *	low.c		pages below 1 MiB
 *	identity.c	page tables for a CPU that arrives
 *	iosc.c		the IOSC (inter-OS communication) window: rings, doorbells, eventfds
 *	clock.c		the wall clock in the IOSC window
 *	chardev.c	/dev/sigma/ *
 *	memfile.c	a guest's memory as a file
 *	sysfs.c		/sys/class/sigma/ *
 *	guard/		the minimal hypervisor that confines a guest: see guard/guard.h
 *	shared/		what sigma_guest.ko is compiled from as well: doorbells, channels, the APIC
 *
 * Lock order: sigma_guests_lock (the list of guests), then guest.lock (one guest's state, CPUs
 * and memory), then the locks inside cpu.c and low.c.
 */
#ifndef _SIGMA_H
#define _SIGMA_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/eventfd.h>
#include <linux/ioport.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/poll.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "shared/channel.h"
#include "shared/doorbell.h"
#include "shared/ring.h"
#include "uapi/iosc.h"
#include "uapi/sigma.h"

#undef pr_fmt
#define pr_fmt(fmt) "sigma: " fmt

/** sigma_refuse - set @why, and return @err, a negative errno */
static inline int sigma_refuse(struct sigma_why *why, int err, enum sigma_reason reason, u32 cpu,
			       u64 value)
{
	*why = (struct sigma_why){ .reason = reason, .cpu = cpu, .value = value };
	return err;
}

/* memory.c */

struct sigma_piece {
	unsigned long pfn;
	unsigned long nr_pages;
	struct resource res;		/* the entry in /proc/iomem */
	bool listed;			/* @res was inserted */
};

struct sigma_memory {
	u64 size;
	u64 gathered;			/* bytes of @size taken so far */
	unsigned int nr_pieces;
	struct sigma_piece piece[SIGMA_SEGMENTS_MAX];
	unsigned int nr_segments;	/* the pieces, sorted; adjacent ones are merged */
	struct sigma_segment segment[SIGMA_SEGMENTS_MAX];
};

/**
 * sigma_memory_lend - take memory out of the host and zero it
 * @size: bytes, a multiple of SIGMA_SEGMENT_ALIGN
 * @node: NUMA node to try first
 * @label: name in /proc/iomem; must stay valid until sigma_memory_return()
 *
 * May sleep for seconds. Return: 0, -ENOMEM or -EINTR. On an error nothing is taken.
 */
int sigma_memory_lend(struct sigma_memory *mem, u64 size, int node, const char *label);

/** sigma_memory_lendable - bytes that could be lent now; less where memory is fragmented */
u64 sigma_memory_lendable(void);

/** sigma_memory_return - zero the memory and give it back; no guest's CPU may use it any more */
void sigma_memory_return(struct sigma_memory *mem);

/** sigma_memory_contains - does all of [@phys, @phys + @len) lie in one segment? */
bool sigma_memory_contains(const struct sigma_memory *mem, u64 phys, u64 len);

/**
 * sigma_memory_failed - there is a memory error at @phys
 *
 * If that is in @mem, its page is not used any more, not even once it is given back. May sleep.
 */
void sigma_memory_failed(const struct sigma_memory *mem, u64 phys);

/** sigma_memory_page - the page at byte @offset of the memory file; NULL beyond its end */
struct page *sigma_memory_page(const struct sigma_memory *mem, u64 offset);

/* pool.c */
int sigma_pool_init(void);	/* from the module parameter pool= */
void sigma_pool_exit(void);

/** sigma_pool_sizes - bytes in the pool (@size), and bytes that no guest has (@left). May sleep. */
void sigma_pool_sizes(u64 *size, u64 *left);

/** sigma_pool_take - take @nr_pages contiguous pages, a multiple of 2 MiB. Return: pfn, 0: none */
unsigned long sigma_pool_take(unsigned long nr_pages);

/** sigma_pool_give_back - take the pages back if they are the pool's. Return: they are */
bool sigma_pool_give_back(unsigned long pfn, unsigned long nr_pages);

/* low.c */
void sigma_low_init(void);	/* find usable pages */

/** sigma_low_lend - take @nr contiguous zeroed pages below 1 MiB. Return: address, 0: none */
u64 sigma_low_lend(unsigned int nr);
void sigma_low_return(u64 phys, unsigned int nr);

/* identity.c */

/** struct sigma_identity - page tables in which virtual and physical addresses agree */
struct sigma_identity {
	u64 *root;			/* below 4 GiB */
	struct list_head pages;
};

int sigma_identity_init(struct sigma_identity *id);

/* Attributes of a mapping; every mapping can be read */
#define SIGMA_IDENTITY_WRITE	1
#define SIGMA_IDENTITY_EXEC	2
#define SIGMA_IDENTITY_UNCACHED	4
#define SIGMA_IDENTITY_ALL	(SIGMA_IDENTITY_WRITE | SIGMA_IDENTITY_EXEC)

/**
 * sigma_identity_map - map exactly [@phys, @phys + @size), both page-aligned
 * @flags: SIGMA_IDENTITY_*
 *
 * Ranges must not overlap. May sleep. Return: 0 or -ENOMEM.
 */
int sigma_identity_map(struct sigma_identity *id, u64 phys, u64 size, unsigned int flags);
void sigma_identity_free(struct sigma_identity *id);

/* cpu.c */
int sigma_cpu_init(void);
void sigma_cpu_exit(void);

/**
 * sigma_cpu_check - may these CPUs be lent?
 * @why: out: the reason of a failure
 *
 * Return: 0, -EINVAL, -EBUSY or -ENOMEM.
 */
int sigma_cpu_check(const u32 *cpus, unsigned int nr, bool split_cores, struct sigma_why *why);

/** sigma_cpu_lend - take @cpu offline and keep it offline. May sleep. Return: 0 or -EBUSY. */
int sigma_cpu_lend(unsigned int cpu, struct sigma_why *why);

/** sigma_cpu_return - bring a CPU that is parked, or was never started, online again. May sleep. */
int sigma_cpu_return(unsigned int cpu);

/** sigma_cpu_apic_id - physical APIC ID of @cpu */
u32 sigma_cpu_apic_id(unsigned int cpu);

/**
 * sigma_cpu_start - start a lent CPU in the entry pages, by INIT and start-up IPI (SIPI)
 * @mode: ENTRY_JUMP or ENTRY_MAILBOX
 * @id: page tables; they must stay valid until sigma_cpu_park()
 * @target: physical address to jump to, or of the wake-up mailbox
 * @argument: value for RSI
 *
 * May sleep. Return: 0, or -EIO when the CPU did not arrive.
 */
int sigma_cpu_start(unsigned int cpu, u32 mode, const struct sigma_identity *id, u64 target,
		    u64 argument);

/**
 * sigma_cpu_park - stop a lent CPU, whatever it does, and confirm that it halts in our pages
 *
 * May sleep. Return: 0, or -EIO when that could not be confirmed: the CPU may still run.
 */
int sigma_cpu_park(unsigned int cpu);

/**
 * sigma_cpu_reset - send INIT to lent CPUs, which then wait for a start-up IPI
 *
 * They execute nothing until they are parked, started or returned. That they received the INIT
 * is not confirmed. May sleep.
 */
void sigma_cpu_reset(const u32 *cpus, unsigned int nr);

/* frequency.c */

/**
 * struct sigma_frequency - how a CPU requests its frequency
 * @msr: register to write; 0: none
 * @value: what to write
 */
struct sigma_frequency {
	u32 msr;
	u64 value;
};

/** sigma_frequency_highest - how @cpu, which is online, requests its highest. May sleep. */
void sigma_frequency_highest(unsigned int cpu, struct sigma_frequency *freq);

/* clock.c */

struct sigma_clock {
	struct notifier_block notifier;
	struct sigma_iosc_clock *shared;
	u32 seq;
};

/** sigma_clock_show - keep @shared up to date with the host's time until sigma_clock_hide() */
void sigma_clock_show(struct sigma_clock *clock, struct sigma_iosc_clock *shared);
void sigma_clock_hide(struct sigma_clock *clock);

/* iosc.c */

struct sigma_guest;

struct sigma_call {			/* an eventfd that rings a doorbell of the guest */
	struct sigma_guest *guest;
	unsigned int doorbell;
	struct eventfd_ctx *ctx;
	wait_queue_entry_t wait;
	poll_table pt;
	struct work_struct shutdown;
};

struct sigma_iosc {
	void *window;			/* SIGMA_IOSC_SIZE bytes */
	struct sigma_iosc_header *header;
	struct sigma_ring_end rx, tx;	/* the control rings */
	struct mutex rx_lock, tx_lock;
	struct sigma_doorbell_rx doorbell_rx;
	struct sigma_doorbell_tx doorbell_tx;
	struct sigma_clock clock;
	struct mutex bind_lock;		/* protects the arrays below */
	struct eventfd_ctx __rcu *kick[SIGMA_DOORBELLS];
	struct eventfd_ctx *retired[SIGMA_DOORBELLS];	/* used by sigma_iosc_unbind_all() */
	struct sigma_call *call[SIGMA_DOORBELLS];
};

int sigma_iosc_setup(void);	/* once, for the module */
void sigma_iosc_teardown(void);
int sigma_iosc_init(struct sigma_guest *guest);
void sigma_iosc_exit(struct sigma_guest *guest);	/* stops the kernel's use of the window */
void sigma_iosc_free(struct sigma_guest *guest);	/* frees the window; nobody maps it now */
void sigma_iosc_reset(struct sigma_guest *guest);	/* before a start; guest CPUs are parked */
void sigma_iosc_unbind_all(struct sigma_guest *guest);
int sigma_iosc_bind_kick(struct sigma_guest *guest, unsigned int doorbell, int fd);
int sigma_iosc_bind_call(struct sigma_guest *guest, unsigned int doorbell, int fd);
u64 sigma_iosc_phys(const struct sigma_guest *guest);

/*
 * guard/build.c; see guard/guard.h for how the guard works. Functions that take a guest may sleep
 * and are called under guest->lock, unless they say otherwise.
 */

struct sigma_guard;
struct guard_shared;

int sigma_guard_init(void);
void sigma_guard_exit(void);

const char *sigma_guard_name(enum sigma_guard_kind kind);

/** sigma_guard_missing - why this machine can't do @kind; SIGMA_REASON_NONE: it can */
enum sigma_reason sigma_guard_missing(enum sigma_guard_kind kind);

/** sigma_guard_strongest - the strongest guard that this machine can do */
enum sigma_guard_kind sigma_guard_strongest(void);

/**
 * sigma_guard_choose - choose the guard for the guest of @args
 * @args: what the caller asked for; sigma_cpu_check() has accepted its CPUs
 * @kind: out: the guard. SIGMA_GUARD_AUTO becomes the strongest one for these CPUs
 * @why: out: the reason of a failure, or why SIGMA_GUARD_AUTO did not become SIGMA_GUARD_FULL
 *
 * Return: 0 or -EOPNOTSUPP.
 */
int sigma_guard_choose(const struct sigma_create *args, enum sigma_guard_kind *kind,
		       struct sigma_why *why);

/** sigma_guard_build - make a new guest->guard for a start. Return: 0 or -ENOMEM. */
int sigma_guard_build(struct sigma_guest *guest);

/** sigma_guard_free - free guest->guard; the guest's CPUs are parked */
void sigma_guard_free(struct sigma_guest *guest);

/**
 * sigma_guard_start_cpu - start the guest's CPU number @i in the guard
 * @entry: where the boot CPU, number 0, begins; the others wait at the mailbox
 * @argument: value for the boot CPU's RSI
 *
 * Return: 0, or -EIO when the CPU did not arrive.
 */
int sigma_guard_start_cpu(struct sigma_guest *guest, unsigned int i, u64 entry, u64 argument);

/** sigma_guard_stopping - the guest's CPUs are about to be stopped: they may not send NMIs now */
void sigma_guard_stopping(struct sigma_guest *guest);

/** sigma_guard_publish - the host's doorbell is now @target. Any context; calls are serialised. */
void sigma_guard_publish(struct sigma_guest *guest, u64 target);

/** sigma_guard_arm - the next doorbell may interrupt the host. Any context. */
void sigma_guard_arm(struct sigma_guest *guest);

/** sigma_guard_violation - why the guard stopped the guest. Return: it did; @violation is set */
bool sigma_guard_violation(const struct sigma_guest *guest, struct sigma_violation *violation);

enum guard_exit;

/** sigma_guard_exits - number of VM exits for this reason since the guest's start */
u64 sigma_guard_exits(const struct sigma_guest *guest, enum guard_exit exit);

/* guest.c */

/**
 * struct sigma_guest - one guest, and its device
 * @dev: its device; the last reference frees this struct
 * @lock: held for everything that changes state, CPUs or memory
 * @state: enum sigma_state; written under @lock, read anywhere
 * @state_seq: number of changes, for EPOLLPRI
 * @gone: destroyed; only open files still hold the device
 * @memory_files: open or mapped memory files; SIGMA_DESTROY fails while there are any
 * @guard_kind: constant, never SIGMA_GUARD_AUTO
 * @guard: made for the last start; NULL before, and for SIGMA_GUARD_NO
 * @guard_shared: a page; NULL for SIGMA_GUARD_NO
 */
struct sigma_guest {
	struct device dev;
	struct cdev cdev;
	struct list_head list;
	char name[SIGMA_NAME_MAX];
	char label[SIGMA_NAME_MAX + 16];
	struct mutex lock;
	enum sigma_state state;
	atomic_t state_seq;
	bool gone;
	wait_queue_head_t wait;
	atomic_t memory_files;

	unsigned int nr_cpus;
	u32 cpus[SIGMA_CPUS_MAX];
	u32 apic_ids[SIGMA_CPUS_MAX];
	struct sigma_memory memory;
	u64 low_phys;
	struct sigma_identity identity;
	struct sigma_iosc iosc;
	struct sigma_channels channels;
	enum sigma_guard_kind guard_kind;
	struct sigma_guard *guard;
	struct guard_shared *guard_shared;

	struct work_struct state_work;
	struct delayed_work health_work;
	u64 heartbeat;
	unsigned int missed_beats;
	u32 nmis;			/* NMIs sent since the start */
};

extern struct mutex sigma_guests_lock;

int sigma_guest_create(struct sigma_create *args);
int sigma_guest_destroy(const char *name);
int sigma_guest_start(struct sigma_guest *guest, const struct sigma_start *args);
int sigma_guest_stop(struct sigma_guest *guest);
int sigma_guest_nmi(struct sigma_guest *guest);
void sigma_guest_info(struct sigma_guest *guest, struct sigma_info *info);

/** sigma_guest_panic - SIGMA_PANIC. Return: 0, -EPIPE, -EIO or -ENODEV. */
int sigma_guest_panic(struct sigma_guest *guest, const struct sigma_panic *panic);

/** sigma_guest_violation - SIGMA_GET_VIOLATION */
void sigma_guest_violation(struct sigma_guest *guest, struct sigma_violation *violation);

/**
 * sigma_guest_gathering - the guest for which memory is gathered now
 * @name: out: its name, SIGMA_NAME_MAX bytes; "": none
 *
 * Return: bytes that it has so far.
 */
u64 sigma_guest_gathering(char *name);

/** sigma_guests_close - from now on refuse (@close), or allow, to create and start guests */
void sigma_guests_close(bool close);

/** sigma_guests_stop_all - park every lent CPU; @kexec: kexec starts another kernel. May sleep. */
void sigma_guests_stop_all(bool kexec);
bool sigma_guests_any(void);

/** sigma_guest_map_identity - make the page tables that a guest starts on. Return: 0 or -ENOMEM. */
int sigma_guest_map_identity(const struct sigma_guest *guest, struct sigma_identity *id);
const char *sigma_state_name(enum sigma_state state);

/** sigma_guest_alive - do CPUs run @guest? */
static inline bool sigma_guest_alive(const struct sigma_guest *guest)
{
	enum sigma_state state = READ_ONCE(guest->state);

	return state == SIGMA_STATE_BOOTING || state == SIGMA_STATE_RUNNING ||
	       state == SIGMA_STATE_UNRESPONSIVE;
}

/* memfile.c */

/** sigma_memfile_open - a new descriptor of the guest's memory, or -errno; under guest->lock */
int sigma_memfile_open(struct sigma_guest *guest);

/* chardev.c */
int sigma_chardev_init(void);
void sigma_chardev_exit(void);
int sigma_chardev_add(struct sigma_guest *guest);
void sigma_chardev_del(struct sigma_guest *guest);

/* sysfs.c */
extern const struct attribute_group *sigma_guest_groups[];
extern const struct attribute_group *sigma_control_groups[];

#endif
