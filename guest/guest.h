/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sigma_guest.ko: what makes a stock kernel a good SIGMA guest.
 *
 *	main.c		binds to the ACPI device, brings the parts up, heartbeat
 *	iosc.c		doorbell dispatch and the control channel
 *	bus.c		which devices exist, and what happens to them
 *	virtio.c	one device: the virtio transport
 *	console.c	the kernel log into shared memory
 *	power.c		every way out of this kernel ends there
 *	cpu.c		CPUs that stay online
 *	clock.c		wall clock
 *	nmi.c		a backtrace, for the host
 *	machine-check.c	those that all CPUs of the machine are told
 *	ptp.c		the host's, for programs that keep this kernel's by it
 *	channel.c doorbell.c apic.c	shared with sigma.ko
 *
 * There is one struct sigma_guest for as long as the kernel runs. Once bound, the driver
 * stays: unbinding it would lift the gates of power.c, and the next reboot of this guest
 * would reset the whole machine.
 */
#ifndef _SIGMA_GUEST_H
#define _SIGMA_GUEST_H

#include <linux/completion.h>
#include <linux/console.h>
#include <linux/mutex.h>
#include <linux/ptp_clock_kernel.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "../kmod/channel.h"
#include "../kmod/doorbell.h"
#include "../kmod/ring.h"

struct device;
struct sigma_virtio_device;

/**
 * struct sigma_doorbell_user - who is called when a doorbell was rung
 * @rung: in hard interrupt context, under rcu_read_lock()
 */
struct sigma_doorbell_user {
	void (*rung)(struct sigma_doorbell_user *user);
};

/* A control message in private memory */
union sigma_message {
	struct sigma_msg head;
	u8 bytes[SIGMA_MSG_MAX];
};

/**
 * struct sigma_iosc - this end of the doorbells and of the control channel
 * @user: who is called for each doorbell; written under @user_lock
 * @tx: the ring to the host, used under @request_lock
 * @rx: the ring from the host, used by the doorbell's interrupt handler alone
 * @rx_broken: the host broke @rx; nothing is read from it any more
 * @room: woken when the host may have made room in @tx
 * @request_lock: held from a request to its response
 * @answer_lock: protects @waiting, @sent and @answer
 * @waiting: a request waits for its response
 * @sent: head of that request
 * @answer: its response
 * @answer_len: bytes of @answer
 * @answered: completed when @answer was filled in
 */
struct sigma_iosc {
	struct sigma_doorbell_rx doorbell_rx;
	struct sigma_doorbell_tx doorbell_tx;
	struct mutex user_lock;		/* for writing @user */
	struct sigma_doorbell_user __rcu *user[SIGMA_DOORBELLS];
	struct sigma_doorbell_user control;

	struct sigma_ring_end tx, rx;
	bool rx_broken;
	wait_queue_head_t room;
	struct mutex request_lock;	/* one request at a time */
	spinlock_t answer_lock;		/* against the doorbell's interrupt */
	bool waiting;
	struct sigma_msg sent;
	union sigma_message answer;
	size_t answer_len;
	struct completion answered;
};

/**
 * struct sigma_bus_device - a device number
 * @svd: the device that is registered under it, or NULL
 * @leaving: @let_go was queued; until it is false again @svd and @kept are that work's, else
 *	     those of sigma_bus.work
 * @force: let go of it even if it is in use
 * @kept: it was to be let go of, but is in use; sigmad has to be told
 */
struct sigma_bus_device {
	struct sigma_guest *guest;
	struct sigma_virtio_device *svd;
	struct work_struct let_go;
	bool leaving;
	bool force;
	bool kept;
};

/**
 * struct sigma_bus - the devices that sigmad offers
 * @wq: runs @work and those of the devices; may be held up for as long as sigmad is silent
 * @greeted: sigmad has answered SIGMA_BUS_HELLO
 * @rescan: devices may have come, or are to go
 * @config_changed: devices whose configuration changed
 */
struct sigma_bus {
	struct workqueue_struct *wq;
	struct work_struct work;
	bool greeted;
	atomic_t rescan;
	DECLARE_BITMAP(config_changed, SIGMA_DEVICES);
	struct sigma_bus_device device[SIGMA_DEVICES];
};

/**
 * struct sigma_guest - this guest
 * @dev: the ACPI device
 * @window: the IOSC window, SIGMA_IOSC_SIZE bytes of shared memory
 * @header: at its start
 */
struct sigma_guest {
	struct device *dev;
	void *window;
	struct sigma_iosc_header *header;
	struct sigma_iosc iosc;
	struct sigma_bus bus;
	struct sigma_channels channels;
	struct delayed_work heartbeat;
	struct delayed_work clock;
	struct ptp_clock_info ptp;
};

/* iosc.c */
int sigma_iosc_open(struct sigma_guest *guest);

/** sigma_iosc_ring - ring doorbell @n of the host. Publish the data first. */
void sigma_iosc_ring(struct sigma_guest *guest, unsigned int n);

/**
 * sigma_iosc_attach - have @user called for doorbell @n
 *
 * May sleep. Return: 0, -ERANGE unless @n is one for devices, -EBUSY when it is taken.
 */
int sigma_iosc_attach(struct sigma_guest *guest, u32 n, struct sigma_doorbell_user *user);

/** sigma_iosc_detach - undo it; the last call may run until synchronize_rcu() */
void sigma_iosc_detach(struct sigma_guest *guest, u32 n);

/**
 * struct sigma_request - a question to sigmad
 * @flags: 0 or SIGMA_MSG_BUS
 * @id: enum sigma_msg_id or enum sigma_bus_id
 * @device: device number, 0 for the bus
 * @out: payload of the request, @out_len bytes
 * @in: receives the payload of the response, which must be @in_len bytes; can be @out
 */
struct sigma_request {
	u8 flags;
	u8 id;
	u16 device;
	const void *out;
	size_t out_len;
	void *in;
	size_t in_len;
};

/**
 * sigma_iosc_request - ask sigmad and wait for the answer
 *
 * May sleep; not from the bus's event handlers. Every failure is reported here.
 * Return: 0; -EREMOTEIO when sigmad refused it; -ETIMEDOUT when sigmad kept silent, the
 * request may still be served later; -EPROTO when sigmad's answer or ring makes no sense.
 */
int sigma_iosc_request(struct sigma_guest *guest, const struct sigma_request *request);

/* bus.c */
int sigma_bus_open(struct sigma_guest *guest);

/** sigma_bus_event - sigmad sent an event. Hard interrupt context. */
void sigma_bus_event(struct sigma_guest *guest, const union sigma_message *msg, size_t len);

/** sigma_bus_rescan - look again which devices there are. Any context. */
void sigma_bus_rescan(struct sigma_guest *guest);

/** sigma_bus_settle - wait until what was asked for is done. May sleep. */
void sigma_bus_settle(struct sigma_guest *guest);

/* virtio.c */

/** sigma_virtio_add - make device @id known to the virtio core. May sleep. ERR_PTR on error. */
struct sigma_virtio_device *sigma_virtio_add(struct sigma_guest *guest, u16 id);

/**
 * sigma_virtio_remove - unbind the driver of a device, which still answers
 *
 * Frees @svd when its last user is gone. Sleeps until the driver's requests are done.
 */
void sigma_virtio_remove(struct sigma_virtio_device *svd);

/** sigma_virtio_in_use - is it a disk that somebody has open, as a mount has? May sleep. */
bool sigma_virtio_in_use(struct sigma_virtio_device *svd);

/** sigma_virtio_config_changed - tell its driver */
void sigma_virtio_config_changed(struct sigma_virtio_device *svd);

/* console.c */
void sigma_console_open(struct sigma_guest *guest);
void sigma_console_close(void);

/**
 * sigma_console_flush - write out what printk has not passed on yet
 *
 * Takes no lock; only for a CPU that is about to park. Any context.
 */
void sigma_console_flush(void);

/* power.c */

/** sigma_power_open - close every way out. Does not return when one can't be closed. */
void sigma_power_open(struct sigma_guest *guest);

/** sigma_power_event - the host wants this guest to go. Any context. */
void sigma_power_event(struct sigma_guest *guest, u32 action);

/* clock.c */
void sigma_clock_open(struct sigma_guest *guest);

/* A consistent copy of struct sigma_iosc_clock, which tells what its fields mean */
struct sigma_clock {
	u32 flags;
	u64 tsc;
	u64 realtime_ns;
	u32 mult;
	u32 shift;
};

/** sigma_clock_read - how the host reckons now; false when it doesn't tell. Any context. */
bool sigma_clock_read(const struct sigma_guest *guest, struct sigma_clock *clock);

/** sigma_clock_at - the host's CLOCK_REALTIME, ns, when the TSC was @tsc */
u64 sigma_clock_at(const struct sigma_clock *clock, u64 tsc);

/* cpu.c */
void sigma_cpu_open(struct sigma_guest *guest);

/* ptp.c */
void sigma_ptp_open(struct sigma_guest *guest);

/* machine-check.c */

/** sigma_machine_check_poll - get this guest's CPUs fit for the next one. May sleep. */
void sigma_machine_check_poll(struct sigma_guest *guest);

/* nmi.c */
void sigma_nmi_open(struct sigma_guest *guest);	/* claim the NMIs that the host sends */

#endif
