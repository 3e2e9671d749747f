// SPDX-License-Identifier: GPL-2.0
/*
 * For guard.sh and guard-full.sh, in a host that can lend CPUs 1 and 2: a guest of a few
 * instructions that tries to reach what is not its own. Each attempt starts it anew, on page tables
 * that map every address to itself, so that only the guard stops it. Another guest counts
 * meanwhile.
 *
 *	wild memory|full	print a line "ATTEMPT: OUTCOME" for each attempt; the exit status is
 *				1 when one has a wrong outcome, and a line "# WHAT" tells why
 *
 * The host's view of the target page (/proc/kcore) is compared before and after each attempt.
 */
#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/violation.h"
#include "../../kmod/uapi/iosc.h"
#include "../../kmod/uapi/sigma.h"
#include "wild.h"

#define HIT		sizeof(uint64_t)
#define MARK		0x600df00d600df00dULL

#define LEFT		0x600df008	/* valid for most of these registers: an aligned address */

#define X2APIC_ICR	0x830
#define X2APIC_LVT	0x833		/* thermal, performance, LINT0, LINT1, error */
#define X2APIC_LVT_END	0x838
#define X2APIC_LVT_CMCI	0x82f
#define APIC_SMI	0x200
#define APIC_INIT	0x500
#define APIC_EXTINT	0x700
#define APIC_MASKED	0x10000
#define APIC_ENABLE	0x800

#define IA32_XSS	0xda0
#define RTIT_CTL	0x570
#define SMM_MASK	0xc0010113

static int kcore;
static bool failed;

#define WRONG(...) do {			\
	printf("# " __VA_ARGS__);	\
	putchar('\n');			\
	failed = true;			\
} while (0)

/* The host's view of its memory */

static bool read_phys(uint64_t phys, uint8_t *page)
{
	Elf64_Ehdr head;
	Elf64_Phdr part;

	if (pread(kcore, &head, sizeof(head), 0) != sizeof(head))
		die("/proc/kcore");
	for (unsigned int i = 0; i < head.e_phnum; i++) {
		if (pread(kcore, &part, sizeof(part), head.e_phoff + i * sizeof(part)) !=
		    sizeof(part))
			die("/proc/kcore");
		if (part.p_type == PT_LOAD && part.p_paddr != UINT64_MAX && phys >= part.p_paddr &&
		    phys - part.p_paddr < part.p_filesz)
			return pread(kcore, page, PAGE, part.p_offset + (phys - part.p_paddr)) ==
			       (ssize_t)PAGE;
	}
	return false;
}

/* Address of the first entry of /proc/iomem whose name begins with @name; 0: there is none */
static uint64_t find_iomem(const char *name)
{
	char line[256];
	uint64_t found = 0;
	FILE *file = fopen("/proc/iomem", "re");

	while (file && !found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (strstr(line, " : ") && !strncmp(strstr(line, " : ") + 3, name, strlen(name)))
			found = strtoull(line, NULL, 16);
	}
	if (file)
		fclose(file);
	return found;
}

static uint64_t find_symbol(const char *name)
{
	char line[256], symbol[128];
	uint64_t address, found = 0;
	FILE *file = fopen("/proc/kallsyms", "re");

	while (file && !found && fgets(line, sizeof(line), file))
		if (sscanf(line, "%" SCNx64 " %*c %127s", &address, symbol) == 2 &&
		    !strcmp(symbol, name))
			found = address;
	if (file)
		fclose(file);
	if (!found)
		die("/proc/kallsyms: no %s", name);
	return found;
}

static uint64_t phys_of_symbol(const char *name)
{
	return find_symbol(name) - find_symbol("_text") + find_iomem("Kernel code");
}

/*
 * The guest's own pages. sigma.ko makes the page tables and the GDT that a guarded guest begins with
 * anew for each start, mostly in the same pages, but not always.
 */
static uint64_t own[512];
static unsigned int nr_own;

static void add_own(uint64_t page)
{
	if (nr_own == sizeof(own) / sizeof(own[0]))
		die("more pages of its own than this program can hold");
	own[nr_own++] = page;
}

/* The page tables that the guest starts with: made by the host, writable for the guest */
static void add_tables(uint64_t table, int level)
{
	uint64_t entries[512];

	add_own(table);
	if (level == 1)
		return;
	if (!read_phys(table, (uint8_t *)entries))
		die("page table at 0x%" PRIx64, table);
	/* An attempt may have written MARK to a table of its own */
	for (unsigned int i = 0; i < 512; i++)
		if (entries[i] & 1 && !(entries[i] & LARGE) && entries[i] != MARK)
			add_tables(entries[i] & 0x000ffffffffff000ULL, level - 1);
}

/* sigma.ko keeps what the last start began with until the next one */
static void find_own(void)
{
	uint64_t gdt;

	memcpy(&gdt, (const uint8_t *)params_of(&wild)->gdtr + 2, sizeof(gdt));
	nr_own = 0;
	add_tables(params_of(&wild)->first_cr3 & ~(PAGE - 1), 4);
	add_own(gdt & ~(PAGE - 1));
}

static bool is_own(uint64_t page)
{
	for (unsigned int i = 0; i < wild.info.nr_segments; i++)
		if (page - wild.info.segments[i].phys < wild.info.segments[i].size)
			return true;
	for (unsigned int i = 0; i < nr_own; i++)
		if (own[i] == page)
			return true;
	return page - wild.info.iosc_phys < SIGMA_IOSC_SIZE ||
	       (kind == SIGMA_GUARD_MEMORY && page == 0xfee00000) ||
	       page - wild.info.low_phys <= SIGMA_LOW_SIZE;
}

/* Attempts */

static bool violation_has(const char *text, const char *format, ...)
{
	char wanted[256];
	va_list args;

	va_start(args, format);
	vsnprintf(wanted, sizeof(wanted), format, args);
	va_end(args);
	if (strstr(text, wanted))
		return true;
	WRONG("the report of the violation lacks: %s", wanted);
	return false;
}

/* The violation must be reported as @what, with CPU, RIP and registers */
static void check_violation(const char *what, uint64_t rip)
{
	struct sigma_violation violation;
	char text[VIOLATION_TEXT_MAX] = "";
	bool right;

	if (violation_get(wild.fd, &violation))
		WRONG("there is no report of the violation");
	else
		violation_text(&violation, text);
	right = violation_has(text, "%s", what) &
		violation_has(text, "cpu %u (the guest's CPU 0), CPL 0, RIP 0x%" PRIx64 "\n",
			      wild.info.cpus[0], rip) &
		violation_has(text, "rsi %016" PRIx64, wild.phys + PARAMS_OFF);
	for (unsigned int n = 9; n < 16; n++)
		right &= violation_has(text, "r%u %016llx", n, PATTERN(n));
	if (!right)
		WRONG("the report is: %s", text);
}

/* The values show who wrote: the guest writes MARK */
static void print_word(const uint8_t *before, const uint8_t *after, uint64_t offset)
{
	uint64_t was, is;

	memcpy(&was, before + offset, sizeof(was));
	memcpy(&is, after + offset, sizeof(is));
	printf(" from %016" PRIx64 " to %016" PRIx64, was, is);
}

/*
 * Has the guest's write not reached the memory? A page that nobody else writes to must be
 * unchanged. In a page that the host may use meanwhile (@size is HIT), the word must not be @value.
 */
static bool is_unharmed(const uint8_t *before, const uint8_t *after, uint64_t target, uint64_t size,
			uint64_t value)
{
	uint64_t from = target & (PAGE - 1);

	return size == HIT ? memcmp(after + from, &value, HIT) :
			     !memcmp(before, after, size);
}

/*
 * An attempt that must end the guest, and be reported as @what, done at @rip. @size is what the
 * host compares at @target: the page, the word, or 0 for a device, which it cannot read.
 */
static void contained(const char *name, const uint8_t *label, uint64_t rip, uint64_t target,
		      uint64_t value, uint64_t size, const char *what)
{
	uint8_t before[PAGE], after[PAGE];
	bool done, same;

	if (size && !read_phys(target & ~(PAGE - 1), before))
		die("%s: the host cannot read 0x%" PRIx64, name, target);
	done = run(label, target, value);
	find_own();
	if (done && is_own(target & ~(PAGE - 1))) {
		printf("%s: its own by now (0x%" PRIx64 ")\n", name, target);
		return;
	}
	printf("%s: %s", name, done ? "DONE" : "contained");
	if (size) {
		if (!read_phys(target & ~(PAGE - 1), after))
			die("%s: the host can no longer read 0x%" PRIx64, name, target);
		same = is_unharmed(before, after, target, size, value);
		printf(", %s", !same ? "CHANGED" : size == HIT ? "not written" : "unchanged");
		if (!same)
			print_word(before, after, target & (PAGE - 1) & ~7ULL);
		failed |= !same;
	}
	printf(" (0x%" PRIx64 ")\n", value == MARK ? target : value ?: target);
	failed |= done;
	if (!done)
		check_violation(what, rip);
}

static void reach(const char *how, const uint8_t *label, uint64_t rip, const char *told,
		  const char *name, uint64_t target, uint64_t size)
{
	char title[128], what[128];

	snprintf(title, sizeof(title), "%s %s", how, name);
	snprintf(what, sizeof(what), "%s address 0x%" PRIx64 ", which is not the guest's", told,
		 target);
	contained(title, label, rip, target, MARK, size, what);
}

static void try_write(const char *name, uint64_t target, uint64_t size)
{
	reach("write", do_write, address_of(&wild, hit_write), "wrote to", name, target, size);
}

static void try_read(const char *name, uint64_t target, uint64_t size)
{
	reach("read", do_read, address_of(&wild, hit_read), "read from", name, target, size);
}

static void try_run(const char *name, uint64_t target)
{
	reach("run", do_run, target, "ran code at", name, target, PAGE);
}

/* The CPU itself reads the table, and would set accessed bits in it */
static void try_walk(const char *name, uint64_t target)
{
	char what[64];

	snprintf(what, sizeof(what), "address 0x%" PRIx64,
		 target + (address_of(&wild, hit_walk) >> 39 & 511) * HIT);
	contained(name, do_walk, address_of(&wild, hit_walk), target, 0, PAGE, what);
}

static void try_device(const char *name, uint64_t address)
{
	if (!address)
		return;
	try_read(name, address, 0);
	try_write(name, address, 0);
}

static void try_host(void)
{
	uint64_t table = phys_of_symbol("init_top_pgt");
	uint64_t text = find_iomem("Kernel code");

	try_read("the host's kernel", text, PAGE);
	try_write("the host's kernel", text, PAGE);
	try_run("the host's kernel", text);
	try_write("the host's page tables", table, PAGE);
	try_walk("page tables of the host as its own", table);
	try_write("the host's IDT", phys_of_symbol("idt_table"), PAGE);
}

static void try_other_guest(void)
{
	try_read("another guest's memory", other.phys, PAGE);
	try_write("another guest's memory", other.phys, PAGE);
	try_run("another guest's code", other.phys);
	try_walk("page tables of another guest as its own", other.phys + ROOT_OFF);
	try_write("another guest's low memory", other.info.low_phys, PAGE);
	/* The host writes the time to the first page of the window */
	try_read("another guest's IOSC window", other.info.iosc_phys, HIT);
	try_write("another guest's IOSC window", other.info.iosc_phys, HIT);
}

static void try_devices(void)
{
	try_device("the I/O APIC", find_iomem("IOAPIC 0"));
	try_device("the HPET", find_iomem("HPET 0"));
	try_device("PCI configuration space", find_iomem("PCI MMCONFIG"));
	try_device("a PCI device", find_iomem("0000:00:"));
	try_device("the page behind the local APIC", 0xfee01000);
	if (kind == SIGMA_GUARD_FULL)
		try_device("the local APIC", 0xfee00000);
	try_device("the firmware", 0xfffff000);
	try_device("where nothing is", 1ULL << 39);
}

/* Pages right before and after the guest's own, which the guard maps by pages of 2 MiB and 4 KiB */

/* The host may use what lies there, see is_unharmed() */
static void try_beside(const char *name, uint64_t first, uint64_t size)
{
	char title[64];

	uint8_t page[PAGE];

	snprintf(title, sizeof(title), "the word before %s", name);
	if (!is_own(first - PAGE))
		try_write(title, first - HIT, read_phys(first - PAGE, page) ? HIT : 0);
	snprintf(title, sizeof(title), "the word behind %s", name);
	if (!is_own(first + size))
		try_write(title, first + size, read_phys(first + size, page) ? HIT : 0);
}

static void try_grain(void)
{
	if (!run(do_nothing, 0, 0))
		die("contained although it did nothing");
	find_own();
	for (unsigned int i = 0; i < wild.info.nr_segments; i++)
		try_beside("its memory", wild.info.segments[i].phys, wild.info.segments[i].size);
	try_beside("its low memory", wild.info.low_phys, SIGMA_LOW_SIZE + PAGE);
	try_beside("its IOSC window", wild.info.iosc_phys, SIGMA_IOSC_SIZE);
	for (unsigned int i = 0; i < nr_own; i++)
		try_beside(i + 1 < nr_own ? "its first page tables" : "its segments", own[i], PAGE);
}

/* The first MiB reads as zeroes, except the guest's own pages */
static void try_scan(const char *name, uint64_t from, uint64_t to)
{
	bool clean = run(do_scan, from, to) && !params_of(&wild)->result;

	printf("read %s: %s (0x%" PRIx64 " to 0x%" PRIx64 ")\n", name, clean ? "zeroes" : "DONE",
	       from, to);
	failed |= !clean;
}

static void try_first_mib(void)
{
	try_scan("what is below its low memory", PAGE, wild.info.low_phys);
	try_scan("what is above its low memory", wild.info.low_phys + SIGMA_LOW_SIZE + PAGE, MIB);
	try_write("the first MiB, video memory", 0xa0000, 0);
	try_write("the first MiB, firmware", 0xf0000, 0);
}

/* MSRs that affect only their own CPU. No others may be writable: see kmod/guard/msr.c */
static const struct registers {
	uint32_t first, last;
} own_registers[] = {
	{ 0x48, 0x49 }, { 0x10b, 0x10b }, { 0x174, 0x176 }, { 0x1c4, 0x1c5 },
	{ 0x277, 0x277 }, { 0x6a0, 0x6a8 }, { 0x6e0, 0x6e0 },
	{ 0xc0000081, 0xc0000084 }, { 0xc0000100, 0xc0000103 },
	{ }
}, own_amd_registers[] = {
	{ 0x1d9, 0x1d9 }, { 0xc0000300, 0xc0000303 }, { 0xc0010000, 0xc0010007 },
	{ 0xc0010200, 0xc001020b },
	{ }
}, own_intel_registers[] = {
	{ 0x8b, 0x8b }, { 0xc1, 0xc8 }, { 0x122, 0x122 }, { 0x186, 0x18d },
	{ 0x309, 0x30c }, { 0x329, 0x329 }, { 0x38d, 0x390 }, { 0x4c1, 0x4c8 }, { 0xd90, 0xd90 },
	{ 0xc0000080, 0xc0000080 },
	{ }
};

static bool is_among(const struct registers *range, uint32_t msr)
{
	for (; range->last; range++)
		if (msr >= range->first && msr <= range->last)
			return true;
	return false;
}

static bool is_own_register(uint32_t msr)
{
	return is_among(own_registers, msr) ||
	       is_among(__builtin_cpu_is("intel") ? own_intel_registers : own_amd_registers, msr);
}

/* Write all bits inverted to these MSRs; only the CPU's own may take that */
static void try_registers(uint32_t first, uint32_t last)
{
	const uint32_t *found = (const uint32_t *)(wild.map + FOUND_OFF);
	uint64_t others = 0, nr;

	if (!run(do_registers, first, last))
		die("contained by writing to registers");
	nr = params_of(&wild)->result;
	if (nr >= FOUND_MAX)
		WRONG("more of these registers can be written than the table holds");
	for (uint64_t i = 0; i < nr && i < FOUND_MAX; i++) {
		if (!is_own_register(found[i])) {
			WRONG("register 0x%x is written", found[i]);
			others++;
		}
	}
	printf("write registers 0x%x to 0x%x: %s, but for %" PRIu64 " of this CPU's own\n", first,
	       last, others ? "DONE" : "refused", nr);
}

static void try_all_registers(void)
{
	/* The local APIC has 0x802 to 0x83f */
	try_registers(0, 0x801);
	try_registers(0x840, 0x1fff);
	try_registers(0x2000, 0x2fff);
	try_registers(0x40000000, 0x400000ff);
	try_registers(0xc0000000, 0xc0001fff);
	try_registers(0xc0002000, 0xc0002fff);
	try_registers(0xc0010000, 0xc0011fff);
	try_registers(0xc0012000, 0xc0012fff);
}

/* Offsets in the table that do_inherit fills */
#define FXSAVE_ST0	0x220
#define FXSAVE_END	0x3a0		/* behind XMM15 */
#define YMM_OFF		0x400
#define YMM_END		0x420
#define XCR0_RESET	1

static bool is_zero(const uint8_t *from, const uint8_t *end)
{
	while (from < end && !*from)
		from++;
	return from == end;
}

static void try_inherit(const char *owner)
{
	const uint8_t *found = wild.map + FOUND_OFF;
	const uint64_t *values = (const uint64_t *)found;
	unsigned int nr = left_msrs_end - left_msrs;
	bool vectors, registers = false;
	uint64_t xcr0;

	if (!run(do_inherit, 0, 0))
		die("contained by reading registers of its own");
	for (unsigned int i = 0; i < nr; i++) {
		if (values[i])
			WRONG("register 0x%x holds 0x%" PRIx64 " of %s", left_msrs[i], values[i],
			      owner);
		registers |= values[i];
	}
	vectors = !is_zero(found + FXSAVE_ST0, found + FXSAVE_END) ||
		  !is_zero(found + YMM_OFF, found + YMM_END);
	if (vectors)
		WRONG("vector registers hold what %s left", owner);
	xcr0 = params_of(&wild)->result;
	if (xcr0 && xcr0 != XCR0_RESET)
		WRONG("XCR0 is 0x%" PRIx64, xcr0);
	printf("registers as %s left them: %s\n", owner,
	       registers || vectors ? "READ" : "as after a reset");
}

/* All ports read as ones but two that kernels poll: read_port() in kmod/guard/program/decide.c */
static void try_ports(void)
{
	const uint32_t *found = (const uint32_t *)(wild.map + FOUND_OFF);
	bool right;

	if (!run(do_ports, 0, 0))
		die("contained by using ports");
	right = params_of(&wild)->result == 2 && found[0] == 0x42 && found[1] == 0x71;
	printf("all I/O ports: %s\n", right ? "nothing there" : "DONE");
	for (uint64_t i = 0; !right && i < params_of(&wild)->result; i++)
		printf("# port 0x%x answers\n", found[i]);
	failed |= !right;
}

static void try_send(const char *name, uint64_t icr)
{
	char what[128];

	snprintf(what, sizeof(what), "sent an interrupt that it may not send, ICR 0x%" PRIx64, icr);
	contained(name, do_send, address_of(&wild, hit_send), X2APIC_ICR, icr, 0, what);
}

/* Return: whether the register took the value */
static bool write_register(uint64_t msr, uint64_t value)
{
	if (!run(do_send, msr, value))
		die("contained by writing to register 0x%" PRIx64, msr);
	return params_of(&wild)->result;
}

static void try_value(const char *name, uint64_t msr, uint64_t value)
{
	bool done = write_register(msr, value);

	printf("%s: %s (register 0x%" PRIx64 ", 0x%" PRIx64 ")\n", name, done ? "DONE" : "refused", msr,
	       value);
	failed |= done;
}

/* XRSTORS could load these states, even where WRMSR is refused */
static void try_states(void)
{
	try_value("processor trace by XSAVE", IA32_XSS, 1 << 8);
	try_value("addresses of devices by XSAVE", IA32_XSS, 1 << 10);
	try_value("duty cycles by XSAVE", IA32_XSS, 1 << 13);
	try_value("user interrupts by XSAVE", IA32_XSS, 1 << 14);
	try_value("last branches by XSAVE", IA32_XSS, 1 << 15);
	try_value("performance states by XSAVE", IA32_XSS, 1 << 16);
}

/* The emulator's value of these registers is 0 */
static void try_guesses(void)
{
	if (__builtin_cpu_is("intel"))
		try_value("guess of what a hidden register holds", RTIT_CTL, 0);
	else
		try_value("guess of what a hidden register holds", SMM_MASK, 0);
}

/* A CPU whose local APIC is off would not receive the host's INIT */
static void try_apic_off(void)
{
	bool on;

	if (!run(do_apic_off, 0, 0))
		die("contained by switching its local APIC off");
	on = params_of(&wild)->result & APIC_ENABLE;
	printf("switch the local APIC off: %s\n", on ? "it is on" : "DONE");
	failed |= !on;
}

/* The trap of a single step must come after the instruction that the guard has emulated */
static void try_step(void)
{
	uint64_t rip, wanted = address_of(&wild, hit_step);

	if (!run(do_step, 0, 0))
		die("contained by a single step");
	rip = params_of(&wild)->result;
	printf("single step over CPUID: %s\n", rip == wanted ? "ends after it" : "WRONG");
	if (rip != wanted)
		WRONG("it ends at 0x%" PRIx64 ", not at 0x%" PRIx64, rip, wanted);
}

/* SMM is above the guard and stops all CPUs; INIT is for the host; ExtINT asks the host's PIC */
static void try_local_vectors(void)
{
	static const uint64_t modes[] = { APIC_SMI, APIC_INIT, APIC_EXTINT };
	bool done = false, masked = true;

	for (uint64_t msr = X2APIC_LVT; msr < X2APIC_LVT_END; msr++) {
		for (unsigned int i = 0; i < 3; i++)
			done |= write_register(msr, modes[i]);
		masked &= write_register(msr, APIC_EXTINT | APIC_MASKED);
	}
	done |= write_register(X2APIC_LVT_CMCI, APIC_SMI);
	printf("SMI, INIT and ExtINT as local interrupts: %s; masked: %s\n", done ? "DONE" : "refused",
	       masked ? "taken" : "REFUSED");
	failed |= done || !masked;
}

static void try_interrupts(void)
{
	uint64_t to_host = (uint64_t)wild.info.bsp_apic_id << 32;
	uint64_t to_other = (uint64_t)other.info.apic_ids[0] << 32;
	uint64_t to_self = (uint64_t)wild.info.apic_ids[0] << 32;

	try_send("INIT to the host", to_host | 0xc500);
	try_send("start-up to the host", to_host | 0x4610);
	try_send("NMI to the host", to_host | 0x4400);
	try_send("SMI to the host", to_host | 0x4200);
	try_send("any vector to the host", to_host | 0x4031);
	try_send("lowest priority to the host", to_host | 0x4131);
	try_send("interrupt to another guest", to_other | 0x40ec);
	try_send("INIT to another guest", to_other | 0xc500);
	try_send("NMI to all others", 0xc4400);
	try_send("interrupt to all", 0x84031);
	try_send("logical destination", to_self | 0x4831);
	try_send("SMI to itself", to_self | 0x4200);
	try_send("reserved vector to itself", to_self | 0x4008);
	try_local_vectors();
}

static bool counts_on(struct guest *guest, uint64_t beat)
{
	for (unsigned int s = 0; s < SECONDS_TO_END && params_of(guest)->result == beat; s++)
		sleep(1);
	return params_of(guest)->result != beat;
}

int main(int argc, char **argv)
{
	uint64_t beat;

	setvbuf(stdout, NULL, _IOLBF, 0);
	kind = argc == 2 && !strcmp(argv[1], "full") ? SIGMA_GUARD_FULL : SIGMA_GUARD_MEMORY;
	control = open("/dev/sigma/control", O_RDWR | O_CLOEXEC);
	kcore = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	if (control < 0 || kcore < 0)
		die("/dev/sigma/control, /proc/kcore");
	make(&wild, "wild", 1);
	make(&other, "other", 2);
	start(&other, do_count, 0, 0);

	try_inherit("the host");
	if (!run(do_leave, 0, LEFT))
		die("contained by writing registers of its own");
	try_inherit("a guest");
	try_host();
	try_other_guest();
	try_devices();
	try_grain();
	try_first_mib();
	try_ports();
	try_all_registers();
	try_states();
	try_guesses();
	try_apic_off();
	try_step();
	if (kind == SIGMA_GUARD_FULL)
		try_interrupts();

	beat = params_of(&other)->result;
	if (!run(do_nothing, 0, 0))
		WRONG("the guest cannot be started any more");
	if (state(&other) != SIGMA_STATE_BOOTING || !counts_on(&other, beat))
		WRONG("the other guest does not run any more");
	destroy(&wild);
	destroy(&other);
	return failed;
}
