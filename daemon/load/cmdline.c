// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's command line: the words that SIGMA needs, with the reason for each, and the user's
 * CommandLine=, which is split into words as the kernel does it.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "../../common/log.h"
#include "load.h"

#define CMDLINE_MAX		4096U	/* with the NUL; a kernel may have a lower limit */

#define COUNT(array)		(sizeof(array) / sizeof(*(array)))

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
	 *
	 * The others write to registers of the whole package. thermal_throttle_init_device gives
	 * the hardware feedback interface (SDM vol. 3B 15.6) a page of the guest's memory, which
	 * the package goes on writing to when that memory is the host's again. resctrl_late_init
	 * (resctrl_arch_late_init from 6.16 on) undoes how the host has divided the caches and the
	 * bandwidth of memory (18.18, 18.19). Words that the user adds to this parameter undo none.
	 */
	"initcall_blacklist=i8237A_init_ops,print_s5_reset_status_mmio,"
		"thermal_throttle_init_device,resctrl_late_init,resctrl_arch_late_init",
	/* As it boots, a kernel empties all memory of SGX that CPUID shows: the host's enclaves */
	"nosgx",
	/* HWP cannot be switched off again, and is the package's. Where it is on, the guest uses it */
	"intel_pstate=no_hwp",
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
 * The modules that no guest may load. udev loads most of them wherever CPUID shows a CPU that they
 * know. The package's counters, power limits, uncore frequency, thermal thresholds, mailbox
 * (isst_if_mbox_msr) and power management controller (at a fixed address, intel_pmc_core_pltdrv)
 * are the host's; the guest may choose the frequency of its own cores. kvm_intel: INIT is blocked on
 * a core in VMX operation, so sigma.ko could not stop the guest. The user's lists are joined with
 * this one, since of several the kernel obeys only the last one.
 */
#define BLACKLIST		"module_blacklist"
#define BLACKLIST_MODULES	"intel_uncore,amd_uncore,rapl,intel_rapl_msr,intel_rapl_common," \
				"intel_uncore_frequency,x86_pkg_temp_thermal,isst_if_mbox_msr," \
				"intel_pmc_core_pltdrv,kvm_intel"

/* The kernel ignores a text parameter that is longer (param_set_charp() in kernel/params.c) */
#define PARAMETER_MAX		1024U

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

char *cmdline_value(const char *cmdline, const char *name)
{
	struct word word, value, last = { 0 };

	for_each_parameter(word, cmdline)
		if (has_name(word, name, &value))
			last = value;
	return last.text ? strndup(last.text, last.len) : NULL;
}

bool cmdline_has(const char *cmdline, const char *name)
{
	struct word word, bare;

	for_each_parameter(word, cmdline) {
		bare = word;
		unquote(&bare);
		if (bare.len == strlen(name) && !memcmp(bare.text, name, bare.len))
			return true;
	}
	return false;
}

/* The two that give words: the profile first, since the user's words override its own */
#define SOURCES		2

static const char *words_of(const struct guest_config *config, unsigned int source)
{
	return source ? config->cmdline : config->profile.words ?: "";
}

/* Where the words of @source are written */
static const char *place_of(const struct guest_config *config, unsigned int source, char *buf,
			    size_t size)
{
	if (source)
		snprintf(buf, size, "%s:%u: CommandLine=", config->file, config->cmdline_line);
	else
		snprintf(buf, size, "%s: Profile=%s", config->file, config->profile.name);
	return buf;
}

static void warn_of_parameter(const struct guest_config *config, unsigned int source,
			      struct word word)
{
	char place[PATH_MAX + 64];
	struct word value;

	for (size_t i = 0; i < COUNT(cmdline_last); i++) {
		const struct parameter *last = &cmdline_last[i];

		if (has_name(word, last->name, &value) &&
		    (value.len != strlen(last->value) ||
		     memcmp(value.text, last->value, value.len)))
			log_warning("%s: %.*s has no effect: a guest needs %s=%s, or it could reset the machine or harm the host; leave it out",
				    place_of(config, source, place, sizeof(place)), (int)word.len,
				    word.text, last->name, last->value);
	}
}

static void warn_of_parameters(const struct guest_config *config)
{
	struct word word;

	for (unsigned int source = 0; source < SOURCES; source++)
		for_each_parameter(word, words_of(config, source))
			warn_of_parameter(config, source, word);
}

/* Print the modules that these words list. Return: the number of characters */
static size_t print_listed(FILE *out, const char *cmdline)
{
	struct word word, value;
	size_t len = 0;

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

/* Return: the length of the joined list */
static size_t print_blacklist(FILE *out, const struct guest_config *config)
{
	size_t len = strlen(BLACKLIST_MODULES);

	fputs(" " BLACKLIST "=" BLACKLIST_MODULES, out);
	for (unsigned int source = 0; source < SOURCES; source++)
		len += print_listed(out, words_of(config, source));
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

/* What fits the guest to its work. The user's words follow, so they count */
static void print_profile(FILE *out, const struct guest_config *config, unsigned int nr_cpus)
{
	const struct guest_profile *profile = &config->profile;
	const uint64_t size = profile->huge_1g ? 1ULL << 30 : 2ULL << 20;
	const uint64_t pages = profile->huge_pages ?:
			       config->memory / size * profile->huge_percent / 100;

	fputs(profile->words ?: "", out);
	/* The first CPU keeps its tick, for timekeeping and for the callbacks of the others */
	if (profile->full_tick && nr_cpus > 1)
		fprintf(out, " nohz_full=1-%u", nr_cpus - 1);
	/* Also as the default: mmap(2) with MAP_HUGETLB and no size then takes these */
	if (pages)
		fprintf(out, " default_hugepagesz=%s hugepagesz=%s hugepages=%llu",
			profile->huge_1g ? "1G" : "2M", profile->huge_1g ? "1G" : "2M",
			(unsigned long long)pages);
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
	char *root = config->root ? cmdline_value(config->cmdline, "root") : NULL;
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

char *cmdline_build(const struct guest_config *config, const struct sigma_info *info,
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
	print_profile(out, config, info->nr_cpus);
	print_parameters(out, config->cmdline);
	blacklist = print_blacklist(out, config);
	if (!kernel_lists_bsp(kernel))
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
			  "%s: CommandLine= is %zu characters too long: %s takes %zu, of which SIGMA%s%s needs %zu; shorten it",
			  config->file, len - max, config->kernel, max,
			  config->profile.name ? ", with the profile " : "",
			  config->profile.name ?: "", len - strlen(config->cmdline));
		free(cmdline);
		return NULL;
	}
	return cmdline;

no_memory:
	free(cmdline);
	log_error(-ENOMEM, "no memory for the guest's command line");
	return NULL;
}

ssize_t cmdline_check(const struct guest_config *config, const struct kernel *kernel)
{
	const struct sigma_info info = {
		.tsc_khz = UINT32_MAX, .nr_cpus = SIGMA_CPUS_MAX, .bsp_apic_id = UINT32_MAX,
	};
	char *cmdline;
	ssize_t size;

	size = check_root(config);
	if (size)
		return size;
	cmdline = cmdline_build(config, &info, kernel);
	if (!cmdline)
		return -EINVAL;
	warn_of_parameters(config);
	if (modules_share(config) && !has_modules_share(config, kernel))
		log_warning("the guest's share of modules is %s, and its kernel is now Linux %s: it gets no modules of the host until it is stopped and started",
			    modules_share(config), kernel->version);
	size = strlen(cmdline) + 1;
	free(cmdline);
	return size;
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
int cmdline_check_signature(const struct guest_config *config, const struct initrd *initrd)
{
	char place[PATH_MAX + 64];
	struct word word;

	if (config->initrd || initrd->driver_signed)
		return 0;
	for (unsigned int source = 0; source < SOURCES; source++)
		for_each_parameter(word, words_of(config, source))
			if (wants_signatures(word))
				return log_error(-EKEYREJECTED, "%s: with %.*s the guest's kernel refuses sigma_guest.ko, which has no signature; sign it with a key that this kernel knows, or leave the word out",
						 place_of(config, source, place, sizeof(place)),
						 (int)word.len, word.text);
	return 0;
}
