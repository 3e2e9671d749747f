// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/class/sigma/NAME/, all read-only:
 *
 *	state			created, booting, running, ... (enum sigma_state)
 *	cpus			the host's numbers of its CPUs, "2,3", boot CPU first
 *	cpus_lent		those of them that it has now: all, or none while it sleeps and
 *				the host has them
 *	memory			bytes
 *	microcode		the oldest microcode revision of its CPUs, as the host left them:
 *				hexadecimal, as in /proc/cpuinfo; "0x0": unknown
 *	heartbeat		counted by the guest's driver
 *	release			kernel release that the guest's driver reported
 *	doorbells_sent		doorbells that the host rang for the guest, and
 *	ipis_sent		the interrupts it sent for them: less, where the guest was busy
 *	doorbells_received	doorbells that the guest rang, and
 *	interrupts_received	the interrupts that came with them, and
 *	interrupts_ns		the time that the host spent on these, in ns, an estimate
 *	guard			what confines it: no, memory or full
 *	guard_exits/NAME	number of VM exits since the start, or since it woke, for this
 *				reason, one of enum guard_exit, see guard/frame.h
 *	panic			the first line of its panic; empty unless it panicked
 *	shared			memory objects; empty: it has none. "half BYTES OBJECTS": of each side's half
 *				of the area, and how many of them the host's programs have objects of;
 *				then "host CHANNEL GRANTS BYTES HELD" for each channel over which the
 *				host's programs lend something, and how much of it the guest's
 *				programs have; and "guest ..." for what the guest's lend
 *
 * /sys/class/sigma/control/:
 *
 *	guard			the strongest guard that this machine can do, as above
 *	guard_missing		why it can do no stronger one, an enum sigma_reason; 0: it is full
 *	memory_lendable		bytes that could be lent now, the pool's included
 *	pool_size		bytes that were set aside for guests (SIGMA_POOL_ADD)
 *	pool_free		bytes of the pool that no guest has
 *	cpus_lendable		CPUs, online and offline, that can be lent, if a core is not split
 *	cores			CPUs that share a core, "1,5 2,6", for each core that has a CPU
 *				that can be lent and is offline; up to a page of them
 *	gathering		name of the first guest for which memory is gathered; empty: none
 *	gathered		bytes that this guest has so far; else 0
 */
#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/slab.h>
#include <linux/string_helpers.h>
#include <linux/sysfs.h>
#include <asm/processor.h>

#include "guard/guard.h"
#include "cpu.h"
#include "create.h"
#include "guest.h"
#include "lent.h"
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

static ssize_t cpus_lent_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return READ_ONCE(to_guest(dev)->has_cpus) ? cpus_show(dev, attr, buf) : sysfs_emit(buf, "\n");
}
static DEVICE_ATTR_RO(cpus_lent);

static ssize_t microcode_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct sigma_guest *guest = to_guest(dev);
	u32 oldest = U32_MAX;

	for (unsigned int i = 0; i < guest->view.nr_cpus; i++)
		oldest = min(oldest, cpu_data(guest->view.cpus[i]).microcode);
	return sysfs_emit(buf, "0x%x\n", oldest);
}
static DEVICE_ATTR_RO(microcode);

static ssize_t memory_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", to_guest(dev)->memory.size);
}
static DEVICE_ATTR_RO(memory);

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
static ssize_t exits_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct dev_ext_attribute *ext = container_of(attr, struct dev_ext_attribute, attr);
	struct sigma_guest *guest = to_guest(dev);
	u64 exits;

	mutex_lock(&guest->lock);
	exits = sigma_guard_exits(guest->guard, (uintptr_t)ext->var);
	mutex_unlock(&guest->lock);
	return sysfs_emit(buf, "%llu\n", exits);
}

#define EXITS(_name, _exit) \
	(&((struct dev_ext_attribute[]) { { \
		__ATTR(_name, 0444, exits_show, NULL), (void *)(uintptr_t)(_exit) \
	} })->attr.attr)

static struct attribute *sigma_exits_attrs[] = {
	EXITS(cpuid, GUARD_EXIT_CPUID),
	EXITS(msr, GUARD_EXIT_MSR),
	EXITS(msr-denied, GUARD_EXIT_MSR_DENIED),
	EXITS(io, GUARD_EXIT_IO),
	EXITS(ipi, GUARD_EXIT_IPI),
	EXITS(call, GUARD_EXIT_CALL),
	EXITS(cache, GUARD_EXIT_CACHE),
	EXITS(virt, GUARD_EXIT_VIRT),
	EXITS(control, GUARD_EXIT_CONTROL),
	EXITS(exception, GUARD_EXIT_EXCEPTION),
	EXITS(machine-check, GUARD_EXIT_MACHINE_CHECK),
	EXITS(notify, GUARD_EXIT_NOTIFY),
	NULL
};
static_assert(ARRAY_SIZE(sigma_exits_attrs) == GUARD_EXITS + 1);

static ssize_t strongest_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", sigma_guard_name(sigma_guard_strongest()));
}
static struct device_attribute dev_attr_strongest = __ATTR(guard, 0444, strongest_show, NULL);

static ssize_t guard_missing_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	enum sigma_guard_kind kind = sigma_guard_strongest();

	return sysfs_emit(buf, "%d\n", kind == SIGMA_GUARD_FULL ? SIGMA_REASON_NONE :
					sigma_guard_missing(kind + 1));
}
static DEVICE_ATTR_RO(guard_missing);

static ssize_t memory_lendable_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", sigma_memory_lendable());
}
static DEVICE_ATTR_RO(memory_lendable);

static ssize_t cpus_lendable_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	cpumask_t *cpus = kmalloc(sizeof(*cpus), GFP_KERNEL);
	ssize_t len;

	if (!cpus)
		return -ENOMEM;
	sigma_cpu_lendable(cpus);
	len = sysfs_emit(buf, "%*pbl\n", cpumask_pr_args(cpus));
	kfree(cpus);
	return len;
}
static DEVICE_ATTR_RO(cpus_lendable);

#define CORE_TEXT_MAX	64	/* of a core's list, with the NUL */

static ssize_t emit_cores(char *buf, const cpumask_t *lendable, cpumask_t *done, cpumask_t *core)
{
	char text[CORE_TEXT_MAX];
	unsigned int cpu;
	int len = 0;

	cpumask_clear(done);
	for_each_cpu(cpu, lendable) {
		if (cpu_online(cpu) || cpumask_test_cpu(cpu, done))
			continue;
		sigma_cpu_core(cpu, core);
		cpumask_or(done, done, core);
		snprintf(text, sizeof(text), "%*pbl", cpumask_pr_args(core));
		/* A number that is cut off would be a wrong one */
		if (len + strlen(text) + 2 > PAGE_SIZE)
			break;
		len += sysfs_emit_at(buf, len, "%s%s", len ? " " : "", text);
	}
	return len + sysfs_emit_at(buf, len, "\n");
}

static ssize_t cores_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	cpumask_t *masks = kmalloc_array(3, sizeof(*masks), GFP_KERNEL);
	ssize_t len;

	if (!masks)
		return -ENOMEM;
	sigma_cpu_lendable(&masks[0]);
	len = emit_cores(buf, &masks[0], &masks[1], &masks[2]);
	kfree(masks);
	return len;
}
static DEVICE_ATTR_RO(cores);

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
	char name[SIGMA_NAME_MAX];

	sigma_guest_gathering(name);
	return *name ? sysfs_emit(buf, "%s\n", name) : 0;
}
static DEVICE_ATTR_RO(gathering);

static ssize_t gathered_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	char name[SIGMA_NAME_MAX];

	return sysfs_emit(buf, "%llu\n", sigma_guest_gathering(name));
}
static DEVICE_ATTR_RO(gathered);

static struct attribute *sigma_control_attrs[] = {
	&dev_attr_strongest.attr,
	&dev_attr_guard_missing.attr,
	&dev_attr_memory_lendable.attr,
	&dev_attr_cpus_lendable.attr,
	&dev_attr_cores.attr,
	&dev_attr_pool_size.attr,
	&dev_attr_pool_free.attr,
	&dev_attr_gathering.attr,
	&dev_attr_gathered.attr,
	NULL
};

static const struct attribute_group sigma_control_group = {
	.attrs = sigma_control_attrs,
};

const struct attribute_group *sigma_control_groups[] = {
	&sigma_control_group,
	NULL
};

static ssize_t shared_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sigma_lent_show(&to_guest(dev)->channels.objects, buf);
}
static DEVICE_ATTR_RO(shared);

static struct attribute *sigma_guest_attrs[] = {
	&dev_attr_state.attr,
	&dev_attr_cpus.attr,
	&dev_attr_cpus_lent.attr,
	&dev_attr_memory.attr,
	&dev_attr_microcode.attr,
	&dev_attr_heartbeat.attr,
	&dev_attr_release.attr,
	&dev_attr_doorbells_sent.attr,
	&dev_attr_ipis_sent.attr,
	&dev_attr_doorbells_received.attr,
	&dev_attr_interrupts_received.attr,
	&dev_attr_interrupts_ns.attr,
	&dev_attr_guard.attr,
	&dev_attr_panic.attr,
	&dev_attr_shared.attr,
	NULL
};

static const struct attribute_group sigma_guest_group = {
	.attrs = sigma_guest_attrs,
};

static const struct attribute_group sigma_exits_group = {
	.name = "guard_exits",
	.attrs = sigma_exits_attrs,
};

const struct attribute_group *sigma_guest_groups[] = {
	&sigma_guest_group,
	&sigma_exits_group,
	NULL
};
