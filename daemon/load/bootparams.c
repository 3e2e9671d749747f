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
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
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

/* e820 types, ACPI 6.4 table 15.6 */
#define E820_RAM		1
#define E820_RESERVED		2
#define E820_ACPI		3

struct range {
	uint64_t start;
	uint64_t end;			/* first byte behind it */
};

/* The free range in each segment */
struct placement {
	unsigned int nr;
	struct range free[SIGMA_SEGMENTS_MAX];
};

/* The end of the largest segment, whose beginning has the kernel */
int load_place_shared(struct guest_memory *mem, uint64_t size)
{
	const struct memory_segment *largest = &mem->segment[0];

	for (unsigned int i = 1; i < mem->nr; i++)
		if (mem->segment[i].size > largest->size)
			largest = &mem->segment[i];
	if (largest->size <= size)
		return -ENOMEM;
	mem->shared = (struct sigma_shared){
		.phys = largest->phys + largest->size - size, .size = size,
	};
	return 0;
}

/* The first byte behind what the guest's kernel has of a segment: its end, or the shared area */
static uint64_t end_of(const struct guest_memory *mem, const struct memory_segment *segment)
{
	uint64_t end = segment->phys + segment->size;

	return mem->shared.size && mem->shared.phys + mem->shared.size == end ? mem->shared.phys : end;
}

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
			.end = end_of(mem, &mem->segment[i]),
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
 * At most three entries for the segment with the ACPI tables, one for each other segment, and four
 * for low memory, I/O APIC, shared area and IOSC window
 */
static_assert(SIGMA_SEGMENTS_MAX + 2 + 4 <= E820_MAX_ENTRIES_ZEROPAGE, "e820");

static void e820_fill(struct boot_params *params, const struct sigma_info *info,
		      const struct guest_memory *mem, uint64_t acpi)
{
	e820_add(params, info->low_phys, info->low_phys + SIGMA_LOW_SIZE, E820_RAM);
	/* Not RAM: the kernel maps this page as a device */
	e820_add(params, info->ioapic_phys, info->ioapic_phys + PAGE_SIZE, E820_RESERVED);

	for (unsigned int i = 0; i < mem->nr; i++) {
		uint64_t start = mem->segment[i].phys, end = end_of(mem, &mem->segment[i]);

		if (acpi >= start && acpi < end) {
			e820_add(params, start, acpi, E820_RAM);
			e820_add(params, acpi, acpi + ACPI_TABLES_SIZE, E820_ACPI);
			start = acpi + ACPI_TABLES_SIZE;
		}
		e820_add(params, start, end, E820_RAM);
	}

	e820_add(params, mem->shared.phys, mem->shared.phys + mem->shared.size, E820_RESERVED);
	e820_add(params, info->iosc_phys, info->iosc_phys + SIGMA_IOSC_SIZE, E820_RESERVED);
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
			     const struct layout *layout, const struct initrd *initrd, bool moved)
{
	memset(params, 0, sizeof(*params));
	params->hdr = kernel->hdr;
	params->hdr.type_of_loader = LOADER_UNDEFINED;
	/* The kernel chooses the addresses of its other areas at random, too */
	if (moved)
		params->hdr.loadflags |= KASLR_FLAG;
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
		.list_bsp = kernel_lists_bsp(&load->kernel),
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
		.nr = 1, .segment[0] = { .phys = 4096 * MIB, .size = config->memory - config->shared },
	};
	struct layout layout;

	return layout_build(&layout, config, &mem, &load->kernel, &load->initrd, cmdline_size) ?:
	       check_unpacked(load, config);
}

static int make_initrd(struct load *load, const struct guest_config *config)
{
	char *root = cmdline_value(config->cmdline, "root");
	char *fstype = cmdline_value(config->cmdline, "rootfstype");
	char *network = network_list(config);
	int error;

	error = network ? initrd_build(&load->initrd, load->kernel.version, config->modules,
				       config->initrd, rootfs_types(config, root, fstype),
				       !config->root || config->nr_disks, network) :
		log_error(-ENOMEM, "no memory for the initrd");
	free(network);
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
	cmdline_size = cmdline_check(config, &load->kernel);
	error = cmdline_size < 0 ? cmdline_size : make_initrd(load, config);
	if (error)
		goto close_kernel;
	error = cmdline_check_signature(config, &load->initrd);
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
	/* glibc keeps what was freed, and where huge pages are the default that is some 8 MiB for each guest */
	malloc_trim(0);
}

/* The kernel would be told to use pages with memory errors, and may be loaded into one */
static int check_memory(const struct guest_memory *mem)
{
	unsigned int nr = memory_failed(mem);

	return nr ? log_error(-EIO, "%u page%s of the guest's memory ha%s a memory error; stop the guest and start it again, so that it gets other memory",
			      nr, nr == 1 ? "" : "s", nr == 1 ? "s" : "ve") : 0;
}

/* Objects of the host's programs outlive the run. Those of the guest's are zeroed when they are made */
static void zero(const struct guest_memory *mem)
{
	for (unsigned int i = 0; i < mem->nr; i++)
		memset(mem->base + mem->segment[i].offset, 0,
		       end_of(mem, &mem->segment[i]) - mem->segment[i].phys);
}

static void write_kernel(uint8_t *to, const struct kernel *kernel, bool moves)
{
	kernel_copy(kernel, to);
	if (moves)
		kaslr_move(kernel, to, kaslr_choose(kernel));
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
	bool moves;
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
		zero(mem);
	error = check_memory(mem);
	if (error)
		goto free_cmdline;

	error = write_acpi(load, info, nodes, mem, layout.acpi);
	if (error)
		goto free_cmdline;
	moves = kernel->can_move && !cmdline_has(cmdline, "nokaslr");
	write_kernel(memory_at(mem, layout.kernel, kernel->init_size), kernel, moves);
	memcpy(memory_at(mem, layout.initrd, initrd->size), initrd->data, initrd->size);
	memcpy(memory_at(mem, layout.cmdline, cmdline_size), cmdline, cmdline_size);
	fill_boot_params(memory_at(mem, layout.params, sizeof(struct boot_params)), info, mem,
			 kernel, &layout, initrd, moves);

	start->entry = layout.kernel + kernel->entry;
	start->boot_params = layout.params;
	log_info("Linux %s at %#" PRIx64 ", initrd at %#" PRIx64 ", %zu KiB", kernel->version,
		 layout.kernel, layout.initrd, initrd->size / 1024);

free_cmdline:
	free(cmdline);
	return error;
}
