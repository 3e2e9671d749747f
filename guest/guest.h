/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sigma_guest.ko: turns a stock kernel into a SIGMA guest.
 *
 *	main.c		binds to the ACPI device, brings up the parts, heartbeat
 *	iosc.c		doorbell dispatch and the control rings
 *	bus.c		which devices exist; hotplug and unplug
 *	virtio.c	the virtio transport of one device
 *	disk.c		fails the requests of a disk whose back end is gone
 *	output.c	the console's output while sigmad takes none
 *	console.c	the kernel log in shared memory
 *	power.c		parks the CPU wherever this kernel would reset the machine
 *	machine-ops.c	the table by which a kernel restarts and ends
 *	cpu.c		keeps all CPUs online
 *	offline.c leave.S	where CPUs wait while the guest falls asleep
 *	clock.c		wall clock
 *	nmi.c		a backtrace on an NMI from the host
 *	machine-check.c	broadcast machine checks
 *	ptp.c		the host's clock as a PTP clock
 *	rtc.c		the host's clock as a real-time clock, with an alarm
 *	sleep.c wake.S	sleep, and how the CPU comes back
 *	wakeon.c	what may wake this guest by a network
 *	tables.c	page tables for CPUs that leave this kernel or come back
 *	channel.c doorbell.c apic.c fault.c	shared with sigma.ko
 *
 * There is one struct sigma_guest for as long as the kernel runs. Once bound, the driver stays
 * bound: without the hooks of power.c the next reboot of this guest would reset the whole machine.
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

#include "../kmod/shared/channel.h"
#include "../kmod/shared/doorbell.h"
#include "../kmod/shared/ring.h"

struct device;
struct machine_ops;
struct sigma_virtio_device;
struct virtio_device;

/**
 * struct sigma_doorbell_user - the callback for a doorbell
 * @rung: called when it was rung, in the context of sigma_doorbell_rx.handler, under rcu_read_lock()
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
 * struct sigma_iosc - this end of the doorbells and of the control rings
 * @doorbell_rx: receives the guest's doorbells
 * @doorbell_tx: rings the host's doorbells
 * @user: the callback of each doorbell; written under @user_lock
 * @control: the callback of SIGMA_DOORBELL_CONTROL
 * @tx: the ring to the host, used under @request_lock
 * @rx: the ring from the host, used only by the doorbell's interrupt handler
 * @rx_broken: the host broke @rx; nothing is read from it any more
 * @room: woken when the host may have made room in @tx
 * @request_lock: held from a request to its response
 * @answer_lock: protects the fields from @waiting to @answer_len
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
	spinlock_t answer_lock;		/* taken in the doorbell's interrupt, too */
	bool waiting;
	struct sigma_msg sent;
	union sigma_message answer;
	size_t answer_len;
	struct completion answered;
};

/**
 * struct sigma_disk - the disk in a slot of the bus, see disk.c
 * @lock: protects all but @work
 * @vdev: has virtqueues; NULL: there is none, or it is no disk
 * @leaving: its block device, which is being removed; or NULL
 * @lost: its back end is gone, and its requests were failed
 * @work: asks sigmad whether the back end is gone
 */
struct sigma_disk {
	struct mutex lock;		/* held while sigmad is asked and requests are failed */
	struct virtio_device *vdev;
	struct device *leaving;
	bool lost;
	struct work_struct work;
};

/**
 * struct sigma_bus_device - a device slot on the bus
 * @guest: the guest
 * @disk: the device, if it is a disk that its driver uses
 * @svd: the device that is registered in this slot, or NULL
 * @remove_work: removes the device
 * @leaving: unplug is pending: @remove_work was queued. While this is true, @remove_work owns @svd
 *	     and @kept, else sigma_bus.work does
 * @force: remove the device even if it is in use
 * @kept: the device was not removed because it is in use; sigmad has to be informed
 */
struct sigma_bus_device {
	struct sigma_guest *guest;
	struct sigma_disk disk;
	struct sigma_virtio_device *svd;
	struct work_struct remove_work;
	bool leaving;
	bool force;
	bool kept;
};

/**
 * struct sigma_bus - the devices that sigmad offers
 * @wq: runs @work and the work items of the devices; they may wait as long as sigmad is silent
 * @lost_wq: runs sigma_disk.work. Its disks may be those that have to be written to for free memory
 * @work: does a @rescan, and handles @config_changed
 * @greeted: sigmad has answered SIGMA_BUS_HELLO
 * @rescan: devices may have been added, or are to be removed
 * @config_changed: devices whose configuration changed
 * @device: the slots
 */
struct sigma_bus {
	struct workqueue_struct *wq, *lost_wq;
	struct work_struct work;
	bool greeted;
	atomic_t rescan;
	DECLARE_BITMAP(config_changed, SIGMA_DEVICES);
	struct sigma_bus_device device[SIGMA_DEVICES];
};

/**
 * struct sigma_guest - this guest
 * @dev: the ACPI device
 * @window: the IOSC (inter-OS communication) window, SIGMA_IOSC_SIZE bytes of shared memory
 * @header: the start of @window
 * @tells_sleep: sigmad wants SIGMA_BUS_SLEEP
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
	bool tells_sleep;
};

/* main.c */

/** sigma_guard_notify - see SIGMA_GUARD_CALL_UP; for this CPU. Any context. */
void sigma_guard_notify(struct sigma_guest *guest);

/* iosc.c */

/** sigma_iosc_open - begin to receive doorbells and control messages. Return: 0 or -errno. */
int sigma_iosc_open(struct sigma_guest *guest);

/** sigma_iosc_ring - ring doorbell @n of the host. Publish the data first. */
void sigma_iosc_ring(struct sigma_guest *guest, unsigned int n);

/**
 * sigma_iosc_attach - set @user as the callback of doorbell @n
 *
 * May sleep. Return: 0, -ERANGE unless @n is one for devices, -EBUSY when it is in use.
 */
int sigma_iosc_attach(struct sigma_guest *guest, u32 n, struct sigma_doorbell_user *user);

/** sigma_iosc_detach - remove the callback; it may still run until synchronize_rcu() */
void sigma_iosc_detach(struct sigma_guest *guest, u32 n);

/**
 * struct sigma_request - a request to sigmad
 * @flags: 0 or SIGMA_MSG_BUS
 * @id: enum sigma_msg_id or enum sigma_bus_id
 * @device: device number, 0 for the bus
 * @out: payload of the request, @out_len bytes
 * @out_len: at most SIGMA_MSG_PAYLOAD_MAX
 * @in: receives the payload of the response; may be the same as @out
 * @in_len: bytes that the payload of the response must have
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
 * sigma_iosc_request - send a request to sigmad and wait for the response
 *
 * May sleep; not to be called from sigma_bus_event(). It logs every failure.
 * Return: 0; -EREMOTEIO when sigmad refused the request; -ETIMEDOUT when sigmad did not answer (it
 * may still serve the request later); -EPROTO when sigmad's response or the ring is invalid;
 * -EMSGSIZE when @out_len is too large.
 */
int sigma_iosc_request(struct sigma_guest *guest, const struct sigma_request *request);

/* bus.c */
int sigma_bus_open(struct sigma_guest *guest);

/** sigma_bus_event - sigmad sent an event. In the doorbell's interrupt. */
void sigma_bus_event(struct sigma_guest *guest, const union sigma_message *msg, size_t len);

/** sigma_bus_rescan - ask sigmad again which devices there are. Any context. */
void sigma_bus_rescan(struct sigma_guest *guest);

/** sigma_bus_settle - wait until a queued rescan is done. May sleep. */
void sigma_bus_settle(struct sigma_guest *guest);

/* virtio.c */

/** sigma_virtio_add - register device @id with the virtio core. May sleep. ERR_PTR on error. */
struct sigma_virtio_device *sigma_virtio_add(struct sigma_guest *guest, u16 id);

/**
 * sigma_virtio_remove - unregister a device; sigmad must still serve it
 *
 * Sleeps until the driver's requests are done. @svd is freed when its last user is gone.
 */
void sigma_virtio_remove(struct sigma_virtio_device *svd);

/** sigma_virtio_in_use - is it a disk that is open, for example mounted? May sleep. */
bool sigma_virtio_in_use(struct sigma_virtio_device *svd);

/** sigma_virtio_config_changed - notify the driver that the configuration changed */
void sigma_virtio_config_changed(struct sigma_virtio_device *svd);

/* disk.c: functions that may sleep, unless they say otherwise */

/** sigma_disk_init - make an empty slot */
void sigma_disk_init(struct sigma_disk *disk);

/** sigma_disk_attach - @vdev has its virtqueues now, and its driver may use it */
void sigma_disk_attach(struct sigma_disk *disk, struct virtio_device *vdev);

/** sigma_disk_detach - the virtqueues are about to be freed, if there are any */
void sigma_disk_detach(struct sigma_disk *disk);

/** sigma_disk_leave - @vdev is about to be unregistered; call sigma_disk_left() afterwards */
void sigma_disk_leave(struct sigma_disk *disk, struct virtio_device *vdev);
void sigma_disk_left(struct sigma_disk *disk);

/** sigma_disk_in_use - is it a disk that is open, for example mounted? */
bool sigma_disk_in_use(struct virtio_device *vdev);

/* output.c */

struct sigma_output;
struct virtqueue;

/** sigma_output_new - for the queue of a console's output; or ERR_PTR(). May sleep. */
struct sigma_output *sigma_output_new(void);

/** sigma_output_watch - the device has the queue now. May sleep. */
void sigma_output_watch(struct sigma_output *output, struct virtqueue *vq);

/**
 * sigma_output_wait - the device was told of a buffer, for which the driver will spin
 *
 * Returns when the device has used it, or after a second: then the queue is broken, and the driver does
 * not. Any context; the driver's lock is held.
 */
void sigma_output_wait(struct sigma_output *output);

/** sigma_output_look - mend the queue once the device has used what was left in it. May sleep. */
void sigma_output_look(void);

/** sigma_output_reset - the device was reset and has no queues any more. May sleep. */
void sigma_output_reset(struct sigma_output *output);

/** sigma_output_free - @output may be NULL. May sleep. */
void sigma_output_free(struct sigma_output *output);

/* console.c */
void sigma_console_open(struct sigma_guest *guest);
void sigma_console_close(void);

/**
 * sigma_console_flush - write all records that printk has not passed to the console yet
 *
 * Takes no lock; only for a CPU that is about to park. Any context.
 */
void sigma_console_flush(void);

/* power.c */

/**
 * sigma_machine_ops_replace - have the kernel restart and end by @ops from now on
 *
 * Context: may sleep. Return: 0; -ENOENT: this kernel's table was not found (it needs
 * CONFIG_KPROBES and CONFIG_KALLSYMS_ALL to be); -EINVAL: it is not as expected; or another
 * negative errno.
 */
int sigma_machine_ops_replace(const struct machine_ops *ops);

/**
 * sigma_find_symbol - the address of a symbol of the kernel, or NULL
 *
 * That of a function may be behind its ENDBR. May sleep.
 */
void *sigma_find_symbol(const char *name);

/**
 * sigma_kernel_write - write to variables of the kernel, also where they are mapped read-only
 *
 * Context: may sleep. Return: 0 or -errno.
 */
int sigma_kernel_write(void *to, const void *from, size_t size);

/** sigma_power_open - install all hooks. If one can't be installed, it parks and doesn't return. */
void sigma_power_open(struct sigma_guest *guest);

/** sigma_power_prepare - the driver's callback before a suspend of any kind. Return: 0 or -EPERM. */
int sigma_power_prepare(struct device *dev);

/**
 * sigma_power_event - the host asks for a power-off, a reboot or sleep. Any context.
 * @action: enum sigma_power
 * @sleeps: see struct sigma_bus_event_power
 */
void sigma_power_event(struct sigma_guest *guest, u32 action, u32 sleeps);

/* clock.c */
void sigma_clock_open(struct sigma_guest *guest);

/** sigma_clock_woken - set the clock to the host's, after sleep. May sleep. */
void sigma_clock_woken(struct sigma_guest *guest);

/* A consistent copy of struct sigma_iosc_clock, where the fields are documented */
struct sigma_clock {
	u32 flags;
	u64 tsc;
	u64 realtime_ns;
	u32 mult;
	u32 shift;
};

/** sigma_clock_read - copy the host's clock; false when it is not valid. Any context. */
bool sigma_clock_read(const struct sigma_guest *guest, struct sigma_clock *clock);

/** sigma_clock_at - the host's CLOCK_REALTIME, ns, when the TSC was @tsc */
u64 sigma_clock_at(const struct sigma_clock *clock, u64 tsc);

/* cpu.c */
void sigma_cpu_open(struct sigma_guest *guest);

/* offline.c */

/**
 * sigma_offline_open - have CPUs that go offline wait at the mailbox, from now on. May sleep.
 *
 * Return: 0 or -errno.
 */
int sigma_offline_open(struct sigma_guest *guest);

/* ptp.c */
void sigma_ptp_open(struct sigma_guest *guest);

/* rtc.c */
void sigma_rtc_open(struct sigma_guest *guest);

/** sigma_rtc_alarm - when the alarm is due, in seconds since 1970, or 0. Any context. */
u64 sigma_rtc_alarm(void);

/** sigma_rtc_woken - the alarm may be due, after sleep. Any context. */
void sigma_rtc_woken(void);

/* wakeon.c */

/** sigma_wakeon_tell - tell sigmad that this guest falls asleep, or not after all. May sleep. */
void sigma_wakeon_tell(struct sigma_guest *guest, bool asleep);

/* sleep.c */

/** sigma_sleep_complete - the driver's callback after a suspend of any kind, or of none */
void sigma_sleep_complete(struct device *dev);

/** sigma_sleep_open - make "mem" a state of this kernel, if the host can wake it. May sleep. */
void sigma_sleep_open(struct sigma_guest *guest);

/** sigma_sleep_is_possible - has sigma_sleep_open() succeeded? Any context. */
bool sigma_sleep_is_possible(void);

/** sigma_sleep_has_begun - does this kernel fall asleep, or wake up? Any context. */
bool sigma_sleep_has_begun(void);

/** sigma_sleep_asked - the host, which knows of @sleeps sleeps, asks for one. Any context. */
void sigma_sleep_asked(struct sigma_guest *guest, u32 sleeps);

/** sigma_sleep_freezes - tasks are about to be frozen. May sleep. */
void sigma_sleep_freezes(void);

/** sigma_sleep_thawed - tasks run again, after a suspend of any result. May sleep. */
void sigma_sleep_thawed(void);

/**
 * sigma_sleep_defers - shall the host's wish wait, since tasks are frozen?
 * @action: enum sigma_power; it is done when tasks run again. A new one replaces an old one
 *
 * The kernel runs no helper program meanwhile, so it would switch itself off by force. Any context.
 */
bool sigma_sleep_defers(u32 action);

/* machine-check.c */

/** sigma_machine_check_poll - clear a machine check in progress on all CPUs. May sleep. */
void sigma_machine_check_poll(struct sigma_guest *guest);

/* nmi.c */
void sigma_nmi_open(struct sigma_guest *guest);	/* handle the NMIs that the host sends */

#endif
