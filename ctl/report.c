// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl check --report: facts about the machine that a developer needs to understand a bug
 * report. It is text for people, mostly copied from files of the kernel. A file that can't be read
 * is left out. Where only root could read it, the report says so.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "../common/cpus.h"
#include "../common/guard.h"
#include "../common/parse.h"
#include "../common/version.h"
#include "ctl.h"

/* syslog(2) */
#define KLOG_READ_ALL		3
#define KLOG_SIZE_BUFFER	10

/* CPU flags that decide how guests start, which guard they have, and how they keep time */
static const char * const flags_that_matter[] = {
	"apic", "x2apic", "tsc", "constant_tsc", "nonstop_tsc", "tsc_deadline_timer", "arat", "svm",
	"npt", "nrip_save", "decodeassists", "vmx", "ept", "vpid", "hypervisor", "la57", "pdpe1gb",
	"sme", "sev", "tdx_guest", "hwp", "hwp_epp", "cppc", "hw_pstate", "monitor", "umip", "pti",
	"cet", "ibt", "user_shstk",
};

static void heading(const char *text)
{
	printf("\n== %s ==\n", text);
}

/* Print "NAME: first line of the file" */
static void print_value(const char *name, const char *path)
{
	char line[4096];

	if (parse_first_line(line, sizeof(line), "%s", path) || !*line)
		return;
	printf("%s: ", name);
	text_print(line, strlen(line));
	putchar('\n');
}

/* Print the lines that begin with one of @starts, after blanks; a NULL ends it. NULL: all lines */
static void print_lines(const char *path, const char * const *starts)
{
	FILE *f = fopen(path, "re");
	char line[4096];

	while (f && fgets(line, sizeof(line), f)) {
		bool wanted = !starts;

		for (const char * const *start = starts; !wanted && *start; start++)
			wanted = !strncmp(line + strspn(line, " "), *start, strlen(*start));
		if (wanted)
			text_print(line, strlen(line));
	}
	if (f)
		fclose(f);
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Print the names of a folder's entries in one line */
static void print_names(const char *name, const char *path)
{
	struct dirent **entries;
	int nr = scandir(path, &entries, is_visible, alphasort);

	if (nr < 0)
		return;
	printf("%s:", name);
	for (int i = 0; i < nr; i++) {
		printf(" %s", entries[i]->d_name);
		free(entries[i]);
	}
	putchar('\n');
	free(entries);
}

static void report_system(void)
{
	static const char * const release[] = { "PRETTY_NAME=", NULL };
	char when[64];
	struct utsname uts;
	time_t now = time(NULL);
	struct tm tm;

	printf("SIGMA %s, for a bug report. Read this before you give it away: it has this machine's\n"
	       "model, memory addresses and kernel command line.\n", SIGMA_VERSION);
	heading("system");
	if (localtime_r(&now, &tm) && strftime(when, sizeof(when), "%F %T %z", &tm))
		printf("date: %s\n", when);
	uname(&uts);
	printf("kernel: %s %s\n", uts.release, uts.version);
	print_lines("/etc/os-release", release);
	print_value("command line", "/proc/cmdline");
	print_value("tainted", "/proc/sys/kernel/tainted");
	print_value("lockdown", "/sys/kernel/security/lockdown");
	print_value("uptime, idle", "/proc/uptime");
	print_value("vendor", "/sys/class/dmi/id/sys_vendor");
	print_value("product", "/sys/class/dmi/id/product_name");
	print_value("board", "/sys/class/dmi/id/board_name");
	print_value("firmware", "/sys/class/dmi/id/bios_version");
	print_value("firmware date", "/sys/class/dmi/id/bios_date");
}

/* Print the lines and flags of the first CPU in /proc/cpuinfo */
static void print_cpu(void)
{
	static const char * const keys[] = {
		"vendor_id", "cpu family", "model", "stepping", "microcode", "cpu MHz", "bugs",
		"address sizes",
	};
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[8192], *word, *rest;

	while (f && fgets(line, sizeof(line), f) && *line != '\n') {
		for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
			if (!strncmp(line, keys[i], strlen(keys[i])))
				fputs(line, stdout);
		if (strncmp(line, "flags", 5))
			continue;
		printf("flags that matter:");
		for (word = strtok_r(line, " \t\n:", &rest); word;
		     word = strtok_r(NULL, " \t\n:", &rest))
			for (size_t i = 0; i < sizeof(flags_that_matter) / sizeof(char *); i++)
				if (!strcmp(word, flags_that_matter[i]))
					printf(" %s", word);
		putchar('\n');
	}
	if (f)
		fclose(f);
}

static void report_cpus(void)
{
	char text[512];

	heading("CPUs");
	print_cpu();
	print_value("possible", CPUS_SYSFS "/possible");
	print_value("present", CPUS_SYSFS "/present");
	print_value("online", CPUS_SYSFS "/online");
	print_value("isolated", CPUS_SYSFS "/isolated");
	print_value("nohz_full", CPUS_SYSFS "/nohz_full");
	print_value("SMT", CPUS_SYSFS "/smt/control");
	cpus_cores(CPUS_SYSFS, text, sizeof(text));
	printf("siblings: %s\n", *text ? text : "none");
	cpus_kinds(DEVICES_SYSFS, text, sizeof(text));
	printf("kinds: %s\n", *text ? text : "one");
	print_value("frequency driver", CPUS_SYSFS "/cpufreq/policy0/scaling_driver");
	print_value("frequency governor", CPUS_SYSFS "/cpufreq/policy0/scaling_governor");
	print_value("idle driver", CPUS_SYSFS "/cpuidle/current_driver");
	print_value("clock source",
		    "/sys/devices/system/clocksource/clocksource0/current_clocksource");
}

static void report_interrupts(void)
{
	static const char * const lines[] = { "NMI", "LOC", "SPU", "MCE", "ERR", "MIS", NULL };

	heading("ACPI, APIC and interrupts");
	print_names("ACPI tables", "/sys/firmware/acpi/tables");
	print_names("IOMMU", "/sys/class/iommu");
	print_names("EFI", "/sys/firmware/efi");
	print_lines("/proc/interrupts", lines);
}

static void report_memory(void)
{
	static const char * const sizes[] = {
		"MemTotal", "MemFree", "MemAvailable", "Cma", "HugePages_Total", "Hugepagesize",
		"DirectMap", NULL
	};

	heading("memory");
	print_lines("/proc/meminfo", sizes);
	print_value("memory blocks of", "/sys/devices/system/memory/block_size_bytes");
	print_value("NUMA nodes", "/sys/devices/system/node/online");
	if (geteuid())
		puts("(addresses are zero: be root)");
	print_lines("/proc/iomem", NULL);
}

static void report_module(void)
{
	struct guest_view *guests;
	int nr;

	heading("sigma.ko and guests");
	print_value("loaded", "/sys/module/sigma/initstate");
	print_value("source", "/sys/module/sigma/srcversion");
	print_value("tainted by it", "/sys/module/sigma/taint");
	print_value("users", "/sys/module/sigma/refcnt");
	print_value("pool_size", GUARD_SYSFS "/pool_size");
	print_value("pool_free", GUARD_SYSFS "/pool_free");
	print_value("guard", GUARD_SYSFS "/guard");
	print_value("guard_missing", GUARD_SYSFS "/guard_missing");
	nr = guest_views(&guests);
	for (int i = 0; i < nr; i++)
		printf("guest %s: %s, CPUs %s, %llu MiB, guard %s, heartbeat %llu\n",
		       guests[i].name, guests[i].state, guests[i].cpus,
		       (unsigned long long)guests[i].memory >> 20, guests[i].guard,
		       (unsigned long long)guests[i].heartbeat);
	free(guests);
}

static void report_messages(void)
{
	int size = klogctl(KLOG_SIZE_BUFFER, NULL, 0), len;
	char *text, *rest;

	heading("kernel messages of sigma");
	text = size > 0 ? malloc(size) : NULL;
	len = text ? klogctl(KLOG_READ_ALL, text, size - 1) : -1;
	if (len < 0) {
		puts("(cannot be read: be root)");
		free(text);
		return;
	}
	text[len] = '\0';
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (!strstr(line, "sigma"))
			continue;
		text_print(line, strlen(line));
		putchar('\n');
	}
	free(text);
}

void report_print(void)
{
	report_system();
	report_cpus();
	report_interrupts();
	report_memory();
	report_module();
	report_messages();
	heading("checks");
}
