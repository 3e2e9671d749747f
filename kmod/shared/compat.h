/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kernel API drift between 6.1 and 7.2, for both modules. This file is force-included in front of
 * every file, so that the rest of the code is written for the newest kernel and has no #if.
 * Distributions backport changes, so nothing here compares versions: compat.mk probes the headers
 * and defines SIGMA_HAVE_*.
 */
#ifndef _SIGMA_COMPAT_H
#define _SIGMA_COMPAT_H

#include <linux/gfp.h>
#include <linux/irqdomain.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/timekeeping.h>

/* cpuid_edx() and similar functions moved here from asm/processor.h */
#ifdef SIGMA_HAVE_CPUID_API
#include <asm/cpuid/api.h>
#endif

/* irq_domain_create_hierarchy() was replaced by irq_domain_instantiate() */
static inline struct irq_domain *
sigma_irq_domain_create(struct irq_domain *parent, unsigned int size,
			struct fwnode_handle *fwnode, const struct irq_domain_ops *ops,
			void *host_data)
{
#ifdef SIGMA_HAVE_IRQ_DOMAIN_INSTANTIATE
	const struct irq_domain_info info = {
		.fwnode		= fwnode,
		.size		= size,
		.hwirq_max	= size,
		.ops		= ops,
		.host_data	= host_data,
		.parent		= parent,
	};

	return irq_domain_instantiate(&info);
#else
	return irq_domain_create_hierarchy(parent, 0, size, fwnode, ops, host_data);
#endif
}

/* The third argument was a migrate type before it became ACR_FLAGS_* */
#ifdef SIGMA_HAVE_ACR_FLAGS
#define SIGMA_CONTIG_FLAGS	ACR_FLAGS_NONE
#else
#define SIGMA_CONTIG_FLAGS	MIGRATE_MOVABLE
#endif

/* struct class.devnode() and struct device_type.uevent() took a writable device */
#ifdef SIGMA_HAVE_CONST_DEVNODE
#define SIGMA_DEVNODE_CONST	const
#else
#define SIGMA_DEVNODE_CONST
#endif

/* rdmsrl_*() were renamed to rdmsrq_*() */
#ifndef SIGMA_HAVE_RDMSRQ
#define rdmsrq_safe		rdmsrl_safe
#define rdmsrq_safe_on_cpu	rdmsrl_safe_on_cpu
#endif

/* Workqueues got other names; the old ones are there, too, but their use is logged */
#ifndef SIGMA_HAVE_DFL_WQ
#define system_dfl_wq		system_unbound_wq
#define system_percpu_wq	system_wq
#endif

/* vm_flags became read-only */
#ifndef SIGMA_HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

/* eventfd_signal() lost its argument for the count */
#ifdef SIGMA_HAVE_EVENTFD_SIGNAL_ONE
#define sigma_eventfd_signal(ctx)	eventfd_signal(ctx)
#else
#define sigma_eventfd_signal(ctx)	eventfd_signal(ctx, 1)
#endif

/* A virtio transport's find_vqs() took parallel arrays before struct virtqueue_info */
#ifdef SIGMA_HAVE_VIRTQUEUE_INFO
#define SIGMA_DEFINE_FIND_VQS(find_vqs)
#define SIGMA_FIND_VQS(find_vqs)	find_vqs
#else
#include <linux/slab.h>
struct virtqueue;
struct virtqueue_info {
	const char *name;
	void (*callback)(struct virtqueue *vq);
	bool ctx;
};

#define SIGMA_DEFINE_FIND_VQS(find_vqs)							\
static int find_vqs##_arrays(struct virtio_device *vdev, unsigned int nvqs,		\
			     struct virtqueue *vqs[], vq_callback_t *callbacks[],	\
			     const char * const names[], const bool *ctx,		\
			     struct irq_affinity *desc)					\
{											\
	struct virtqueue_info *infos = kcalloc(nvqs, sizeof(*infos), GFP_KERNEL);	\
	int err;									\
											\
	if (!infos)									\
		return -ENOMEM;								\
	for (unsigned int i = 0; i < nvqs; i++) {					\
		infos[i].name = names[i];						\
		infos[i].callback = callbacks[i];					\
		infos[i].ctx = ctx && ctx[i];						\
	}										\
	err = find_vqs(vdev, nvqs, vqs, infos, desc);					\
	kfree(infos);									\
	return err;									\
}
#define SIGMA_FIND_VQS(find_vqs)	find_vqs##_arrays
#endif

/* The system's part of a cross-timestamp was CLOCK_REALTIME before the clock could be chosen */
static inline int sigma_system_stamp(struct system_device_crosststamp *stamp, u64 *counter)
{
	struct system_time_snapshot now;

#ifdef SIGMA_HAVE_SNAPSHOT_ID
	ktime_get_snapshot_id(stamp->clock_id, &now);
	if (!now.valid)
		return -ENODEV;
	stamp->sys_counter.cycles = now.cycles;
	stamp->sys_counter.cs_id = now.cs_id;
	stamp->sys_counter.use_nsecs = false;
	stamp->sys_systime = now.systime;
	stamp->sys_monoraw = now.monoraw;
#else
	ktime_get_snapshot(&now);
	stamp->sys_realtime = now.real;
	stamp->sys_monoraw = now.raw;
#endif
	*counter = now.cycles;
	return 0;
}

/* A kernel may be built without it */
static inline void sigma_memory_failure(unsigned long pfn)
{
#ifdef CONFIG_MEMORY_FAILURE
	memory_failure(pfn, 0);
#endif
}

/* A syscore operation was struct syscore_ops alone, without an argument, before struct syscore */
#ifdef SIGMA_HAVE_REGISTER_SYSCORE
#define SIGMA_SYSCORE_ARGS	void *data
#define SIGMA_DEFINE_SYSCORE(name, suspend_op)						\
	static const struct syscore_ops name##_ops = { .suspend = suspend_op };	\
	static struct syscore name = { .ops = &name##_ops }
#define sigma_register_syscore	register_syscore
#else
#define SIGMA_SYSCORE_ARGS	void
#define SIGMA_DEFINE_SYSCORE(name, suspend_op)						\
	static struct syscore_ops name = { .suspend = suspend_op }
#define sigma_register_syscore	register_syscore_ops
#endif

/* Some kernels ask only after they have made the pages of the memory anew; no notifier has this value */
#ifndef SIGMA_HAVE_PREPARE_ONLINE
#define MEM_PREPARE_ONLINE	(1UL << 30)
#endif

/* Kernel 6.1 lacks it; virtio 1.2, chapter 6 */
#ifndef SIGMA_HAVE_NOTIFICATION_DATA
#define VIRTIO_F_NOTIFICATION_DATA	38
#endif

#endif
