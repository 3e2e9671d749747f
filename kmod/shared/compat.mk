# SPDX-License-Identifier: GPL-2.0
#
# Probes of the kernel's headers for compat.h, included by both modules' Kbuild files.
# $(call sigma-probe,MACRO,HEADER,REGEX) defines SIGMA_HAVE_MACRO when the header matches.
sigma-probe = $(if $(shell grep -lE '$(3)' $(srctree)/include/$(2) 2>/dev/null),-DSIGMA_HAVE_$(1))

ccflags-y += $(call sigma-probe,IRQ_DOMAIN_INSTANTIATE,linux/irqdomain.h,irq_domain_instantiate)
ccflags-y += $(call sigma-probe,ACR_FLAGS,linux/gfp.h,ACR_FLAGS_NONE)
ccflags-y += $(call sigma-probe,CONST_DEVNODE,linux/device/class.h,devnode.*const struct device)
ccflags-y += $(call sigma-probe,VM_FLAGS_SET,linux/mm.h,void vm_flags_set)
ccflags-y += $(call sigma-probe,EVENTFD_SIGNAL_ONE,linux/eventfd.h,eventfd_signal\(struct eventfd_ctx \*ctx\))
ccflags-y += $(call sigma-probe,VIRTQUEUE_INFO,linux/virtio_config.h,struct virtqueue_info)
ccflags-y += $(call sigma-probe,NOTIFICATION_DATA,uapi/linux/virtio_config.h,VIRTIO_F_NOTIFICATION_DATA)
ccflags-y += $(call sigma-probe,SNAPSHOT_ID,linux/timekeeping.h,ktime_get_snapshot_id)
ccflags-y += $(call sigma-probe,CPUID_API,../arch/x86/include/asm/cpuid/api.h,cpuid_edx)
ccflags-y += $(call sigma-probe,REGISTER_SYSCORE,linux/syscore_ops.h,register_syscore.struct)
ccflags-y += $(call sigma-probe,PREPARE_ONLINE,linux/memory.h,MEM_PREPARE_ONLINE)
ccflags-y += $(call sigma-probe,RDMSRQ,../arch/x86/include/asm/msr.h,rdmsrq_safe_on_cpu)
ccflags-y += $(call sigma-probe,DFL_WQ,linux/workqueue.h,\*system_dfl_wq)
ccflags-y += -include $(src)/../kmod/shared/compat.h
