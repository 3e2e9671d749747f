// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl check: what this machine can and can't do, and why. Each check is a function that reads
 * /proc, /sys and the like, and reports findings. No check changes anything or loads a module.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <libkmod.h>
#include <limits.h>
#include <stdarg.h>
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
#include "json.h"

#define DEFAULT_MEMORY	(512ULL << 20)
#define GUEST_MODULE	"sigma_guest"
#define TAPS		"/sys/class/net/sg-*"	/* daemon/virtio/tap.c */

#define SECURE_BOOT \
	"/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

/* SDM vol. 3A 11.12.1: bit 10 of IA32_APIC_BASE says that the CPU is in x2APIC mode */
#define MSR_IA32_APIC_BASE	0x1b
#define APIC_BASE_EXTD		(1 << 10)

enum result { RESULT_OK, RESULT_WARN, RESULT_FAIL };

static const char * const result_names[] = { "ok", "warn", "FAIL" };

static struct {
	struct json_object *json;	/* NULL: print for people */
	unsigned int count[RESULT_FAIL + 1];
} report;

/* @remedy may be NULL */
__attribute__((format(printf, 4, 5)))
static void found(const char *check, enum result result, const char *remedy, const char *fmt,
		  ...)
{
	static const enum colour colours[] = { COLOUR_GREEN, COLOUR_YELLOW, COLOUR_RED };
	struct json_object *object;
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);

	report.count[result]++;
	if (!report.json) {
		printf("%s%-4s%s  %-10s %s\n", colour(colours[result]), result_names[result],
		       colour(COLOUR_NONE), check, text);
		if (remedy)
			printf("                 -> %s\n", remedy);
		return;
	}
	object = json_object_new_object();
	json_add_string(object, "check", check);
	json_add_string(object, "result", result_names[result]);
	json_add_string(object, "text", text);
	json_add_string(object, "remedy", remedy);
	json_object_array_add(report.json, object);
}

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

/* Find a module as modprobe does, to be unreferenced; NULL if the running kernel has none */
static struct kmod_module *find_module(struct kmod_ctx *ctx, const char *name)
{
	struct kmod_module *module = NULL;
	struct kmod_list *list = NULL;

	if (ctx && !kmod_module_new_from_lookup(ctx, name, &list) && list)
		module = kmod_module_get_module(list);
	kmod_module_unref_list(list);
	return module;
}

static bool is_installed(const char *name)
{
	struct kmod_ctx *ctx = kmod_new(NULL, NULL);
	struct kmod_module *module = find_module(ctx, name);
	bool installed = module;

	kmod_module_unref(module);
	kmod_unref(ctx);
	return installed;
}

static void check_module(void)
{
	struct utsname uts;

	if (!access("/sys/module/sigma", F_OK)) {
		found("module", RESULT_OK, NULL, "sigma.ko is loaded");
		return;
	}
	uname(&uts);
	if (is_installed("sigma"))
		found("module", RESULT_WARN, "as root: modprobe sigma",
		      "sigma.ko is installed for kernel %s but not loaded", uts.release);
	else
		found("module", RESULT_FAIL,
		      "install the package sigma-dkms and the kernel's headers, or build it (make && make install); then: modprobe sigma",
		      "there is no sigma.ko for the running kernel %s", uts.release);
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

/* Files for the initrd of a guest that runs the host's kernel: daemon/load/initrd.c */
static void check_initrd(void)
{
	const char *dir = getenv("SIGMA_LIBDIR");
	char path[PATH_MAX];
	struct utsname uts;

	uname(&uts);
	if (!dir || !*dir)
		dir = SIGMA_LIBDIR;

	snprintf(path, sizeof(path), "%s/guest-init", dir);
	if (access(path, R_OK))
		found("guest-init", RESULT_FAIL, "install SIGMA again, or set Initrd= in the guest file",
		      "%s, the first program of guests, cannot be read: %s", path,
		      strerror(errno));
	else
		found("guest-init", RESULT_OK, NULL, "guests begin with %s", path);

	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep.bin", uts.release);
	if (access(path, R_OK)) {
		found("drivers", RESULT_WARN,
		      "as root: depmod; or set Kernel= and Modules= in the guest file",
		      "%s, where the drivers of guests are looked up, cannot be read: %s", path,
		      strerror(errno));
		return;
	}

	snprintf(path, sizeof(path), "%s/%s/" GUEST_MODULE ".ko", dir, uts.release);
	if (!access(path, R_OK) || is_installed(GUEST_MODULE))
		found("drivers", RESULT_OK, NULL,
		      "there is a " GUEST_MODULE ".ko for guests of kernel %s", uts.release);
	else
		found("drivers", RESULT_WARN,
		      "install the package sigma-dkms and the kernel's headers, or build it (make && make install); or set Kernel= to one that has it",
		      "there is neither %s nor another " GUEST_MODULE ".ko for the running kernel",
		      path);
}

/*
 * The file with the certificate of DKMS's signing key, or NULL. The first row is for DKMS since
 * 3.0, the second one for Ubuntu.
 */
static const char *find_certificate(const char *signer)
{
	static const struct {
		const char *signer, *path;
	} known[] = {
		{ "DKMS module signing key", "/var/lib/dkms/mok.pub" },
		{ "Secure Boot Module Signature key", "/var/lib/shim-signed/mok/MOK.der" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strstr(signer, known[i].signer) && !access(known[i].path, F_OK))
			return known[i].path;
	return NULL;
}

static bool secure_boot_is_on(void)
{
	char variable[5];
	ssize_t len = -1;
	int fd;

	fd = open(SECURE_BOOT, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		/* four bytes of attributes, then the variable; 1 means on (UEFI 2.10, 3.3) */
		len = read(fd, variable, sizeof(variable));
		close(fd);
	}
	return len == sizeof(variable) && variable[4] == 1;
}

/* Does the kernel reject modules without a signature? @why: out: the reason, @size bytes */
static bool needs_signature(char *why, size_t size)
{
	char text[128];

	parse_first_line(text, sizeof(text), "/sys/kernel/security/lockdown");
	if (strstr(text, "[integrity]") || strstr(text, "[confidentiality]")) {
		snprintf(why, size, "the kernel is locked down%s",
			 secure_boot_is_on() ? " by Secure Boot" : "");
		return true;
	}
	snprintf(why, size, "module.sig_enforce is set");
	parse_first_line(text, sizeof(text), "/sys/module/module/parameters/sig_enforce");
	return *text == 'Y';
}

/* Does the kernel have the key "[ORGANIZATION: ]NAME"? Only root sees all keys */
static bool kernel_has_key(const char *name)
{
	FILE *file = fopen("/proc/keys", "re");
	char line[512], wanted[256];
	bool has = false;

	snprintf(wanted, sizeof(wanted), " %s: ", name);
	while (file && !has && fgets(line, sizeof(line), file))
		has = strstr(line, " asymmetri ") && strstr(line, wanted);
	if (file)
		fclose(file);
	return has;
}

/*
 * Find out who signed sigma.ko.
 * @signer: out: name of the key, @size bytes; "" if it is not known
 *
 * Return: 1: it is signed; 0: it is not; -ENOENT: there is no sigma.ko; another negative errno: it
 * can't be read.
 */
static int find_signer(char *signer, size_t size)
{
	struct kmod_ctx *ctx = kmod_new(NULL, NULL);
	struct kmod_module *module = find_module(ctx, "sigma");
	struct kmod_list *info = NULL, *at;
	int ret = -ENOENT;

	*signer = '\0';
	if (module)
		ret = kmod_module_get_info(module, &info);
	if (ret > 0)
		ret = 0;
	kmod_list_foreach(at, info) {
		const char *key = kmod_module_info_get_key(at);

		if (!strcmp(key, "sig_id"))
			ret = 1;
		if (!strcmp(key, "signer"))
			snprintf(signer, size, "%s", kmod_module_info_get_value(at));
	}
	kmod_module_info_free_list(info);
	kmod_module_unref(module);
	kmod_unref(ctx);
	return ret;
}

/* Will a kernel that rejects unsigned modules, because of @why, load the installed sigma.ko? */
static void check_signer(const char *why)
{
	char signer[128], remedy[256];
	int is_signed = find_signer(signer, sizeof(signer));

	if (is_signed == -ENOENT) {
		found("secureboot", RESULT_WARN, NULL, "%s: it takes signed modules only", why);
	} else if (is_signed < 0) {
		found("secureboot", RESULT_WARN, NULL,
		      "%s: cannot find out whether sigma.ko is signed: %s", why,
		      strerror(-is_signed));
	} else if (!is_signed) {
		found("secureboot", RESULT_FAIL,
		      "install the package sigma-dkms, since DKMS signs what it builds; or sign it, with scripts/sign-file of the kernel's headers",
		      "%s: it takes signed modules only, and sigma.ko has no signature", why);
	} else if (!*signer) {
		found("secureboot", RESULT_WARN, "if the kernel rejects it, sign it with an enrolled key: mokutil --list-enrolled",
		      "%s: it takes signed modules only, and the key that signed sigma.ko is not known",
		      why);
	} else if (kernel_has_key(signer)) {
		found("secureboot", RESULT_OK, NULL,
		      "%s, and has the key that sigma.ko is signed with, '%s'", why, signer);
	} else if (geteuid()) {
		found("secureboot", RESULT_WARN, "be root, and check again",
		      "%s: whether it has the key that sigma.ko is signed with, '%s', only root can see",
		      why, signer);
	} else {
		snprintf(remedy, sizeof(remedy),
			 "as root: mokutil --import %s; then restart, and choose 'Enroll MOK' in the menu that comes before the system",
			 find_certificate(signer) ?: "CERTIFICATE, that of the key");
		found("secureboot", RESULT_FAIL, remedy,
		      "%s, and does not have the key that sigma.ko is signed with, '%s'", why,
		      signer);
	}
}

static void check_signature(void)
{
	char why[64];

	if (!needs_signature(why, sizeof(why)))
		found("secureboot", RESULT_OK, NULL,
		      "Secure Boot is %s: this kernel takes modules without a signature",
		      secure_boot_is_on() ? "on, but not in force" : "off, or there is none");
	else if (!access("/sys/module/sigma", F_OK))
		found("secureboot", RESULT_OK, NULL, "%s, and accepted the signature of sigma.ko", why);
	else
		check_signer(why);
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
		check_module, check_devices, check_signature, check_cpus, check_apic, check_tsc,
		check_hypervisor, check_memory, check_kernel, check_initrd, check_network,
		check_user_network, check_bridges, check_mtus, check_panic, check_guard,
	};

	if (options->given & OPT_JSON && options->given & OPT_REPORT)
		return complain(EXIT_USAGE, "--report is text for people: leave out --json");
	if (options->given & OPT_REPORT)
		report_print();
	if (options->given & OPT_JSON)
		report.json = json_object_new_array();
	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++)
		checks[i]();

	if (report.json) {
		json_print(report.json);
	} else if (!(options->given & OPT_NO_LEGEND)) {
		printf("\n%s: %u ok, %u warn, %u FAIL.\n",
		       report.count[RESULT_FAIL] ? "This machine cannot run guests as it is" :
						   "This machine can run guests",
		       report.count[RESULT_OK], report.count[RESULT_WARN],
		       report.count[RESULT_FAIL]);
	}
	return report.count[RESULT_FAIL] ? EXIT_FAILED : EXIT_OK;
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
