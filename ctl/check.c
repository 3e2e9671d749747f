// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl check: what this machine can and can't do, and why. Each check is a function that reads
 * /proc, /sys and the like, and reports findings. No check changes anything or loads a module.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../common/cpulist.h"
#include "../common/cpus.h"
#include "../common/guard.h"
#include "../common/parse.h"
#include "../common/program.h"
#include "ctl.h"
#include "finding.h"
#include "installed.h"

#define DEFAULT_MEMORY	(512ULL << 20)
#define TAPS		"/sys/class/net/sg-*"	/* daemon/virtio/tap.c */

/* SDM vol. 3A 11.12.1: bit 10 of IA32_APIC_BASE says that the CPU is in x2APIC mode */
#define MSR_IA32_APIC_BASE	0x1b
#define APIC_BASE_EXTD		(1 << 10)

/* Is @flag among the flags of the first CPU in /proc/cpuinfo? */
static bool cpu_flag(const char *flag)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	bool there = false;
	char line[8192], *word, *rest;

	if (!f)
		return false;
	while (!there && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "flags", 5))
			continue;
		for (word = strtok_r(line, " \t\n:", &rest); word && !there;
		     word = strtok_r(NULL, " \t\n:", &rest))
			there = !strcmp(word, flag);
		break;
	}
	fclose(f);
	return there;
}

static void check_devices(void)
{
	if (access("/sys/module/sigma", F_OK))
		return;
	if (access("/dev/sigma/control", R_OK | W_OK))
		found("access", RESULT_FAIL,
		      "be root, or join the group '" RUNDIR_GROUP "' to use guests that run",
		      "you may not open /dev/sigma/control: %s", strerror(errno));
	else if (geteuid())
		found("access", RESULT_WARN, "be root for sigmactl start",
		      "you may use guests that run, but not start any");
	else
		found("access", RESULT_OK, NULL, "you may start guests");
}

static void check_cpus(void)
{
	struct host_cpus cpus;
	char list[256], offline[256], cores[512], kinds[512];

	if (cpus_read(CPUS_SYSFS, &cpus))
		found("cpus", RESULT_FAIL, NULL, "cannot read " CPUS_SYSFS "/online");
	else if (CPU_COUNT(&cpus.lendable))
		found("cpus", RESULT_OK, NULL, "%d can be lent: %s%s%s", CPU_COUNT(&cpus.lendable),
		      cpulist_format(&cpus.lendable, list, sizeof(list)),
		      CPU_COUNT(&cpus.offline) ? "; offline, and lent first: " : "",
		      cpulist_format(&cpus.offline, offline, sizeof(offline)));
	else if (CPU_COUNT(&cpus.online) > 1)
		found("cpus", RESULT_WARN, "set SplitCores=yes in the guest file",
		      "cpu %s: all share the core of cpu 0, which stays with the host",
		      cpulist_format(&cpus.online, list, sizeof(list)));
	else
		found("cpus", RESULT_FAIL, "a second CPU must be online; or, if the machine has CPUs that are offline, load sigma.ko, which lends these, too",
		      "there is one CPU only, which the host needs");

	cpus_cores(CPUS_SYSFS, cores, sizeof(cores));
	if (*cores)
		found("cores", RESULT_OK, NULL,
		      "hyperthread siblings, which are lent together: %s", cores);
	cpus_kinds(DEVICES_SYSFS, kinds, sizeof(kinds));
	if (*kinds)
		found("cores", RESULT_OK, NULL,
		      "of different kinds: %s; CPUs= in the guest file can choose one: CPUs=2 efficiency",
		      kinds);
}

static void check_apic(void)
{
	uint64_t base;
	ssize_t len = -1;
	int fd;

	if (!cpu_flag("apic")) {
		found("apic", RESULT_FAIL, NULL, "the CPU has no local APIC");
		return;
	}
	fd = open("/dev/cpu/0/msr", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		len = pread(fd, &base, sizeof(base), MSR_IA32_APIC_BASE);
		close(fd);
	}
	if (len == sizeof(base))
		found("apic", RESULT_OK, NULL, "local APIC in %s mode",
		      base & APIC_BASE_EXTD ? "x2APIC" : "xAPIC");
	else
		found("apic", RESULT_OK, NULL, "local APIC%s; its mode can't be read here, but both modes work",
		      cpu_flag("x2apic") ? ", x2APIC possible" : "");
}

/*
 * A guest has no timer but the TSC and the APIC's. The kernel takes the TSC off the list of clock
 * sources once it has found that TSCs differ or stop (SDM vol. 3B, "Invariant TSC": CPUID
 * 80000007h EDX bit 8).
 */
static void check_tsc(void)
{
	char sources[256];

	parse_first_line(sources, sizeof(sources),
			 "/sys/devices/system/clocksource/clocksource0/available_clocksource");
	if (!strstr(sources, "tsc"))
		found("tsc", RESULT_WARN, "dmesg | grep -i tsc says why",
		      "this kernel does not trust the TSC, which guests tell the time by: their clocks may run fast or slow");
	else if (!cpu_flag("constant_tsc") || !cpu_flag("nonstop_tsc"))
		found("tsc", RESULT_WARN, NULL,
		      "the TSC may change its rate or stop while a CPU is idle, and guests tell the time by it: their clocks may run fast or slow");
	else
		found("tsc", RESULT_OK, NULL, "the TSC is invariant, and the kernel trusts it");
}

static void check_hypervisor(void)
{
	if (cpu_flag("hypervisor"))
		found("hypervisor", RESULT_WARN, NULL,
		      "this host is a virtual machine: guests work if its hypervisor emulates INIT and SIPI, but they do not run at native speed");
	else
		found("hypervisor", RESULT_OK, NULL, "this host runs on the bare machine");
}

static void check_memory(void)
{
	uint64_t kib = 0;
	char line[256], size[32];
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) == 1)
			break;
	if (f)
		fclose(f);
	text_size(size, kib << 10);
	if (kib << 10 > 2 * DEFAULT_MEMORY)
		found("memory", RESULT_OK, NULL, "%s available", size);
	else
		found("memory", RESULT_WARN, "free some, or set a small Memory= in the guest file",
		      "%s available: a guest takes 512M by default", size);
}

static void check_kernel(void)
{
	char path[128];
	struct utsname uts;

	uname(&uts);
	snprintf(path, sizeof(path), "/boot/vmlinuz-%s", uts.release);
	if (!access(path, R_OK))
		found("kernel", RESULT_OK, NULL, "guests run %s unless Kernel= names another one", path);
	else
		found("kernel", RESULT_WARN, "set Kernel= in the guest file",
		      "%s, the default kernel of guests, cannot be read: %s", path,
		      strerror(errno));
}

static void check_network(void)
{
	if (!access("/dev/net/tun", F_OK))
		found("network", RESULT_OK, NULL, "taps can be made");
	else
		found("network", RESULT_WARN, "as root: modprobe tun",
		      "there is no /dev/net/tun: guests can't have a bridge or a network to the host");
}

static void check_user_network(void)
{
	char path[PATH_MAX], why[256];

	if (!program_find_passt(path, why, sizeof(why)))
		found("passt", RESULT_OK, NULL, "%s makes networks in user mode (User=yes)", path);
	else
		found("passt", RESULT_WARN, NULL, "no networks in user mode (User=yes): %s", why);
}

/*
 * Docker and others make the host drop what it does not forward for them, and with br_netfilter
 * also the frames that a bridge passes from one port to another.
 */
static void check_bridges(void)
{
	static const char *const usual[] = { "/usr/sbin", "/sbin", NULL };
	static const struct {
		const char *filter, *sysctl;
	} filters[] = {
		{ "iptables", "/proc/sys/net/bridge/bridge-nf-call-iptables" },
		{ "ip6tables", "/proc/sys/net/bridge/bridge-nf-call-ip6tables" },
	};

	for (size_t i = 0; i < sizeof(filters) / sizeof(*filters); i++) {
		const char *filter = filters[i].filter;
		char path[PATH_MAX], on[8], remedy[160];
		char *const argv[] = { path, "-S", "FORWARD", NULL };

		if (parse_first_line(on, sizeof(on), "%s", filters[i].sysctl) || strcmp(on, "1") ||
		    program_find(path, filter, usual))
			continue;
		if (geteuid()) {
			found("bridges", RESULT_WARN, "be root, and check again",
			      "bridges ask %s: whether it drops what guests send, only root can see",
			      filter);
			continue;
		}
		if (!program_says(argv, "-P FORWARD DROP"))
			continue;
		snprintf(remedy, sizeof(remedy),
			 "as root, for each bridge of guests: %s -I FORWARD -i BRIDGE -o BRIDGE -j ACCEPT",
			 filter);
		found("bridges", RESULT_WARN, remedy,
		      "the policy of FORWARD in %s is DROP, as Docker sets it: guests with Bridge= reach nothing but the host",
		      filter);
	}
}

/* A tap has a larger MTU than its bridge while the guest's NIC may have one: daemon/virtio/net.c */
static void check_mtus(void)
{
	char path[PATH_MAX], tap[16], bridge[16], master[PATH_MAX], remedy[128];
	glob_t taps;

	if (glob(TAPS, 0, NULL, &taps))
		return;
	for (size_t i = 0; i < taps.gl_pathc; i++) {
		ssize_t len;

		if (parse_first_line(tap, sizeof(tap), "%s/mtu", taps.gl_pathv[i]) ||
		    parse_first_line(bridge, sizeof(bridge), "%s/master/mtu", taps.gl_pathv[i]) ||
		    atoi(tap) <= atoi(bridge))
			continue;
		snprintf(path, sizeof(path), "%s/master", taps.gl_pathv[i]);
		len = readlink(path, master, sizeof(master) - 1);
		master[len < 0 ? 0 : len] = '\0';
		snprintf(remedy, sizeof(remedy),
			 "restart the guest or correct its MTU=; or in the guest: ip link set ethN mtu %s",
			 bridge);
		found("mtu", RESULT_WARN, remedy,
		      "%s has an MTU of %s, and the guest's NIC behind %s may have one of %s: longer frames get lost",
		      basename(master), bridge, basename(taps.gl_pathv[i]), tap);
	}
	globfree(&taps);
}

static void check_microcode(void)
{
	microcode_check("/proc/cpuinfo", "/sys/class/sigma/*/microcode");
}

/* When the host panics, a restart of the machine ends the guests. When does it restart? */
static void check_panic(void)
{
	char panic[32], crash[32];

	parse_first_line(panic, sizeof(panic), "/proc/sys/kernel/panic");
	parse_first_line(crash, sizeof(crash), "/sys/kernel/kexec_crash_loaded");
	if (!strcmp(crash, "1"))
		found("panic", RESULT_WARN, NULL,
		      "a crash kernel is loaded: when the host panics, guests run on unserved until the dump is done");
	else if (strcmp(panic, "0") && *panic)
		found("panic", RESULT_OK, NULL,
		      "kernel.panic=%s: when the host panics, the machine restarts, guests too",
		      panic);
	else
		found("panic", RESULT_OK, NULL,
		      "kernel.panic=0: when the host panics, guests run on without devices");
}

/* Only sigma.ko can read the registers that this depends on */
static void check_guard(void)
{
	static const char trust[] = "run only guests that you would trust as root of this host";
	char why[REASON_TEXT_MAX];

	switch (guard_of_machine(GUARD_SYSFS, why)) {
	case SIGMA_GUARD_FULL:
		found("guard", RESULT_OK, NULL,
		      "full: guests reach no memory, port, register or interrupt that is not theirs");
		break;
	case SIGMA_GUARD_MEMORY:
		found("guard", RESULT_WARN, trust,
		      "memory: against accidents, not against attacks: guests reach no memory, port or register that is not theirs, but can interrupt any CPU, and take over the host by that: %s",
		      why);
		break;
	case SIGMA_GUARD_NO:
		found("guard", RESULT_WARN, trust,
		      "no: a guest is as trusted as a kernel module: %s", why);
		break;
	default:
		found("guard", RESULT_WARN, "as root: modprobe sigma; then check again",
		      "only sigma.ko can find out which guard this machine has, and it is not loaded");
	}
}

static int run(const struct options *options, char **args)
{
	static void (* const checks[])(void) = {
		installed_module, check_devices, installed_signature, check_cpus, check_apic, check_tsc,
		check_hypervisor, check_memory, check_kernel, installed_initrd, check_network,
		check_user_network, check_bridges, check_mtus,
		check_microcode, check_panic, check_guard,
	};

	if (options->given & OPT_JSON && options->given & OPT_REPORT)
		return complain(EXIT_USAGE, "--report is text for people: leave out --json");
	if (options->given & OPT_REPORT)
		report_print();
	findings_begin(options->given & OPT_JSON);
	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++)
		checks[i]();
	return findings_end(!(options->given & OPT_NO_LEGEND)) ? EXIT_FAILED : EXIT_OK;
}

DEFINE_VERB(check) = {
	.name = "check",
	.args = "",
	.summary = "Say what this machine can and can't do, and why",
	.help =
"Each line begins with 'ok', 'warn' (guests can run, but there is something to know) or 'FAIL'\n"
"(no guest can be started). The line after it, with '->', says what to do. The command changes\n"
"nothing and loads no module. The exit status is 1 when a line says FAIL.\n"
"\n"
"--report first prints what else a bug report needs: kernel, CPU, ACPI, memory, and messages of\n"
"sigma.ko. Some of it needs root.\n"
"\n"
"Examples:\n"
"  sigmactl check\n"
"  sigmactl check --json | jq -r '.[] | select(.result == \"FAIL\").remedy'\n"
"  sudo sigmactl check --report >report.txt\n",
	.accepts = OPT_JSON | OPT_NO_LEGEND | OPT_REPORT,
	.run = run,
};
