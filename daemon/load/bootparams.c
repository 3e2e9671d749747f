// SPDX-License-Identifier: GPL-2.0
/*
 * Chooses where everything is in the guest's memory, and tells the guest's kernel by struct
 * boot_params (Documentation/arch/x86/boot.rst, 64-bit boot protocol).
 *
 * The guest's memory is a few segments anywhere in the host's physical memory, usually above 4 GiB,
 * and 40 KiB below 1 MiB. The kernel is loaded at the start of the largest segment. Everything else
 * is taken from the top of the highest range that is still free, so that free ranges stay large.
 * The memory below 1 MiB is left free: the kernel finds it in the e820 map and puts its real-mode
 * trampolines there.
 */
#include <asm/bootparam.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "../../common/log.h"
#include "../../kmod/uapi/iosc.h"
#include "load.h"

#define PAGE_SIZE		((uint64_t)4096)
#define KIB			((uint64_t)1 << 10)
#define MIB			((uint64_t)1 << 20)
#define LOADER_UNDEFINED	0xff	/* type_of_loader without a registered ID */
#define UNPACK_FACTOR		10	/* what compression may gain of an initrd, and more */
#define CMDLINE_MAX		4096U	/* with the NUL; a kernel may have a lower limit */

/* e820 types, ACPI 6.4 table 15.6 */
#define E820_RAM		1
#define E820_RESERVED		2
#define E820_ACPI		3

#define COUNT(array)		(sizeof(array) / sizeof(*(array)))

struct range {
	uint64_t start;
	uint64_t end;			/* first byte behind it */
};

/* The free range in each segment */
struct placement {
	unsigned int nr;
	struct range free[SIGMA_SEGMENTS_MAX];
};

static uint64_t align_up(uint64_t value, uint64_t align)
{
	return (value + align - 1) & ~(align - 1);
}

static void placement_init(struct placement *placement, const struct guest_memory *mem)
{
	placement->nr = mem->nr;
	for (unsigned int i = 0; i < mem->nr; i++)
		placement->free[i] = (struct range) {
			.start = mem->segment[i].phys,
			.end = mem->segment[i].phys + mem->segment[i].size,
		};
}

static uint64_t largest_free(const struct placement *placement)
{
	uint64_t largest = 0;

	for (unsigned int i = 0; i < placement->nr; i++)
		largest = MAX(largest, placement->free[i].end - placement->free[i].start);
	return largest;
}

/*
 * The kernel runs at an aligned address. It would move itself up from an address below
 * pref_address, so it is not loaded below that. Return: its address; 0 (no segment is at 0): there
 * is no room.
 */
static uint64_t place_kernel(struct placement *placement, const struct kernel *kernel)
{
	uint64_t align = MAX((uint64_t)kernel->alignment, SIGMA_SEGMENT_ALIGN);
	unsigned int best = placement->nr;
	uint64_t address = 0, room = 0;

	for (unsigned int i = 0; i < placement->nr; i++) {
		const struct range *range = &placement->free[i];
		uint64_t start = align_up(MAX(range->start, kernel->pref_address), align);

		if (start < range->end && range->end - start >= kernel->init_size &&
		    range->end - start > room) {
			best = i;
			address = start;
			room = range->end - start;
		}
	}
	if (best == placement->nr)
		return 0;

	/* Nothing is placed below the kernel; the guest can use that memory later */
	placement->free[best].start = align_up(address + kernel->init_size, PAGE_SIZE);
	return address;
}

/* Take @size bytes from the top of the highest range with enough room. Return: 0: there is none */
static uint64_t place(struct placement *placement, uint64_t size)
{
	size = align_up(size, PAGE_SIZE);
	for (unsigned int i = placement->nr; i-- > 0; ) {
		struct range *range = &placement->free[i];

		if (range->end > range->start && range->end - range->start >= size) {
			range->end -= size;
			return range->end;
		}
	}
	return 0;
}

static void e820_add(struct boot_params *params, uint64_t start, uint64_t end, uint32_t type)
{
	if (start >= end)
		return;
	params->e820_table[params->e820_entries++] = (struct boot_e820_entry) {
		.addr = start, .size = end - start, .type = type,
	};
}

/*
 * At most three entries for the segment with the ACPI tables, one for each other segment, and three
 * for low memory, I/O APIC and IOSC window
 */
static_assert(SIGMA_SEGMENTS_MAX + 2 + 3 <= E820_MAX_ENTRIES_ZEROPAGE, "e820");

static void e820_fill(struct boot_params *params, const struct sigma_info *info,
		      const struct guest_memory *mem, uint64_t acpi)
{
	e820_add(params, info->low_phys, info->low_phys + SIGMA_LOW_SIZE, E820_RAM);
	/* Not RAM: the kernel maps this page as a device */
	e820_add(params, info->ioapic_phys, info->ioapic_phys + PAGE_SIZE, E820_RESERVED);

	for (unsigned int i = 0; i < mem->nr; i++) {
		uint64_t start = mem->segment[i].phys, end = start + mem->segment[i].size;

		if (acpi >= start && acpi < end) {
			e820_add(params, start, acpi, E820_RAM);
			e820_add(params, acpi, acpi + ACPI_TABLES_SIZE, E820_ACPI);
			start = acpi + ACPI_TABLES_SIZE;
		}
		e820_add(params, start, end, E820_RAM);
	}

	e820_add(params, info->iosc_phys, info->iosc_phys + SIGMA_IOSC_SIZE, E820_RESERVED);
}

/*
 * The parameters that SIGMA needs on the command line of every guest. They keep the guest's kernel
 * away from the host's hardware, and change nothing that the guest's programs see. The user's
 * parameters follow and override these.
 */
static const char *const cmdline_base[] = {
	/* Port 0x80 and the 8250s' ports are the host's */
	"io_delay=none",
	"8250.nr_uarts=0",
	/*
	 * i8237A_init_ops probes port 0x87 for an 8237. print_s5_reset_status_mmio (from 6.16 on)
	 * reads the reason of the machine's last reset from AMD's FCH, and clears it.
	 */
	"initcall_blacklist=i8237A_init_ops,print_s5_reset_status_mmio",
	/*
	 * Without HPET and PM timer the kernel checks the TSC against its own ticks. After a late
	 * tick it would stop using the TSC, and with it the clock of IOSC. The host has checked the
	 * TSC already.
	 */
	"tsc=reliable",
	/* A kernel with one CPU removes LOCK prefixes, but it shares the doorbells with the host */
	"noreplace-smp",
	/* No memory below 4 GiB for bounce buffers, and no device that needs them */
	"swiotlb=noforce",
	/* Performance counters and microcode are the host's */
	"nmi_watchdog=0",
	"dis_ucode_ldr",
	/* The virtio console, where distributions start a getty */
	"console=hvc0",
};

/*
 * Without these a guest could reset the machine, or harm the host. They follow the user's
 * parameters: of two, the kernel obeys the last one.
 */
static const struct parameter {
	const char *name, *value;
} cmdline_last[] = {
	/* No PCI: the devices are the host's, as are the ports 0xcf8 and 0xcfc */
	{ "pci", "off" },
	/*
	 * No reboot after a panic: sigma_guest.ko reports the panic, and the CPUs are parked. Before
	 * that module is loaded, the reboot of a guest without a guard would reset the machine.
	 */
	{ "panic", "0" },
	/*
	 * CPUs share machine check banks, and the host reads them. A guest's kernel that polls the
	 * banks, or clears them as it boots, would take errors away from the host. With mce=off the
	 * kernel keeps CR4.MCE, which is set when a CPU is handed over (kmod/entry.h), so a machine
	 * check that is broadcast to all CPUs does not reset the machine. guest/machine-check.c
	 * clears MCIP after a machine check. A guest with a guard does not see MCE in CPUID.
	 */
	{ "mce", "off" },
	/*
	 * To send an IPI to all of its CPUs, a kernel would use a shorthand that reaches every CPU
	 * of the machine. A guest with several CPUs would stop the host when it panics.
	 */
	{ "no_ipi_broadcast", "1" },
};

/*
 * The modules that no guest may load. The power limits of the package are the host's; the guest
 * may choose the frequency of its own cores. kvm_intel: INIT is blocked on a core in VMX operation,
 * so sigma.ko could not stop the guest. The user's lists are joined with this one, since of several
 * the kernel obeys only the last one.
 */
#define BLACKLIST		"module_blacklist"
#define BLACKLIST_MODULES	"intel_uncore,rapl,intel_rapl_msr,intel_rapl_common,kvm_intel"

/* The kernel ignores a text parameter that is longer (param_set_charp() in kernel/params.c) */
#define PARAMETER_MAX		1024U

/* Kernels from this version on handle the host's boot CPU in the MADT: see list_host_bsp() */
#define BSP_MAJOR 6
#define BSP_MINOR 9

/*
 * Kernels from 6.9 on expect the machine's boot CPU in the MADT, detect that they do not run on it,
 * and do not start it. Older kernels would try to start it.
 */
static bool list_host_bsp(const struct kernel *kernel)
{
	return kernel->major > BSP_MAJOR ||
	       (kernel->major == BSP_MAJOR && kernel->minor >= BSP_MINOR);
}

/* A word of the user's CommandLine= */
struct word {
	const char *text;
	size_t len;
};

/* As the kernel has it (lib/ctype.c), to which a no-break space in Latin 1 is one */
static bool is_blank(char c)
{
	return isspace((unsigned char)c) || (unsigned char)c == 0xa0;
}

/*
 * Find the first word at or behind @at as the kernel does (next_arg() in lib/cmdline.c): blanks
 * between double quotes end no word. Return: there is one.
 */
static bool next_word(const char *at, struct word *word)
{
	bool quoted = false;

	while (is_blank(*at))
		at++;
	word->text = at;
	for (; *at && (quoted || !is_blank(*at)); at++)
		if (*at == '"')
			quoted = !quoted;
	word->len = at - word->text;
	return word->len;
}

/* Take the quotes off that the kernel takes off: around a whole word, and around a value */
static void unquote(struct word *word)
{
	if (word->len && *word->text == '"') {
		word->text++;
		word->len--;
	}
	if (word->len && word->text[word->len - 1] == '"')
		word->len--;
}

/* Is the word "NAME=value"? '-' and '_' are the same. Set @value, then without its quotes */
static bool has_name(struct word word, const char *name, struct word *value)
{
	size_t len = strlen(name);

	unquote(&word);
	if (word.len <= len || word.text[len] != '=')
		return false;
	for (size_t i = 0; i < len; i++)
		if (word.text[i] != name[i] && !(word.text[i] == '-' && name[i] == '_'))
			return false;
	*value = (struct word) { .text = word.text + len + 1, .len = word.len - len - 1 };
	unquote(value);
	return true;
}

/* Do the words end here that the kernel obeys? Those behind "--" are only for init */
static bool ends_parameters(struct word word)
{
	unquote(&word);
	return word.len == 2 && !memcmp(word.text, "--", 2);
}

/* Walk through the user's words that the kernel obeys; @word is the one behind them at the end */
#define for_each_parameter(word, cmdline)						\
	for (bool more = next_word(cmdline, &(word)); more && !ends_parameters(word);	\
	     more = next_word((word).text + (word).len, &(word)))

/* The value of the last NAME= that the kernel obeys, to be freed; or NULL */
static char *last_value(const char *cmdline, const char *name)
{
	struct word word, value, last = { 0 };

	for_each_parameter(word, cmdline)
		if (has_name(word, name, &value))
			last = value;
	return last.text ? strndup(last.text, last.len) : NULL;
}

static void warn_of_parameter(const struct guest_config *config, struct word word)
{
	struct word value;

	for (size_t i = 0; i < COUNT(cmdline_last); i++) {
		const struct parameter *last = &cmdline_last[i];

		if (has_name(word, last->name, &value) &&
		    (value.len != strlen(last->value) ||
		     memcmp(value.text, last->value, value.len)))
			log_warning("%s:%u: CommandLine=: %.*s has no effect: a guest needs %s=%s, or it could reset the machine or harm the host; leave it out",
				    config->file, config->cmdline_line, (int)word.len, word.text,
				    last->name, last->value);
	}
}

static void warn_of_parameters(const struct guest_config *config)
{
	struct word word;

	for_each_parameter(word, config->cmdline)
		warn_of_parameter(config, word);
}

/* Return: the length of the joined list */
static size_t print_blacklist(FILE *out, const char *cmdline)
{
	size_t len = strlen(BLACKLIST_MODULES);
	struct word word, value;

	fputs(" " BLACKLIST "=" BLACKLIST_MODULES, out);
	for_each_parameter(word, cmdline) {
		if (!has_name(word, BLACKLIST, &value))
			continue;
		/* Names of modules have neither, and what follows a blank would be a parameter */
		value.len = MIN(value.len, strcspn(value.text, " \t\n\v\f\r\xa0\""));
		if (!value.len)
			continue;
		fprintf(out, ",%.*s", (int)value.len, value.text);
		len += 1 + value.len;
	}
	return len;
}

/* The user's words, and those of SIGMA that must follow them */
static void print_parameters(FILE *out, const char *cmdline)
{
	struct word word;

	for_each_parameter(word, cmdline)
		fprintf(out, " %.*s", (int)word.len, word.text);
	for (size_t i = 0; i < COUNT(cmdline_last); i++)
		fprintf(out, " %s=%s", cmdline_last[i].name, cmdline_last[i].value);
}

/* The user's "--" with the words for init; it ends the parameters of the kernel */
static void print_rest(FILE *out, const char *cmdline)
{
	struct word word;

	for_each_parameter(word, cmdline)
		;
	if (word.len)
		fprintf(out, " %s", word.text);
}

/* For guest/init: the root that Root= names. The user's words follow, so their ro counts */
static void print_root(FILE *out, const struct guest_config *config)
{
	if (!config->root)
		return;
	fprintf(out, " root=" ROOT_TAG " rootfstype=virtiofs %s",
		config->root_writes == ROOT_WRITES_NO ? "ro" : "rw");
	if (config->root_writes == ROOT_WRITES_OVERLAY)
		fputs(" sigma.overlay", out);
}

/* Root= and root= are two roots. Return: 0 or a reported -EINVAL */
static int check_root(const struct guest_config *config)
{
	char *root = config->root ? last_value(config->cmdline, "root") : NULL;
	int error = 0;

	if (root)
		error = log_error(-EINVAL, "%s:%u: CommandLine=: root=%s, and Root= in line %u is another root; leave one of the two out",
				  config->file, config->cmdline_line, root, config->root_line);
	free(root);
	return error;
}

static const char *modules_share(const struct guest_config *config)
{
	for (unsigned int i = 0; i < config->nr_shares; i++)
		if (config->share[i].keys && !strcmp(config->share[i].tag, MODULES_TAG))
			return config->share[i].path;
	return NULL;
}

/* A guest that restarts with another kernel has the share of the last one, whose modules do not fit */
static bool has_modules_share(const struct guest_config *config, const struct kernel *kernel)
{
	const size_t len = strlen(MODULES_DEFAULT "/");
	const char *path = modules_share(config);

	return path && (strncmp(path, MODULES_DEFAULT "/", len) ||
			!strcmp(path + len, kernel->version));
}

/* Return: the command line, to be freed; or NULL, reported */
static char *cmdline_build(const struct guest_config *config, const struct sigma_info *info,
			   const struct kernel *kernel)
{
	size_t max = MIN(kernel->cmdline_max, CMDLINE_MAX - 1), len = 0, blacklist;
	char *cmdline = NULL;
	FILE *out = open_memstream(&cmdline, &len);
	bool failed;

	if (!out)
		goto no_memory;

	/*
	 * Until sigma_guest.ko brings hvc0, tty0 is the only /dev/console; it shows nothing, as
	 * there is no screen. Without /dev/console, init begins without standard files. Then udevd
	 * of a distribution's initrd takes its own sockets for them and loads no module.
	 */
	if (config->initrd)
		fputs("console=tty0 ", out);
	for (size_t i = 0; i < COUNT(cmdline_base); i++)
		fprintf(out, "%s ", cmdline_base[i]);
	/*
	 * With tsc_early_khz= the kernel does not calibrate the TSC with a timer of the host. Of
	 * several nr_cpus= the smallest one counts.
	 */
	fprintf(out, "tsc_early_khz=%u nr_cpus=%u", info->tsc_khz, info->nr_cpus);
	/* For guest/init. The kernel passes words with a dot over */
	if (has_modules_share(config, kernel))
		fputs(" sigma.modules=" MODULES_TAG, out);
	print_root(out, config);
	print_parameters(out, config->cmdline);
	blacklist = print_blacklist(out, config->cmdline);
	if (!list_host_bsp(kernel))
		fprintf(out, " disable_cpu_apicid=%u", info->bsp_apic_id);
	print_rest(out, config->cmdline);
	failed = ferror(out);
	if (fclose(out) || failed)
		goto no_memory;

	if (blacklist > PARAMETER_MAX) {
		log_error(-E2BIG, "%s:%u: CommandLine=: " BLACKLIST "= has %zu characters with the modules that no guest may load, %zu too many: the kernel would ignore the list; name fewer modules",
			  config->file, config->cmdline_line, blacklist,
			  blacklist - PARAMETER_MAX);
		free(cmdline);
		return NULL;
	}
	if (len > max) {
		log_error(-E2BIG,
			  "%s: CommandLine= is %zu characters too long: %s takes %zu, of which SIGMA needs %zu; shorten it",
			  config->file, len - max,
			  config->kernel, max, len - strlen(config->cmdline));
		free(cmdline);
		return NULL;
	}
	return cmdline;

no_memory:
	free(cmdline);
	log_error(-ENOMEM, "no memory for the guest's command line");
	return NULL;
}

/* Guest physical addresses of all that is loaded */
struct layout {
	uint64_t kernel, initrd, acpi, cmdline, params;
};

/* "FILE:LINE" of Memory=, or "FILE" if that is the default */
static struct guest_place memory_place(const struct guest_config *config)
{
	struct guest_place place;

	if (config->memory_line)
		snprintf(place.text, sizeof(place.text), "%s:%u", config->file, config->memory_line);
	else
		snprintf(place.text, sizeof(place.text), "%s", config->file);
	return place;
}

static int too_little_memory(const struct guest_config *config, const char *what,
			     uint64_t size, const struct placement *placement)
{
	return log_error(-ENOMEM, "%s: Memory= of %" PRIu64 " MiB is too little: %s needs %"
			 PRIu64 " KiB in one piece, and the largest that is free has %" PRIu64
			 " KiB; give the guest more", memory_place(config).text, config->memory / MIB,
			 what, size / KIB, largest_free(placement) / KIB);
}

static int layout_build(struct layout *layout, const struct guest_config *config,
			const struct guest_memory *mem, const struct kernel *kernel,
			const struct initrd *initrd, size_t cmdline_size)
{
	struct placement placement;

	placement_init(&placement, mem);
	layout->kernel = place_kernel(&placement, kernel);
	if (!layout->kernel)
		return too_little_memory(config, "the kernel", kernel->init_size, &placement);

	layout->initrd = place(&placement, initrd->size);
	if (!layout->initrd)
		return too_little_memory(config, "the initrd", initrd->size, &placement);

	layout->acpi = place(&placement, ACPI_TABLES_SIZE);
	layout->cmdline = place(&placement, cmdline_size);
	layout->params = place(&placement, sizeof(struct boot_params));
	if (!layout->acpi || !layout->cmdline || !layout->params)
		return too_little_memory(config, "each ACPI and boot table", ACPI_TABLES_SIZE,
					 &placement);
	return 0;
}

static void fill_boot_params(struct boot_params *params, const struct sigma_info *info,
			     const struct guest_memory *mem, const struct kernel *kernel,
			     const struct layout *layout, const struct initrd *initrd)
{
	memset(params, 0, sizeof(*params));
	params->hdr = kernel->hdr;
	params->hdr.type_of_loader = LOADER_UNDEFINED;
	params->hdr.ramdisk_image = layout->initrd;
	params->ext_ramdisk_image = layout->initrd >> 32;
	params->hdr.ramdisk_size = initrd->size;
	params->ext_ramdisk_size = (uint64_t)initrd->size >> 32;
	params->hdr.cmd_line_ptr = layout->cmdline;
	params->ext_cmd_line_ptr = layout->cmdline >> 32;
	params->acpi_rsdp_addr = layout->acpi;
	e820_fill(params, info, mem, layout->acpi);
}

static int write_acpi(const struct load *load, const struct sigma_info *info,
		      const struct sigma_nodes *nodes, const struct guest_memory *mem, uint64_t phys)
{
	const struct acpi_layout acpi = {
		.iosc_phys = info->iosc_phys,
		.mailbox_phys = info->iosc_phys + SIGMA_IOSC_MAILBOX_OFF,
		.ioapic_phys = info->ioapic_phys,
		.bsp_apic_id = info->bsp_apic_id,
		.list_bsp = list_host_bsp(&load->kernel),
		.nr_cpus = info->nr_cpus,
		.apic_ids = info->apic_ids,
		.low_phys = info->low_phys,
		.nodes = nodes,
		.agent_key = load->agent_key,
	};
	uint8_t *tables = memory_at(mem, phys, ACPI_TABLES_SIZE);
	int len;

	memset(tables, 0, ACPI_TABLES_SIZE);
	len = acpi_build(tables, phys, &acpi);
	return len < 0 ? len : 0;
}

/* Build the longest possible command line. Return: its size with NUL, or a reported -errno */
static ssize_t check_cmdline(const struct load *load, const struct guest_config *config)
{
	const struct sigma_info info = {
		.tsc_khz = UINT32_MAX, .nr_cpus = SIGMA_CPUS_MAX, .bsp_apic_id = UINT32_MAX,
	};
	char *cmdline = cmdline_build(config, &info, &load->kernel);
	ssize_t size;

	if (!cmdline)
		return -EINVAL;
	warn_of_parameters(config);
	if (modules_share(config) && !has_modules_share(config, &load->kernel))
		log_warning("the guest's share of modules is %s, and its kernel is now Linux %s: it gets no modules of the host until it is stopped and started",
			    modules_share(config), load->kernel.version);
	size = strlen(cmdline) + 1;
	free(cmdline);
	return size;
}

/*
 * While the kernel unpacks an initrd, it has the packed one and the files. One that is much smaller
 * than the guest's memory is not looked at, since to unpack it takes time.
 */
static int check_unpacked(const struct load *load, const struct guest_config *config)
{
	const struct initrd *initrd = &load->initrd;
	const uint64_t packed = load->kernel.size + initrd->size;
	uint64_t unpacked;

	if (config->memory / UNPACK_FACTOR >= initrd->size || packed >= config->memory)
		return 0;
	unpacked = initrd_unpacked(initrd->data, initrd->size, UINT32_MAX);
	if (packed + unpacked <= config->memory)
		return 0;
	return log_error(-ENOMEM, "%s: Memory= of %" PRIu64 " MiB is too little: the initrd needs %"
			 PRIu64 " MiB, and %" PRIu64 " MiB when it is unpacked, so with the kernel it is more than %"
			 PRIu64 " MiB; give the guest more", memory_place(config).text,
			 config->memory / MIB, initrd->size / MIB, unpacked / MIB,
			 (packed + unpacked) / MIB);
}

/* Does everything fit if the memory is contiguous, which is the best case? */
static int check_room(const struct load *load, const struct guest_config *config,
		      size_t cmdline_size)
{
	const struct guest_memory mem = {
		.nr = 1, .segment[0] = { .phys = 4096 * MIB, .size = config->memory },
	};
	struct layout layout;

	return layout_build(&layout, config, &mem, &load->kernel, &load->initrd, cmdline_size) ?:
	       check_unpacked(load, config);
}

/* Does this word make the kernel refuse modules without a signature? */
static bool wants_signatures(struct word word)
{
	struct word value;

	if (has_name(word, "module.sig_enforce", &value))
		return value.len && strchr("1yYtT", *value.text);
	return has_name(word, "lockdown", &value) && value.len &&
	       strncmp(value.text, "none", value.len);
}

/* A user's initrd may have a sigma_guest.ko of its own */
static int check_signature(const struct load *load, const struct guest_config *config)
{
	struct word word;

	if (config->initrd || load->initrd.driver_signed)
		return 0;
	for_each_parameter(word, config->cmdline)
		if (wants_signatures(word))
			return log_error(-EKEYREJECTED, "%s:%u: CommandLine=: with %.*s the guest's kernel refuses sigma_guest.ko, which has no signature; sign it with a key that this kernel knows, or leave the word out",
					 config->file, config->cmdline_line, (int)word.len,
					 word.text);
	return 0;
}

static int make_initrd(struct load *load, const struct guest_config *config)
{
	char *root = last_value(config->cmdline, "root");
	char *fstype = last_value(config->cmdline, "rootfstype");
	int error;

	error = initrd_build(&load->initrd, load->kernel.version, config->modules, config->initrd,
			     rootfs_types(config, root, fstype));
	free(fstype);
	free(root);
	return error;
}

int load_open(struct load *load, const struct guest_config *config)
{
	ssize_t cmdline_size;
	int error;

	error = kernel_open(&load->kernel, config->kernel);
	if (error)
		return error;
	error = check_root(config);
	if (error)
		goto close_kernel;
	cmdline_size = check_cmdline(load, config);
	error = cmdline_size < 0 ? cmdline_size : make_initrd(load, config);
	if (error)
		goto close_kernel;
	error = check_signature(load, config);
	if (!error)
		error = check_room(load, config, cmdline_size);
	if (error)
		goto free_initrd;
	return 0;

free_initrd:
	initrd_free(&load->initrd);
close_kernel:
	kernel_close(&load->kernel);
	return error;
}

void load_close(struct load *load)
{
	initrd_free(&load->initrd);
	kernel_close(&load->kernel);
}

int load_guest(const struct load *load, const struct guest_config *config,
	       const struct sigma_info *info, const struct sigma_nodes *nodes,
	       const struct guest_memory *mem, struct sigma_start *start)
{
	const struct kernel *kernel = &load->kernel;
	const struct initrd *initrd = &load->initrd;
	struct layout layout = { 0 };
	size_t cmdline_size;
	char *cmdline;
	int error;

	cmdline = cmdline_build(config, info, kernel);
	if (!cmdline)
		return -EINVAL;
	cmdline_size = strlen(cmdline) + 1;

	error = layout_build(&layout, config, mem, kernel, initrd, cmdline_size);
	if (error)
		goto free_cmdline;

	/*
	 * sigma.ko has zeroed the memory of a new guest. Zero what an earlier run has left, too:
	 * its log would be taken for the log of the new run.
	 */
	if (info->state != SIGMA_STATE_CREATED)
		memset(mem->base, 0, mem->size);

	error = write_acpi(load, info, nodes, mem, layout.acpi);
	if (error)
		goto free_cmdline;
	kernel_copy(kernel, memory_at(mem, layout.kernel, kernel->init_size));
	memcpy(memory_at(mem, layout.initrd, initrd->size), initrd->data, initrd->size);
	memcpy(memory_at(mem, layout.cmdline, cmdline_size), cmdline, cmdline_size);
	fill_boot_params(memory_at(mem, layout.params, sizeof(struct boot_params)), info, mem,
			 kernel, &layout, initrd);

	start->entry = layout.kernel + kernel->entry;
	start->boot_params = layout.params;
	log_info("Linux %s at %#" PRIx64 ", initrd at %#" PRIx64 ", %zu KiB", kernel->version,
		 layout.kernel, layout.initrd, initrd->size / 1024);

free_cmdline:
	free(cmdline);
	return error;
}
