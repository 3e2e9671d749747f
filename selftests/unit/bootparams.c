// SPDX-License-Identifier: GPL-2.0
/* The memory that load_guest() fills, read like the guest's kernel reads it. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../kmod/uapi/iosc.h"
#include "../../daemon/load/load.h"
#include "../../daemon/privileges.h"
#include "capture.h"
#include "image.h"
#include "moduletree.h"
#include "tap.h"

#define OLD_VERSION	"6.1.0-test"	/* before 6.9 */
#define MIB		(1ULL << 20)
#define LOW		0x20000ULL
#define IOAPIC		0x30000ULL
#define IOSC		0x3fff00000ULL
#define MEMORY		(160 * MIB)

static char dir[] = "/tmp/sigma-unit-XXXXXX";
static char kernel_path[64], tree[128];
static bool have_tree;

static struct guest_memory mem;
static struct sigma_info info;
static const struct sigma_nodes nodes;	/* without ranges: the guest has one node */
static struct guest_config config;
static struct sigma_start start;
static struct boot_params *params;

static void write_kernel(const char *version)
{
	static uint8_t file[IMAGE_SIZE];
	FILE *out = fopen(kernel_path, "w");

	image_make(file, version);
	if (!out || fwrite(file, 1, sizeof(file), out) != sizeof(file) || fclose(out)) {
		perror(kernel_path);
		exit(EXIT_FAILURE);
	}
}

static void __attribute__((constructor)) make_files(void)
{
	if (!mkdtemp(dir)) {
		perror(dir);
		exit(EXIT_FAILURE);
	}
	have_tree = moduletree_make(dir, TREE_VERSION) &&
		    moduletree_make(dir, OLD_VERSION);
	snprintf(tree, sizeof(tree), "%s/sigma", dir);
	setenv("SIGMA_LIBDIR", tree, 1);
	snprintf(tree, sizeof(tree), "%s/lib/modules/" TREE_VERSION, dir);
	snprintf(kernel_path, sizeof(kernel_path), "%s/vmlinuz", dir);
	write_kernel(TREE_VERSION);

	mem.base = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem.base == MAP_FAILED) {
		perror("no memory");
		exit(EXIT_FAILURE);
	}
	mem.size = MEMORY;
}

static void __attribute__((destructor)) remove_files(void)
{
	moduletree_remove(dir);
}

/* Segments of these sizes in MiB, ended by 0; the first one at @phys, with gaps between them */
static void segments(uint64_t phys, const unsigned int *mib)
{
	uint64_t offset = 0;

	info = (struct sigma_info) {
		.state = SIGMA_STATE_STOPPED, .nr_cpus = 2, .tsc_khz = 2100123,
		.bsp_apic_id = 0, .iosc_phys = IOSC, .low_phys = LOW, .ioapic_phys = IOAPIC,
		.apic_ids = { 2, 3 },
	};
	for (mem.nr = 0; mib[mem.nr]; mem.nr++) {
		mem.segment[mem.nr] = (struct memory_segment) {
			.phys = phys, .size = mib[mem.nr] * MIB, .offset = offset,
		};
		offset += mib[mem.nr] * MIB;
		phys += (mib[mem.nr] + 64) * MIB;
	}
	config = (struct guest_config) {
		.name = "unit", .file = "unit.guest", .kernel = kernel_path, .modules = tree,
		.cmdline = "root=/dev/vda", .memory = offset, .memory_line = 3,
	};
}

static int load(void)
{
	struct load load;
	int error = load_open(&load, &config);

	if (!error) {
		error = load_guest(&load, &config, &info, &nodes, &mem, &start);
		load_close(&load);
	}
	params = error ? NULL : memory_at(&mem, start.boot_params, sizeof(*params));
	return error;
}

static uint64_t cmdline_at(void)
{
	return params->hdr.cmd_line_ptr | (uint64_t)params->ext_cmd_line_ptr << 32;
}

static uint64_t initrd_at(void)
{
	return params->hdr.ramdisk_image | (uint64_t)params->ext_ramdisk_image << 32;
}

static const char *cmdline(void)
{
	return memory_at(&mem, cmdline_at(), 2048);
}

/* The type that e820 gives to a range, or 0 when it gives none or several */
static unsigned int type_of(uint64_t phys, uint64_t size)
{
	unsigned int type = 0;

	for (unsigned int i = 0; i < params->e820_entries; i++) {
		uint64_t at = params->e820_table[i].addr, len = params->e820_table[i].size;

		if (phys < at + len && at < phys + size)
			type = phys >= at && phys + size <= at + len && !type ?
				params->e820_table[i].type : UINT32_MAX;
	}
	return type == UINT32_MAX ? 0 : type;
}

static bool apart(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a + a_size <= b || b + b_size <= a;
}

#define NEED_TREE() do {						\
	if (!have_tree)							\
		SKIP(return, "cc, xz or depmod is missing");		\
} while (0)

TEST(above_4g)
{
	const uint8_t *kernel, *initrd;

	NEED_TREE();
	segments(0x180000000, (unsigned int[]){ 16, 64, 16, 0 });
	capture_start();
	ASSERT_EQ(0, load());
	capture_end();
	ASSERT_TRUE(params);

	/* The kernel is in the largest segment, the initrd at the top of the highest one */
	EXPECT_EQ(mem.segment[1].phys + IMAGE_ENTRY_64, start.entry);
	kernel = memory_at(&mem, start.entry - IMAGE_ENTRY_64, IMAGE_CODE_SIZE);
	EXPECT_EQ(IMAGE_CODE_BYTE, kernel[0]);
	EXPECT_EQ(IMAGE_CODE_BYTE, kernel[IMAGE_CODE_SIZE - 1]);
	initrd = memory_at(&mem, initrd_at(), params->hdr.ramdisk_size);
	ASSERT_TRUE(initrd);
	EXPECT_TRUE(initrd_at() >= mem.segment[2].phys);
	EXPECT_EQ(0, memcmp(initrd, "070701", 6));
	EXPECT_EQ(0, initrd_at() % 4096);

	EXPECT_EQ(0xff, params->hdr.type_of_loader);
	EXPECT_EQ(0x53726448, params->hdr.header);
	EXPECT_EQ(0x20f, params->hdr.version);
	EXPECT_EQ(0, params->sentinel);
	EXPECT_EQ(0, memcmp(memory_at(&mem, params->acpi_rsdp_addr, 8), "RSD PTR ", 8));
}

TEST(nothing_overlaps)
{
	static const unsigned int sizes[][4] = { { 64 }, { 80, 4 }, { 2, 60, 2 }, { 50, 50, 50 } };

	NEED_TREE();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct { uint64_t at, size; } part[5];

		segments(0x100000000, sizes[i]);
		capture_start();
		ASSERT_EQ(0, load());
		capture_end();
		part[0].at = start.entry - IMAGE_ENTRY_64;
		part[0].size = IMAGE_INIT_SIZE;
		part[1].at = initrd_at();
		part[1].size = params->hdr.ramdisk_size;
		part[2].at = params->acpi_rsdp_addr;
		part[2].size = ACPI_TABLES_SIZE;
		part[3].at = cmdline_at();
		part[3].size = strlen(cmdline()) + 1;
		part[4].at = start.boot_params;
		part[4].size = sizeof(*params);
		for (int a = 0; a < 5; a++) {
			EXPECT_TRUE(memory_at(&mem, part[a].at, part[a].size));
			EXPECT_EQ(a == 2 ? 3 : 1, type_of(part[a].at, part[a].size));
			for (int b = 0; b < a; b++)
				EXPECT_TRUE(apart(part[a].at, part[a].size, part[b].at,
						  part[b].size));
		}
	}
}

TEST(e820)
{
	uint64_t ram = 0;

	NEED_TREE();
	segments(0x100000000, (unsigned int[]){ 64, 16, 0 });
	capture_start();
	ASSERT_EQ(0, load());
	capture_end();
	EXPECT_EQ(1, type_of(LOW, SIGMA_LOW_SIZE));
	EXPECT_EQ(2, type_of(IOAPIC, 4096));
	EXPECT_EQ(2, type_of(IOSC, SIGMA_IOSC_SIZE));
	EXPECT_EQ(0, type_of(0x100000000 + 64 * MIB, MIB));
	EXPECT_EQ(0, type_of(0, 4096));
	for (unsigned int i = 0; i < params->e820_entries; i++)
		if (params->e820_table[i].type == 1)
			ram += params->e820_table[i].size;
	EXPECT_EQ(80 * MIB + SIGMA_LOW_SIZE - ACPI_TABLES_SIZE, ram);
}

/* The area of memory objects is no RAM, and nobody writes to it */
TEST(shared_memory)
{
	uint64_t start = 0x100000000 + 64 * MIB;

	NEED_TREE();
	segments(0x100000000, (unsigned int[]){ 128, 16, 0 });
	EXPECT_EQ(-ENOMEM, load_place_shared(&mem, 128 * MIB));
	EXPECT_EQ(0, load_place_shared(&mem, 64 * MIB));
	EXPECT_EQ(start, mem.shared.phys);
	EXPECT_EQ(64 * MIB, mem.shared.size);
	memset(mem.base + 64 * MIB, 0x5a, 64 * MIB);
	capture_start();
	EXPECT_EQ(0, load());
	capture_end();
	EXPECT_EQ(1, type_of(start - MIB, MIB));
	EXPECT_EQ(2, type_of(start, 64 * MIB));
	for (uint64_t at = 64 * MIB; at < 128 * MIB; at++)
		if (mem.base[at] != 0x5a)
			ASSERT_EQ(0x5a, mem.base[at]);
	mem.shared = (struct sigma_shared){ };
}

/* A kernel below its pref_address would move itself up, over what is there */
TEST(not_below_its_preferred_address)
{
	NEED_TREE();
	segments(0x800000, (unsigned int[]){ 64, 0 });
	capture_start();
	ASSERT_EQ(0, load());
	capture_end();
	EXPECT_EQ(IMAGE_PREF_ADDRESS + IMAGE_ENTRY_64, start.entry);
}

TEST(modules_must_be_signed)
{
	static const struct {
		const char *cmdline;
		int error;
	} cases[] = {
		{ "root=/dev/vda module.sig_enforce=1", -EKEYREJECTED },
		{ "module.sig-enforce=Y", -EKEYREJECTED },
		{ "lockdown=integrity", -EKEYREJECTED },
		{ "module.sig_enforce=0", 0 },
		{ "root=/dev/vda -- lockdown=integrity", 0 },
	};

	NEED_TREE();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		segments(0x100000000, (unsigned int[]){ 80, 0 });
		config.cmdline = (char *)cases[i].cmdline;
		config.cmdline_line = 4;
		capture_start();
		EXPECT_EQ(cases[i].error, load());
		capture_end();
		if (cases[i].error)
			EXPECT_SAID("the guest's kernel refuses sigma_guest.ko", capture_buffer);
	}
}

TEST(command_line)
{
	NEED_TREE();
	segments(0x100000000, (unsigned int[]){ 80, 0 });
	capture_start();
	ASSERT_EQ(0, load());
	capture_end();
	EXPECT_TRUE(strstr(cmdline(), " pci=off "));
	EXPECT_TRUE(strstr(cmdline(), " noreplace-smp "));
	EXPECT_TRUE(strstr(cmdline(), " tsc_early_khz=2100123 "));
	EXPECT_TRUE(strstr(cmdline(), " nr_cpus=2 "));
	EXPECT_TRUE(strstr(cmdline(), " root=/dev/vda "));
	/* TREE_VERSION is later than 6.9, where the MADT excludes the host's boot CPU */
	EXPECT_FALSE(strstr(cmdline(), "disable_cpu_apicid"));
	EXPECT_FALSE(strstr(cmdline(), "console=tty0"));
	EXPECT_FALSE(strstr(cmdline(), "sigma.modules"));

	config.nr_shares = 1;
	config.share[0] = (struct guest_share) {
		.keys = (char *)"", .tag = MODULES_TAG, .path = MODULES_DEFAULT "/" TREE_VERSION,
	};
	capture_start();
	ASSERT_EQ(0, load());
	capture_end();
	EXPECT_TRUE(strstr(cmdline(), " sigma.modules=sigma-modules "));

	/* The guest restarts with another kernel */
	config.share[0].path = MODULES_DEFAULT "/6.0.0-old";
	capture_start();
	ASSERT_EQ(0, load());
	EXPECT_SAID("the guest's share of modules is /lib/modules/6.0.0-old, and its kernel is now Linux " TREE_VERSION,
		    capture_end());
	EXPECT_FALSE(strstr(cmdline(), "sigma.modules"));
}

/* Does @word stand in the command line behind everything that the user has given? */
static bool follows(const char *word, const char *user)
{
	const char *at = strstr(cmdline(), user);

	return at && strstr(at + strlen(user), word);
}

/* Load a guest with this CommandLine=. Return: what was said */
static const char *load_with(const char *text)
{
	segments(0x100000000, (unsigned int[]){ 80, 0 });
	config.cmdline = (char *)text;
	config.cmdline_line = 7;
	capture_start();
	params = NULL;
	load();
	return capture_end();
}

/* Of two parameters with the same name the kernel obeys the last one */
TEST(a_folder_as_root)
{
	NEED_TREE();
	segments(0x100000000, (unsigned int[]){ 80, 0 });
	config.cmdline = "init=/bin/sh";
	config.root = "/srv/root";
	config.root_line = 5;
	capture_start();
	ASSERT_EQ(0, load());
	capture_end();
	EXPECT_TRUE(strstr(cmdline(), " root=sigma-root rootfstype=virtiofs rw init=/bin/sh "));

	config.root_writes = ROOT_WRITES_NO;
	capture_start();
	ASSERT_EQ(0, load());
	capture_end();
	EXPECT_TRUE(strstr(cmdline(), " rootfstype=virtiofs ro init="));

	config.root_writes = ROOT_WRITES_OVERLAY;
	capture_start();
	ASSERT_EQ(0, load());
	capture_end();
	EXPECT_TRUE(strstr(cmdline(), " rootfstype=virtiofs rw sigma.overlay init="));

	config.cmdline = "root=/dev/vda";
	config.cmdline_line = 7;
	capture_start();
	EXPECT_EQ(-EINVAL, load());
	EXPECT_SAID("unit.guest:7: CommandLine=: root=/dev/vda, and Root= in line 5", capture_end());
}

/* In front of the user's words, which the kernel then obeys */
TEST(a_profile)
{
	NEED_TREE();
	segments(0x100000000, (unsigned int[]){ 80, 0 });
	config.cmdline = "mitigations=auto";
	config.profile = (struct guest_profile) {
		.words = " nohz=on mitigations=off", .full_tick = true, .huge_percent = 50,
	};
	capture_start();
	ASSERT_EQ(0, load());
	capture_end();
	EXPECT_TRUE(strstr(cmdline(), " nohz=on mitigations=off nohz_full=1-1 default_hugepagesz=2M hugepagesz=2M hugepages=20 mitigations=auto pci=off"));

	/* A single CPU keeps its tick, and half of the memory is less than a page */
	info.nr_cpus = 1;
	config.profile.huge_1g = true;
	capture_start();
	ASSERT_EQ(0, load());
	capture_end();
	EXPECT_TRUE(!strstr(cmdline(), "nohz_full") && !strstr(cmdline(), "hugepages"));
}

TEST(the_users_words_do_not_undo_what_protects_the_machine)
{
	static const struct {
		const char *user, *ours;
	} words[] = {
		{ "panic=10", " panic=0 " }, { "\"panic=10\"", " panic=0 " },
		{ "panic=\"10\"", " panic=0 " }, { "pci=conf1", " pci=off " },
		{ "mce=2", " mce=off " }, { "no-ipi-broadcast=0", " no_ipi_broadcast=1 " },
	};
	char text[64], warning[128];

	NEED_TREE();
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		const char *said, *at;

		snprintf(text, sizeof(text), "%s root=/dev/vda", words[i].user);
		snprintf(warning, sizeof(warning), "unit.guest:7: CommandLine=: %s has no effect",
			 words[i].user);
		said = load_with(text);
		EXPECT_SAID(warning, said);
		/* It is said once, though the command line is built twice */
		at = strstr(said, warning);
		EXPECT_TRUE(at && !strstr(at + 1, warning));
		ASSERT_TRUE(params);
		EXPECT_TRUE(follows(words[i].ours, text));
	}

	/* The same value is no reason for a warning, and these only look alike */
	EXPECT_FALSE(strstr(load_with("panic=0 xpanic=1 panic_print=2 panic"), "has no effect"));
}

#define NO_GUEST_LOADS		"intel_uncore,amd_uncore,rapl,intel_rapl_msr,intel_rapl_common," \
				"intel_uncore_frequency,x86_pkg_temp_thermal,isst_if_mbox_msr," \
				"intel_pmc_core_pltdrv,kvm_intel"

TEST(lists_of_modules_are_joined)
{
	NEED_TREE();
	EXPECT_FALSE(strstr(load_with("module_blacklist=nouveau quiet module-blacklist=\"a,b panic=1\""),
			    "has no effect"));
	ASSERT_TRUE(params);
	EXPECT_STREQ(" module_blacklist=" NO_GUEST_LOADS ",nouveau,a,b",
		     strrchr(cmdline(), ' '));
}

TEST(the_words_of_a_profile_are_looked_at_as_well)
{
	NEED_TREE();
	segments(0x100000000, (unsigned int[]){ 80, 0 });
	config.cmdline = "module_blacklist=nouveau";
	config.profile = (struct guest_profile) {
		.name = "mine", .words = " pci=conf1 module_blacklist=floppy",
	};
	capture_start();
	ASSERT_EQ(0, load());
	EXPECT_SAID("unit.guest: Profile=mine: pci=conf1 has no effect: a guest needs pci=off",
		    capture_end());
	EXPECT_TRUE(strstr(cmdline(), " pci=conf1 "));
	EXPECT_TRUE(follows(" pci=off", " pci=conf1 "));
	EXPECT_STREQ(" module_blacklist=" NO_GUEST_LOADS ",floppy,nouveau",
		     strrchr(cmdline(), ' '));
}

TEST(a_list_of_modules_that_the_kernel_would_ignore)
{
	/* With a comma, and what no guest may load, 1024 characters */
	const size_t most = 1024 - 1 -
		strlen(NO_GUEST_LOADS);
	char text[1200] = "module_blacklist=";
	char *list = text + strlen(text);

	memset(list, 'x', most + 1);
	EXPECT_SAID("unit.guest:7: CommandLine=: module_blacklist= has 1025 characters",
		    load_with(text));
	EXPECT_EQ(NULL, params);
	list[most] = '\0';
	EXPECT_FALSE(strstr(load_with(text), "module_blacklist= has"));
}

/* The kernel does not obey what stands behind "--" */
TEST(words_for_init_come_last)
{
	NEED_TREE();
	EXPECT_FALSE(strstr(load_with("quiet rig.text=\"a -- b\"  -- --login panic=1"),
			    "has no effect"));
	ASSERT_TRUE(params);
	EXPECT_TRUE(follows(" panic=0 ", " quiet rig.text=\"a -- b\" pci=off"));
	EXPECT_TRUE(strstr(cmdline(), ",kvm_intel -- --login panic=1"));
	EXPECT_STREQ(" panic=1", strrchr(cmdline(), ' '));
}

/* To the kernel a no-break space is a blank, in UTF-8 its second byte */
TEST(no_break_spaces_are_blanks)
{
	NEED_TREE();
	EXPECT_SAID("CommandLine=: panic=10 has no effect",
		    load_with("module_blacklist=a\xc2\xa0panic=10 quiet\xc2\xa0-- single"));
	ASSERT_TRUE(params);
	EXPECT_TRUE(strstr(cmdline(), ",kvm_intel,a\xc2 -- single"));
	EXPECT_TRUE(follows(" panic=0 ", " panic=10 "));
}

/* The last console= becomes /dev/console */
TEST(the_programs_of_an_initrd_have_a_console)
{
	const char *early;

	NEED_TREE();
	segments(0x100000000, (unsigned int[]){ 80, 0 });
	config.initrd = kernel_path;	/* any file does */
	capture_start();
	ASSERT_EQ(0, load());
	capture_end();
	early = strstr(cmdline(), "console=tty0 ");
	ASSERT_NE(NULL, early);
	EXPECT_TRUE(strstr(early, " console=hvc0 "));
}

TEST(too_long_a_command_line)
{
	char text[2049];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	segments(0x100000000, (unsigned int[]){ 80, 0 });
	config.cmdline = text;
	capture_start();
	EXPECT_TRUE(load() < 0);
	EXPECT_SAID("CommandLine= is ", capture_end());
}

TEST(too_little_memory)
{
	NEED_TREE();
	segments(0x100000000, (unsigned int[]){ 40, 40, 40, 0 });
	capture_start();
	EXPECT_EQ(-ENOMEM, load());
	EXPECT_SAID("unit.guest:3: Memory= of 120 MiB is too little: the kernel needs 49152 KiB",
		    capture_end());
	segments(0x100000000, (unsigned int[]){ 48, 0 });
	capture_start();
	EXPECT_EQ(-ENOMEM, load());
	EXPECT_SAID("the initrd needs", capture_end());
}

/*
 * Write an initrd: a cpio archive with an empty file, zeros, and a compressed stream of 60 MiB of
 * which 10 MiB cannot be compressed, with what is no part of it behind
 */
static bool write_initrd(const char *path)
{
	static const char cpio[] =
		"070701" "00000000" "000081a4" "00000000" "00000000" "00000001" "00000000"
		"00000004" "00000000" "00000000" "00000000" "00000000" "00000002" "00000000"
		"f\0abcd\0\0\0\0\0";
	static uint8_t block[MIB];
	struct archive *out = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	FILE *file = fopen(path, "w");
	uint32_t random = 1;

	if (!file || fwrite(cpio, 1, sizeof(cpio) - 1, file) != sizeof(cpio) - 1)
		return false;
	archive_write_set_format_raw(out);
	archive_write_add_filter_gzip(out);
	archive_write_set_options(out, "gzip:compression-level=1");
	archive_write_open_FILE(out, file);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_write_header(out, entry);
	for (unsigned int i = 0; i < 60; i++) {
		for (size_t j = 0; j < sizeof(block) && i < 10; j++) {
			random = random * 1664525 + 1013904223;
			block[j] = random >> 24;
		}
		if (i == 10)
			memset(block, 0, sizeof(block));
		archive_write_data(out, block, sizeof(block));
	}
	archive_entry_free(entry);
	archive_write_free(out);
	fputs("no stream", file);
	return !fclose(file);
}

TEST(too_little_memory_to_unpack)
{
	char path[64];

	NEED_TREE();
	snprintf(path, sizeof(path), "%s/initrd", dir);
	ASSERT_TRUE(write_initrd(path));
	segments(0x100000000, (unsigned int[]){ 68, 0 });
	config.initrd = path;
	capture_start();
	EXPECT_EQ(-ENOMEM, load());
	EXPECT_SAID("unit.guest:3: Memory= of 68 MiB is too little: the initrd needs 10 MiB, and 60 MiB",
		    capture_end());
	segments(0x100000000, (unsigned int[]){ 88, 0 });
	config.initrd = path;
	capture_start();
	EXPECT_EQ(0, load());
	capture_end();
}

TEST(damaged_initrds)
{
	static const char header[] = "070701" "00000000" "000081a4" "00000000" "00000000" "00000001"
		"00000000" "ffffffff" "00000000" "00000000" "00000000" "00000000" "ffffffff" "00000000";
	const uint8_t *data = (const uint8_t *)header;

	EXPECT_EQ(0, initrd_unpacked(data, sizeof(header) - 1, UINT32_MAX));
	EXPECT_EQ(0, initrd_unpacked(data, 60, UINT32_MAX));
	EXPECT_EQ(0, initrd_unpacked(data, 0, UINT32_MAX));
	EXPECT_EQ(0, initrd_unpacked((const uint8_t *)"\0\0\0", 3, UINT32_MAX));
}

static int unpack_lzo(void)
{
	/* lzop's magic, version and header; libarchive would run lzop, since it has no library for it */
	static const uint8_t data[] = {
		0x89, 'L', 'Z', 'O', 0, '\r', '\n', 0x1a, '\n', 0x10, 0x40, 0x20, 0xa0, 9, 0x40, 3, 5, 3, 0, 0, 1,
	};

	return privileges_shed(false) || initrd_unpacked(data, sizeof(data), UINT32_MAX);
}

TEST(an_initrd_that_no_library_unpacks)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(unpack_lzo());
	ASSERT_TRUE(pid > 0);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* Memory of an earlier run must be cleared; a new guest's memory is zeroed already */
TEST(old_memory)
{
	NEED_TREE();
	segments(0x100000000, (unsigned int[]){ 80, 0 });
	mem.base[60 * MIB] = 1;
	info.state = SIGMA_STATE_CREATED;
	capture_start();
	ASSERT_EQ(0, load());
	EXPECT_EQ(1, mem.base[60 * MIB]);
	info.state = SIGMA_STATE_REBOOT;
	ASSERT_EQ(0, load());
	capture_end();
	EXPECT_EQ(0, mem.base[60 * MIB]);
}

TEST(an_old_kernel_is_told_of_the_boot_cpu)
{
	char path[128];

	NEED_TREE();
	snprintf(path, sizeof(path), "%s/lib/modules/" OLD_VERSION, dir);
	write_kernel(OLD_VERSION);
	segments(0x100000000, (unsigned int[]){ 80, 0 });
	config.modules = path;
	config.cmdline = (char *)"disable_cpu_apicid=1 -- single";
	info.bsp_apic_id = 7;
	capture_start();
	ASSERT_EQ(0, load());
	capture_end();
	EXPECT_TRUE(follows(" disable_cpu_apicid=7 -- single", " disable_cpu_apicid=1 "));
	write_kernel(TREE_VERSION);
}

TEST_HARNESS_MAIN
