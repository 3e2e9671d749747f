// SPDX-License-Identifier: GPL-2.0
/* CPU lists, and the choice of CPUs to lend, on sysfs trees that are made here. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/cpulist.h"
#include "../../common/cpus.h"
#include "capture.h"
#include "tap.h"

#define CONTROL	"../../virtual/sigma/control"

static char root[] = "/tmp/sigma-unit-XXXXXX";
static char sysfs[sizeof(root) + 16];
static uint64_t memory;				/* that the guest needs */
static uint32_t cpus[SIGMA_CPUS_MAX];
static const char *said;

static void put(const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", sysfs, name);
	f = fopen(path, "w");
	if (f) {
		fputs(text, f);
		fclose(f);
	}
}

static void folder(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", sysfs, name);
	mkdir(path, 0700);
}

static void make_root(void)
{
	if (!mkdtemp(root))
		return;
	snprintf(sysfs, sizeof(sysfs), "%s/system/cpu", root);
	for (const char * const *name = (const char * const []){ "system", "system/cpu", "virtual",
		"virtual/sigma", "virtual/sigma/control", NULL }; *name; name++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", root, *name);
		mkdir(path, 0700);
	}
}

/* What sigma.ko tells; NULL: it is not loaded */
static void lendable(const char *list, const char *cores)
{
	char path[PATH_MAX];

	if (list) {
		put(CONTROL "/cpus_lendable", list);
		put(CONTROL "/cores", cores);
		return;
	}
	snprintf(path, sizeof(path), "%s/" CONTROL "/cpus_lendable", sysfs);
	unlink(path);
	snprintf(path, sizeof(path), "%s/" CONTROL "/cores", sysfs);
	unlink(path);
}

/* CPUs @first to @last are of NUMA node @node, where so much memory is free */
static void on_node(int node, int first, int last, unsigned int free_mib, unsigned int file_mib)
{
	char name[64], text[256];

	snprintf(text, sizeof(text),
		 "Node %d MemTotal: 99999999 kB\nNode %d MemFree:  %u kB\nNode %d FilePages: %u kB\n",
		 node, node, free_mib << 10, node, file_mib << 10);
	for (int cpu = first; cpu <= last; cpu++) {
		snprintf(name, sizeof(name), "cpu%d/node%d", cpu, node);
		folder(name);
		snprintf(name, sizeof(name), "cpu%d/node%d/meminfo", cpu, node);
		put(name, text);
	}
}

/* A machine where CPU n has the siblings @siblings[n], ended by NULL */
static void machine(const char *online, const char * const *siblings)
{
	char path[PATH_MAX];

	if (!*sysfs)
		make_root();
	put("online", online);
	for (int cpu = 0; siblings[cpu]; cpu++) {
		snprintf(path, sizeof(path), "%s/cpu%d", sysfs, cpu);
		mkdir(path, 0700);
		snprintf(path, sizeof(path), "%s/cpu%d/topology", sysfs, cpu);
		mkdir(path, 0700);
		snprintf(path, sizeof(path), "cpu%d/topology/thread_siblings_list", cpu);
		put(path, siblings[cpu]);
	}
}

/* The chosen CPUs as a list */
static const char *choose(unsigned int wanted, bool split)
{
	static char text[256];
	cpu_set_t set;
	int nr;

	capture_start();
	nr = cpus_choose(sysfs, NULL, "", wanted, memory, split, cpus);
	said = capture_end();
	if (nr < 0)
		return strerror(-nr);
	CPU_ZERO(&set);
	for (int i = 0; i < nr; i++)
		CPU_SET(cpus[i], &set);
	return cpulist_format(&set, text, sizeof(text));
}

TEST(lists)
{
	char text[64];
	cpu_set_t set;

	ASSERT_EQ(0, cpulist_parse("0-3,8,10-11\n", &set));
	EXPECT_EQ(7, CPU_COUNT(&set));
	EXPECT_TRUE(CPU_ISSET(11, &set));
	EXPECT_STREQ("0-3,8,10-11", cpulist_format(&set, text, sizeof(text)));
	ASSERT_EQ(0, cpulist_parse("\n", &set));
	EXPECT_EQ(0, CPU_COUNT(&set));
	EXPECT_STREQ("", cpulist_format(&set, text, sizeof(text)));
}

TEST(malformed_lists)
{
	static const char * const bad[] = {
		"a", "-1", "1-", "3-1", "1,,2", "1,", "1 2", "1024", "99999999999999999999",
	};
	cpu_set_t set;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		EXPECT_EQ(-EINVAL, cpulist_parse(bad[i], &set));
}

TEST(long_list_is_cut)
{
	char text[8];
	cpu_set_t set;

	ASSERT_EQ(0, cpulist_parse("1,3,5,7,9,11", &set));
	EXPECT_STREQ("1,3,5,7", cpulist_format(&set, text, sizeof(text)));
}

TEST(without_hyperthreads)
{
	machine("0-3", (const char * const []){ "0", "1", "2", "3", NULL });
	EXPECT_STREQ("3", choose(1, false));
	EXPECT_STREQ("2-3", choose(2, false));
	EXPECT_STREQ("1-3", choose(3, false));
	EXPECT_STREQ(strerror(EBUSY), choose(4, false));
	EXPECT_TRUE(strstr(said, "core of cpu 0 stays"));
}

TEST(what_can_be_lent)
{
	struct host_cpus host;
	char text[64];

	machine("0-3", (const char * const []){ "0", "1", "2", "3", NULL });
	ASSERT_EQ(0, cpus_read(sysfs, &host));
	EXPECT_STREQ("1-3", cpulist_format(&host.lendable, text, sizeof(text)));
	EXPECT_TRUE(!host.siblings);
	machine("0-5,7", (const char * const []){ "0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6",
						  "3,7", NULL });
	ASSERT_EQ(0, cpus_read(sysfs, &host));
	EXPECT_STREQ("0-5,7", cpulist_format(&host.online, text, sizeof(text)));
	EXPECT_STREQ("1-3,5,7", cpulist_format(&host.lendable, text, sizeof(text)));
	EXPECT_TRUE(host.siblings);
}

TEST(whole_cores)
{
	machine("0-7", (const char * const []){ "0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6",
						"3,7", NULL });
	EXPECT_STREQ("3,7", choose(1, false));
	EXPECT_TRUE(strstr(said, "2 instead of 1"));
	EXPECT_STREQ("3,7", choose(2, false));
	EXPECT_STREQ("1-3,5-7", choose(6, false));
	EXPECT_STREQ(strerror(EBUSY), choose(7, false));
}

TEST(split_cores)
{
	EXPECT_STREQ("7", choose(1, true));
	EXPECT_STREQ("5-7", choose(3, true));
	EXPECT_STREQ("1-7", choose(7, true));
	EXPECT_STREQ(strerror(EBUSY), choose(8, true));
}

/* Two big cores with two threads each, and two small cores with one each */
TEST(mixed_cores)
{
	machine("0-5", (const char * const []){ "0-1", "0-1", "2-3", "2-3", "4", "5", NULL });
	EXPECT_STREQ("5", choose(1, false));
	EXPECT_STREQ("4-5", choose(2, false));
	EXPECT_STREQ("2-5", choose(4, false));
	EXPECT_STREQ("2-5", choose(3, false));
	EXPECT_TRUE(strstr(said, "4 instead of 3"));
}

TEST(offline_cpus_are_not_chosen_without_module)
{
	machine("0-1,4-5", (const char * const []){ "0", "1", "", "", "4", "5", NULL });
	EXPECT_STREQ("1,4-5", choose(3, false));
	EXPECT_STREQ(strerror(EBUSY), choose(4, false));
}

TEST(offline_cores_are_chosen_first)
{
	machine("0-1,3-5,7", (const char * const []){ "0,4", "1,5", "", "3,7", "0,4", "1,5", "",
						      "3,7", NULL });
	lendable("1-7", "2,6");
	EXPECT_STREQ("2,6", choose(2, false));
	EXPECT_STREQ("2-3,6-7", choose(4, false));
	EXPECT_STREQ("1-3,5-7", choose(6, false));
	EXPECT_STREQ(strerror(EBUSY), choose(7, false));
	EXPECT_STREQ("6", choose(1, true));
	EXPECT_STREQ("2,6-7", choose(3, true));
	/* CPU 6 is lent, so its core is not a whole one */
	lendable("1-5,7", "2,6");
	EXPECT_STREQ("3,7", choose(2, false));
	EXPECT_STREQ("2", choose(1, true));
}

TEST(hyperthreads_that_are_off)
{
	struct host_cpus host;
	char text[64];

	machine("0-3", (const char * const []){ "0", "1", "2", "3", "", "", "", "", NULL });
	lendable("1-7", "0,4 1,5 2,6 3,7");
	folder("smt");
	put("smt/control", "off\n");
	EXPECT_STREQ("3,7", choose(2, false));
	EXPECT_STREQ("1-3,5-7", choose(6, false));
	EXPECT_STREQ("3", choose(1, true));
	EXPECT_STREQ(strerror(EBUSY), choose(4, true));
	put("smt/control", "on\n");
	EXPECT_STREQ("7", choose(1, true));
	ASSERT_EQ(0, cpus_read(sysfs, &host));
	EXPECT_STREQ("1-3,5-7", cpulist_format(&host.lendable, text, sizeof(text)));
	EXPECT_STREQ("5-7", cpulist_format(&host.offline, text, sizeof(text)));
	EXPECT_TRUE(host.siblings);
	cpus_cores(sysfs, text, sizeof(text));
	EXPECT_STREQ("0,4 1,5 2,6 3,7", text);
}

TEST(cpus_that_the_module_refuses_are_not_chosen)
{
	machine("0-3", (const char * const []){ "0", "1", "2", "3", NULL });
	lendable("1-2", "");
	EXPECT_STREQ("2", choose(1, false));
	EXPECT_STREQ("1-2", choose(2, true));
	EXPECT_STREQ(strerror(EBUSY), choose(3, false));
	EXPECT_TRUE(strstr(said, "no guest can use cpu 3, whose APIC ID is above 254"));
	lendable(NULL, NULL);
}

/* The cores as "sigmactl check" prints them */
static const char *cores(void)
{
	static char text[256];

	cpus_cores(sysfs, text, sizeof(text));
	return text;
}

TEST(which_share_a_core)
{
	char text[6];

	machine("0-5", (const char * const []){ "0-1", "0-1", "2-3", "2-3", "4", "5", NULL });
	EXPECT_STREQ("0-1 2-3", cores());
	machine("0-5", (const char * const []){ "0,3", "1,4", "2,5", "0,3", "1,4", "2,5", NULL });
	EXPECT_STREQ("0,3 1,4 2,5", cores());
	cpus_cores(sysfs, text, sizeof(text));
	EXPECT_STREQ("0,3 1", text);
	machine("0-3", (const char * const []){ "0", "1", "2", "3", NULL });
	EXPECT_STREQ("", cores());
}

static const char *warn_of_split(void)
{
	capture_start();
	cpus_warn_of_split(sysfs, "web.guest");
	return capture_end();
}

TEST(hyperthreads_that_read_each_other)
{
	char path[PATH_MAX];

	EXPECT_STREQ("", warn_of_split());
	snprintf(path, sizeof(path), "%s/vulnerabilities", sysfs);
	mkdir(path, 0700);
	put("vulnerabilities/l1tf", "Not affected\n");
	put("vulnerabilities/mds", "Not affected\n");
	put("vulnerabilities/spectre_v2", "Vulnerable\n");
	EXPECT_STREQ("", warn_of_split());
	put("vulnerabilities/mds", "Mitigation: Clear CPU buffers; SMT vulnerable\n");
	EXPECT_SAID("web.guest: SplitCores=yes: this CPU has mds: ", warn_of_split());
	put("vulnerabilities/l1tf", "Mitigation: PTE Inversion\n");
	put("vulnerabilities/mmio_stale_data", "Unknown: No mitigations\n");
	EXPECT_SAID("this CPU has l1tf, mds, mmio_stale_data: ", warn_of_split());
}

TEST(kinds_of_cores)
{
	char text[64], path[PATH_MAX];

	cpus_kinds(sysfs, text, sizeof(text));
	EXPECT_STREQ("", text);
	snprintf(path, sizeof(path), "%s/cpu_core", sysfs);
	mkdir(path, 0700);
	put("cpu_core/cpus", "0-7\n");
	snprintf(path, sizeof(path), "%s/cpu_atom", sysfs);
	mkdir(path, 0700);
	put("cpu_atom/cpus", "8-11\n");
	cpus_kinds(sysfs, text, sizeof(text));
	EXPECT_STREQ("performance 0-7, efficiency 8-11", text);
}

static const char *choose_kind(const char *name, unsigned int wanted, bool split)
{
	static char list[256], error[4096];
	cpu_set_t set;
	int ret;

	capture_start();
	ret = cpus_of_kind(sysfs, cpu_kind_from_name(name), "web.guest:3", &set);
	said = capture_end();
	if (ret) {
		snprintf(error, sizeof(error), "%s", said);
		return error;
	}
	capture_start();
	ret = cpus_choose(sysfs, &set, " of that kind", wanted, memory, split, cpus);
	said = capture_end();
	if (ret < 0)
		return strerror(-ret);
	CPU_ZERO(&set);
	for (int i = 0; i < ret; i++)
		CPU_SET(cpus[i], &set);
	return cpulist_format(&set, list, sizeof(list));
}

/* The kinds of the last test, with four big cores of two threads and four small ones of one */
TEST(chosen_by_kind)
{
	machine("0-11", (const char * const []){ "0-1", "0-1", "2-3", "2-3", "4-5", "4-5", "6-7",
						 "6-7", "8", "9", "10", "11", NULL });
	EXPECT_STREQ("6-7", choose_kind("performance", 1, false));
	EXPECT_STREQ("7", choose_kind("performance", 1, true));
	EXPECT_STREQ("2-7", choose_kind("performance", 6, false));
	EXPECT_STREQ(strerror(EBUSY), choose_kind("performance", 7, false));
	EXPECT_TRUE(strstr(said, "of the CPUs of that kind (0-7)"));
	EXPECT_STREQ("10-11", choose_kind("efficiency", 2, false));
	EXPECT_STREQ("8-11", choose_kind("efficiency", 4, false));
	EXPECT_STREQ(strerror(EBUSY), choose_kind("efficiency", 5, false));
	EXPECT_TRUE(strstr(choose_kind("low-power", 1, false),
			   "web.guest:3: CPUs=: this machine has no low-power cores"));
	EXPECT_TRUE(strstr(said, "'sigmactl check' shows the kinds"));
	put("cpu_atom/cpus", "\n");
	EXPECT_TRUE(strstr(choose_kind("efficiency", 1, false),
			   "web.guest:3: CPUs=: no efficiency core is online"));
	EXPECT_EQ(-EINVAL, cpu_kind_from_name("atom"));
}

TEST(one_cpu)
{
	machine("0", (const char * const []){ "0", NULL });
	EXPECT_STREQ(strerror(EBUSY), choose(1, false));
	EXPECT_STREQ(strerror(EBUSY), choose(1, true));
}

/* The links to the nodes stay, so that this comes late */
TEST(one_node)
{
	char list[64];
	cpu_set_t set;

	machine("0-7", (const char * const []){ "0", "1", "2", "3", "4", "5", "6", "7", NULL });
	lendable("1-7", "");
	on_node(0, 0, 3, 1024, 3072);
	on_node(1, 4, 7, 1024, 512);
	memory = 2ULL << 30;
	EXPECT_STREQ("2-3", choose(2, false));
	EXPECT_STREQ("4-7", choose(4, false));
	EXPECT_STREQ("", said);
	memory = 512ULL << 20;
	EXPECT_STREQ("2-3", choose(2, true));
	machine("0-6", (const char * const []){ "0", "1", "2", "3", "4", "5", "6", "", NULL });
	lendable("1-7", "7");
	EXPECT_STREQ("6-7", choose(2, false));
	EXPECT_STREQ("3-7", choose(5, false));
	EXPECT_TRUE(strstr(said, "no NUMA node has 5 CPUs that can be lent"));
	memory = 2ULL << 30;
	EXPECT_STREQ("2-3", choose(2, false));

	/* One that the guest file names, with a CPU that is offline */
	ASSERT_EQ(0, cpus_of_node(sysfs, 1, "web.guest:3", &set));
	EXPECT_STREQ("4-7", cpulist_format(&set, list, sizeof(list)));
	capture_start();
	EXPECT_EQ(-EBUSY, cpus_choose(sysfs, &set, " of NUMA node 1", 5, memory, false, cpus));
	EXPECT_TRUE(strstr(capture_end(), "cannot lend 5 CPUs: of the CPUs of NUMA node 1 (4-7)"));
	capture_start();
	EXPECT_EQ(-ENODEV, cpus_of_node(sysfs, 2, "web.guest:3", &set));
	EXPECT_TRUE(strstr(capture_end(), "web.guest:3: NUMANode=2: this machine has no CPU of that node; it has the NUMA nodes 0-1"));
	lendable(NULL, NULL);
	memory = 0;
}

TEST(unreadable)
{
	char command[PATH_MAX];

	machine("0-1", (const char * const []){ "0", "nonsense", NULL });
	EXPECT_STREQ(strerror(EIO), choose(1, false));
	EXPECT_TRUE(strstr(said, "share a core with cpu 1"));
	snprintf(command, sizeof(command), "rm -rf %s", root);
	ASSERT_EQ(0, system(command));
	EXPECT_STREQ(strerror(ENOENT), choose(1, false));
}

TEST_HARNESS_MAIN
