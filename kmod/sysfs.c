// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/class/sigma/NAME/, all read-only:
 *
 *	state			created, booting, running, ... (enum sigma_state)
 *	cpus			the host's numbers of its CPUs, "2,3", boot CPU first
 *	memory			bytes
 *	segments		one per line: "0x100000000-0x11fffffff"
 *	heartbeat		counted by the guest's driver
 *	release			kernel release that the guest's driver reported
 *	doorbells_sent		doorbells that the host rang for the guest, and
 *	ipis_sent		the interrupts it sent for them: less, where the guest was busy
 *	doorbells_received	doorbells that the guest rang, and
 *	interrupts_received	the interrupts that came with them, and
 *	interrupts_ns		the time that the host spent on these, in ns, an estimate
 *	guard			what confines it: no, memory or full
 *	guard_exits		counts of VM exits since the start: lines of "NAME COUNT", by
 *				enum guard_exit, see guard/frame.h
 *	panic			the first line of its panic; empty unless it panicked
 *	violation		why the guard stopped it, where, and the CPU's registers; empty
 *				unless it is contained
 *
 * /sys/class/sigma/control/:
 *
 *	guard			the strongest guard that this machine can do, as above; unless that
 *				is full, followed by ": " and the reason
 *	memory_lendable		bytes that could be lent now, the pool's included
 *	pool_size		bytes that were set aside for guests (module parameter pool=)
 *	pool_free		bytes of the pool that no guest has
 *	gathering		"NAME BYTES" while memory is gathered for a guest: the bytes that it
 *				has so far; else empty
 */
#include <linux/device.h>
#include <linux/string_helpers.h>
#include <linux/sysfs.h>

#include "guard/guard.h"
#include "guest.h"
#include "memory.h"
#include "pool.h"
#include "sysfs.h"

static struct sigma_guest *to_guest(struct device *dev)
{
	return container_of(dev, struct sigma_guest, dev);
}

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", sigma_state_name(READ_ONCE(to_guest(dev)->state)));
}
static DEVICE_ATTR_RO(state);

static ssize_t cpus_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct sigma_guest *guest = to_guest(dev);
	int len = 0;

	for (unsigned int i = 0; i < guest->view.nr_cpus; i++)
		len += sysfs_emit_at(buf, len, "%s%u", i ? "," : "", guest->view.cpus[i]);
	return len + sysfs_emit_at(buf, len, "\n");
}
static DEVICE_ATTR_RO(cpus);

static ssize_t memory_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", to_guest(dev)->memory.size);
}
static DEVICE_ATTR_RO(memory);

static ssize_t segments_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct sigma_memory *mem = &to_guest(dev)->memory;
	int len = 0;

	for (unsigned int i = 0; i < mem->nr_segments; i++)
		len += sysfs_emit_at(buf, len, "0x%llx-0x%llx\n", mem->segment[i].phys,
				     mem->segment[i].phys + mem->segment[i].size - 1);
	return len;
}
static DEVICE_ATTR_ADMIN_RO(segments);	/* /proc/iomem hides addresses, too */

static ssize_t heartbeat_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct sigma_iosc_header *header = to_guest(dev)->iosc.header;

	return sysfs_emit(buf, "%llu\n", le64_to_cpu(READ_ONCE(header->guest.heartbeat)));
}
static DEVICE_ATTR_RO(heartbeat);

#define GUEST_TEXT_MAX	256

/* Written by the guest: it may be anything, and change while it is read */
static ssize_t emit_text(char *buf, const char *from, size_t size)
{
	char text[GUEST_TEXT_MAX];
	int len;

	size = min(size, sizeof(text));
	memcpy(text, from, size);
	text[size - 1] = '\0';
	/* Each byte may become four, and a newline is added */
	len = string_escape_str(text, buf, PAGE_SIZE - 2, ESCAPE_NAP | ESCAPE_HEX, NULL);
	buf[len++] = '\n';
	buf[len] = '\0';
	return len;
}
static_assert(4 * GUEST_TEXT_MAX + 2 <= PAGE_SIZE);

static ssize_t release_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct sigma_iosc_guest *shared = &to_guest(dev)->iosc.header->guest;

	return emit_text(buf, shared->release, sizeof(shared->release));
}
static DEVICE_ATTR_RO(release);

static ssize_t panic_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct sigma_iosc_guest *shared = &to_guest(dev)->iosc.header->guest;

	if (READ_ONCE(to_guest(dev)->state) != SIGMA_STATE_PANICKED)
		return 0;
	return emit_text(buf, shared->panic_text, sizeof(shared->panic_text));
}
static DEVICE_ATTR_RO(panic);

static ssize_t doorbells_sent_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%ld\n", atomic_long_read(&to_guest(dev)->iosc.doorbell_tx.sent));
}
static DEVICE_ATTR_RO(doorbells_sent);

static ssize_t ipis_sent_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%ld\n", atomic_long_read(&to_guest(dev)->iosc.doorbell_tx.ipis));
}
static DEVICE_ATTR_RO(ipis_sent);

static ssize_t doorbells_received_show(struct device *dev, struct device_attribute *attr,
				       char *buf)
{
	return sysfs_emit(buf, "%ld\n",
			  atomic_long_read(&to_guest(dev)->iosc.doorbell_rx.received));
}
static DEVICE_ATTR_RO(doorbells_received);

static ssize_t interrupts_received_show(struct device *dev, struct device_attribute *attr,
					char *buf)
{
	return sysfs_emit(buf, "%ld\n",
			  atomic_long_read(&to_guest(dev)->iosc.doorbell_rx.interrupts));
}
static DEVICE_ATTR_RO(interrupts_received);

static ssize_t interrupts_ns_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", READ_ONCE(to_guest(dev)->iosc.doorbell_rx.spent));
}
static DEVICE_ATTR_RO(interrupts_ns);

static ssize_t guard_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", sigma_guard_name(to_guest(dev)->view.guard_kind));
}
static DEVICE_ATTR_RO(guard);

/* Under the lock, since a start of the guest builds guest->guard again */
static ssize_t show_guard(struct device *dev, char *buf,
			  int (*show)(const struct sigma_guard *guard, char *text, size_t len))
{
	struct sigma_guest *guest = to_guest(dev);
	ssize_t len;

	mutex_lock(&guest->lock);
	len = show(guest->guard, buf, PAGE_SIZE);
	mutex_unlock(&guest->lock);
	return len;
}

static ssize_t guard_exits_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return show_guard(dev, buf, sigma_guard_show_exits);
}
static DEVICE_ATTR_RO(guard_exits);

static ssize_t violation_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return show_guard(dev, buf, sigma_guard_describe);
}
static DEVICE_ATTR_ADMIN_RO(violation);	/* as segments, above */

static ssize_t strongest_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	enum sigma_guard_kind kind = sigma_guard_strongest();

	if (kind == SIGMA_GUARD_FULL)
		return sysfs_emit(buf, "%s\n", sigma_guard_name(kind));
	return sysfs_emit(buf, "%s: %s\n", sigma_guard_name(kind), sigma_guard_missing(kind + 1));
}
static struct device_attribute dev_attr_strongest = __ATTR(guard, 0444, strongest_show, NULL);

static ssize_t memory_lendable_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", sigma_memory_lendable());
}
static DEVICE_ATTR_RO(memory_lendable);

static ssize_t pool_size_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	u64 size, left;

	sigma_pool_sizes(&size, &left);
	return sysfs_emit(buf, "%llu\n", size);
}
static DEVICE_ATTR_RO(pool_size);

static ssize_t pool_free_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	u64 size, left;

	sigma_pool_sizes(&size, &left);
	return sysfs_emit(buf, "%llu\n", left);
}
static DEVICE_ATTR_RO(pool_free);

static ssize_t gathering_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sigma_guest_show_gathering(buf);
}
static DEVICE_ATTR_RO(gathering);

static struct attribute *sigma_control_attrs[] = {
	&dev_attr_strongest.attr,
	&dev_attr_memory_lendable.attr,
	&dev_attr_pool_size.attr,
	&dev_attr_pool_free.attr,
	&dev_attr_gathering.attr,
	NULL
};

static const struct attribute_group sigma_control_group = {
	.attrs = sigma_control_attrs,
};

const struct attribute_group *sigma_control_groups[] = {
	&sigma_control_group,
	NULL
};

static struct attribute *sigma_guest_attrs[] = {
	&dev_attr_state.attr,
	&dev_attr_cpus.attr,
	&dev_attr_memory.attr,
	&dev_attr_segments.attr,
	&dev_attr_heartbeat.attr,
	&dev_attr_release.attr,
	&dev_attr_doorbells_sent.attr,
	&dev_attr_ipis_sent.attr,
	&dev_attr_doorbells_received.attr,
	&dev_attr_interrupts_received.attr,
	&dev_attr_interrupts_ns.attr,
	&dev_attr_guard.attr,
	&dev_attr_guard_exits.attr,
	&dev_attr_panic.attr,
	&dev_attr_violation.attr,
	NULL
};

static const struct attribute_group sigma_guest_group = {
	.attrs = sigma_guest_attrs,
};

const struct attribute_group *sigma_guest_groups[] = {
	&sigma_guest_group,
	NULL
};
