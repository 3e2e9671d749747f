// SPDX-License-Identifier: GPL-2.0
/* sigma.ko's reasons in words: see reason.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../kmod/uapi/iosc.h"
#include "reason.h"

#define MIB(bytes)	((uint64_t)(bytes) >> 20)

static void __attribute__((format(printf, 2, 3))) say(char *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(text, REASON_TEXT_MAX, format, args);
	va_end(args);
}

/* The reasons that have no numbers */
static const char *const plain[] = {
	[SIGMA_REASON_CLOSED] =
		"this machine is about to restart or to sleep",
	[SIGMA_REASON_EXISTS] =
		"a guest of this name exists already",
	[SIGMA_REASON_NO_MEMORY] =
		"out of kernel memory",
	[SIGMA_REASON_PAGE_TABLES] =
		"out of memory below 4 GiB for page tables",
	[SIGMA_REASON_NO_VIRTUALISATION] =
		"this CPU has neither AMD SVM nor Intel VMX, or the firmware switched it off",
	[SIGMA_REASON_SVM_UNKNOWN] =
		"this CPU does not report whether SVM may be used",
	[SIGMA_REASON_SVM_OFF] =
		"the firmware switched SVM off; switch it on in its set-up",
	[SIGMA_REASON_SVM_INIT] =
		"the firmware redirects INIT, by which a guest is stopped",
	[SIGMA_REASON_SVM_NO_NPT] =
		"this CPU's SVM has no nested paging",
	[SIGMA_REASON_VMX_OFF] =
		"the firmware switched VMX off; switch it on in its set-up",
	[SIGMA_REASON_VMX_OLD] =
		"this CPU's VMX is too old to leave interrupts and page tables to a guest",
	[SIGMA_REASON_VMX_NO_EPT] =
		"this CPU's VMX has no nested paging (EPT), no VPID or no unrestricted guest",
	[SIGMA_REASON_VMX_NO_EFER] =
		"this CPU's VMX does not switch IA32_EFER and IA32_PAT",
	[SIGMA_REASON_VMX_EPT_OLD] =
		"this CPU's nested paging (EPT) has no large pages, or no way to flush all",
	[SIGMA_REASON_NO_X2APIC] =
		"this CPU has no x2APIC mode, without which the guard cannot check the interrupts that a guest sends",
	[SIGMA_REASON_POOL_EXISTS] =
		"is in the pool already",
	[SIGMA_REASON_POOL_OVERLAPS] =
		"overlaps another range of the pool; leave out what the pool has",
	[SIGMA_REASON_POOL_IN_USE] =
		"the host uses this memory, or a part of it; keep it back with memmap= at boot, or set it offline with chmem -d",
	[SIGMA_REASON_POOL_NOT_RAM] =
		"the host has no such memory",
};

void reason_text(const struct sigma_why *why, uint64_t memory, char text[REASON_TEXT_MAX])
{
	const uint64_t value = why->value;
	const uint32_t cpu = why->cpu;

	if (why->reason < sizeof(plain) / sizeof(*plain) && plain[why->reason]) {
		say(text, "%s", plain[why->reason]);
		return;
	}
	switch (why->reason) {
	case SIGMA_REASON_NONE:
		*text = '\0';
		break;
	case SIGMA_REASON_NAME:
		say(text, "the name of a guest is 1 to %d letters, digits, '_', '.' or '-', begins with a letter or digit, and is not \"control\"",
		    SIGMA_NAME_MAX - 1);
		break;
	case SIGMA_REASON_FLAGS:
		say(text, "sigma.ko does not know the flags 0x%" PRIx64, value);
		break;
	case SIGMA_REASON_GUARD:
		say(text, "sigma.ko does not know the guard %" PRIu64, value);
		break;
	case SIGMA_REASON_NR_CPUS:
		say(text, "a guest has 1 to %d CPUs, not %" PRIu64, SIGMA_CPUS_MAX, value);
		break;
	case SIGMA_REASON_MEMORY_SIZE:
		say(text, "memory of %" PRIu64 " bytes is not a multiple of %llu MiB", value,
		    SIGMA_SEGMENT_ALIGN >> 20);
		break;
	case SIGMA_REASON_CPU_TWICE:
		say(text, "cpu %u: named twice", cpu);
		break;
	case SIGMA_REASON_CPU_0:
		say(text, "cpu %u: boots and serves the host, it is never lent; choose another one",
		    cpu);
		break;
	case SIGMA_REASON_CPU_NONE:
		say(text, "cpu %u: this machine has no such CPU", cpu);
		break;
	case SIGMA_REASON_CPU_LENT:
		say(text, "cpu %u: is lent to a guest already", cpu);
		break;
	case SIGMA_REASON_CPU_NEW:
		say(text, "cpu %u: was never online, and the host could not bring it up once (%s), without which it lacks microcode and cache settings; dmesg tells about cpu %u, choose another one",
		    cpu, strerror(value), cpu);
		break;
	case SIGMA_REASON_CPU_SMT:
		say(text, "cpu %u: is a hyperthread that the host has switched off (nosmt), and the guest gets no other CPU of the host; give it the rest of that core, too",
		    cpu);
		break;
	case SIGMA_REASON_CPU_APIC_ID:
		say(text, "cpu %u: its APIC ID is %" PRIu64 ", and Linux uses IDs above 254 only with interrupt remapping, which no guest has; choose another one",
		    cpu, value);
		break;
	case SIGMA_REASON_CPU_OTHER:
		say(text, "cpu %u: has APIC ID %" PRIu64 " now, and had another one when the guest fell asleep; the guest can only be stopped",
		    cpu, value);
		break;
	case SIGMA_REASON_CPU_SIBLING:
		say(text, "cpu %u: shares a core with cpu %" PRIu64 ", which this guest does not get; give it both, or allow it with SplitCores=yes",
		    cpu, value);
		break;
	case SIGMA_REASON_CPU_BUSY:
		say(text, "cpu %u: the host could not take it offline (%s); dmesg may tell more; with nohz_full= the CPU that keeps the time stays, as does one that deadline tasks need; no CPU can go while the machine falls asleep",
		    cpu, strerror(value));
		break;
	case SIGMA_REASON_WINDOW:
		say(text, "the host has no %d KiB of memory in one piece for the shared memory window; free some, or 'sysctl vm.compact_memory=1'",
		    SIGMA_IOSC_SIZE / 1024);
		break;
	case SIGMA_REASON_LOW_MEMORY:
		if (value)
			say(text, "no %d KiB in one piece are left below 1 MiB, where every kernel needs some: %" PRIu64 " guest%s what this machine has there; stop one",
			    SIGMA_LOW_SIZE / 1024, value, value == 1 ? " has" : "s have");
		else
			say(text, "the firmware leaves no %d KiB in one piece below 1 MiB, where every kernel needs some: this machine cannot run guests",
			    SIGMA_LOW_SIZE / 1024);
		break;
	case SIGMA_REASON_INTERRUPT:
		say(text, "cannot set up the interrupt of the shared memory window: %s",
		    strerror(value));
		break;
	case SIGMA_REASON_GUEST_MEMORY:
		say(text, "cannot gather %" PRIu64 " MiB of memory: the host can lend %" PRIu64 " MiB now, since it keeps an eighth of its memory for itself; ask for less, or free some",
		    MIB(memory), MIB(value));
		break;
	case SIGMA_REASON_DEVICE:
		say(text, "cannot make its device node: %s", strerror(value));
		break;
	case SIGMA_REASON_CHANNELS:
		say(text, "cannot make the device nodes of its channels: %s", strerror(value));
		break;
	case SIGMA_REASON_X2APIC_ID:
		say(text, "cpu %u has APIC ID %" PRIu64 ", and in x2APIC mode would get the interrupts that this host sends to its cpu %" PRIu64 "; take another CPU",
		    cpu, value, value);
		break;
	case SIGMA_REASON_POOL_BOUNDS:
		say(text, "size and address must be multiples of %llu MiB, and not 0",
		    SIGMA_SEGMENT_ALIGN >> 20);
		break;
	case SIGMA_REASON_POOL_FULL:
		say(text, "the pool has %" PRIu64 " ranges, and takes no more; unloading sigma.ko empties it",
		    value);
		break;
	case SIGMA_REASON_POOL_UNMAPPABLE:
		say(text, "the host's kernel cannot map this memory: %s; dmesg may tell more",
		    strerror(value));
		break;
	case SIGMA_REASON_SCATTERED:
		say(text, "cannot gather %" PRIu64 " MiB of memory: only %" PRIu64 " MiB were found in %d pieces, since the host's memory is scattered; ask for less, try 'sysctl vm.compact_memory=1', or set memory aside at boot (sigmactl pool --help)",
		    MIB(memory), MIB(value), SIGMA_SEGMENTS_MAX);
		break;
	case SIGMA_REASON_NODE_MEMORY:
		say(text, "cannot gather %" PRIu64 " MiB of memory: the NUMA node of cpu %u has %" PRIu64 " MiB that can be taken, and NUMANode= allows no other; ask for less, or leave NUMANode= out",
		    MIB(memory), cpu, MIB(value));
		break;
	case SIGMA_REASON_PLACE:
		say(text, "the places of the guest are no places that a guest can have, from 0x%" PRIx64 " on",
		    value);
		break;
	case SIGMA_REASON_PLACE_NO_RAM:
		say(text, "the guest must be where it was, and the host has no memory at 0x%" PRIx64 " that can be lent: set the same memory aside as then (sigmactl pool --help)",
		    value);
		break;
	case SIGMA_REASON_PLACE_GUEST:
		say(text, "the guest must be where it was, and another guest has the memory at 0x%" PRIx64 ": /proc/iomem shows which; stop or save that one",
		    value);
		break;
	case SIGMA_REASON_PLACE_HOST:
		say(text, "the guest must be where it was, and the host uses the memory at 0x%" PRIx64 " and cannot move what it has there; try again later, or after a restart; with memory set aside at boot that cannot be (sigmactl pool --help)",
		    value);
		break;
	case SIGMA_REASON_PLACE_LOW:
		say(text, "the guest must be where it was, and the memory at 0x%" PRIx64 ", below 1 MiB, is another guest's or not to be lent; stop or save other guests",
		    value);
		break;
	case SIGMA_REASON_PLACE_PIECES:
		say(text, "the guest must be where it was, and from 0x%" PRIx64 " on that is in more than %d pieces of the pool and of the host; set memory aside as it was then",
		    value, SIGMA_SEGMENTS_MAX);
		break;
	case SIGMA_REASON_NO_APIC_ID:
		say(text, "the guest must have the CPUs that it had, and the one with APIC ID %" PRIu64 " is gone, or another guest's",
		    value);
		break;
	default:
		say(text, "sigma.ko gives reason %u, which this program does not know: they are of different versions",
		    why->reason);
	}
}

void reason_of_wake(int error, const struct sigma_why *why, char text[REASON_TEXT_MAX])
{
	if (why->reason)
		reason_text(why, 0, text);
	else if (error == -EPIPE)
		snprintf(text, REASON_TEXT_MAX, "it is not asleep");
	else if (error == -EFAULT)
		snprintf(text, REASON_TEXT_MAX, "where it wants to wake is no page of its own memory, or needs a CPU of another kind; it can only be stopped");
	else if (error == -EIO)
		snprintf(text, REASON_TEXT_MAX, "a CPU did not answer INIT-SIPI: see dmesg");
	else if (error == -ESHUTDOWN)
		snprintf(text, REASON_TEXT_MAX, "the machine is about to restart or to sleep");
	else
		snprintf(text, REASON_TEXT_MAX, "%s", strerror(-error));
}
