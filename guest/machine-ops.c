// SPDX-License-Identifier: GPL-2.0
/*
 * Replaces machine_ops, the table of functions by which an x86 kernel restarts, halts, powers off
 * and crashes (arch/x86/kernel/reboot.c). The kernel's own port to a hypervisor does the same, but
 * while the table can still be written: it is __ro_after_init, and not exported.
 *
 * The table needs no probe to stay in force. kprobes and ftrace, by which a function could be
 * caught, can be switched off by root at any time (debugfs, kernel.ftrace_enabled).
 */
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>
#include <asm/reboot.h>

#include "guest.h"

#define ENDBR_BYTES	4		/* a probe of a function is behind them */

/*
 * register_kprobe() refuses a probe in data, but stores its address before that. Calling
 * kallsyms_lookup_name() instead would fault where IBT is on, since nothing in the kernel calls it by
 * its address (objtool then removes its ENDBR).
 */
void *sigma_find_symbol(const char *name)
{
	struct kprobe probe = { .symbol_name = name, .flags = KPROBE_FLAG_DISABLED };

	if (!register_kprobe(&probe))
		unregister_kprobe(&probe);
	return probe.addr;
}

/* Is @kernels what <asm/reboot.h> says? One function that is known at its place tells */
static bool is_machine_ops(const struct machine_ops *kernels)
{
	void *known = sigma_find_symbol("native_machine_emergency_restart");
	void *entry = kernels->emergency_restart;

	return known == entry || known == entry + ENDBR_BYTES;
}

/* The kernel's image is mapped read-only, so write through a mapping of our own */
int sigma_kernel_write(void *to, const void *from, size_t size)
{
	const unsigned long first = PHYS_PFN(slow_virt_to_phys(to));
	const unsigned int nr = PFN_UP(offset_in_page(to) + size);
	struct page *pages[2];
	void *alias;

	if (WARN_ON(nr > ARRAY_SIZE(pages)))
		return -EINVAL;
	for (unsigned int i = 0; i < nr; i++)
		pages[i] = pfn_to_page(first + i);
	alias = vmap(pages, nr, VM_MAP, PAGE_KERNEL);
	if (!alias)
		return -ENOMEM;
	memcpy(alias + offset_in_page(to), from, size);
	vunmap(alias);
	return memcmp(to, from, size) ? -EIO : 0;
}

int sigma_machine_ops_replace(const struct machine_ops *ops)
{
	struct machine_ops *kernels = sigma_find_symbol("machine_ops");

	if (!kernels)
		return -ENOENT;
	if (!is_machine_ops(kernels))
		return -EINVAL;
	return sigma_kernel_write(kernels, ops, sizeof(*ops));
}
