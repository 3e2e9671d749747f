// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's ACPI tables (ACPI 6.4, chapter 5.2). The guest's kernel finds them by boot_params,
 * not by the firmware's RSDP, whose tables describe the host.
 *
 *	RSDP -> XSDT -> FADT -> DSDT	one device, compiled from sigma.asl
 *	             -> MADT		the CPUs, their wake-up mailbox, an I/O APIC
 *	             -> SGAK		the key of the guest's agent (common/agent.h)
 *	             -> SRAT		the NUMA nodes of CPUs and memory, if there are several
 *
 * A guest whose CPUs and memory are all of one node has no SRAT: its kernel makes one node of all
 * there is, which is then the truth. There is no SLIT: kernels take 10 for the distance within a
 * node, and 20 for that between two.
 *
 * The I/O APIC is a page of zeroed RAM. Without an I/O APIC in the MADT, a kernel looks for the old
 * MP table, finds the host's I/O APIC there, and reprograms it.
 */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "../../common/log.h"
#include "../../kmod/uapi/iosc.h"
#include "load.h"
#include "sigma.hex"

#define LAPIC_ADDRESS		0xfee00000	/* architectural, SDM vol. 3A 11.4.1 */
#define TABLE_ALIGN		64
#define RSDP_V1_SIZE		20		/* bytes that the first checksum covers */

/* FADT, ACPI 6.4 tables 5.9 to 5.11 */
#define FADT_REVISION		6
#define FADT_MINOR		4
#define FADT_BOOT_NO_VGA	(1 << 2)
#define FADT_BOOT_NO_MSI	(1 << 3)
#define FADT_BOOT_NO_ASPM	(1 << 4)
#define FADT_BOOT_NO_CMOS_RTC	(1 << 5)	/* bits 0 and 1 are 0: no legacy devices, no 8042 */
#define FADT_WBINVD		(1 << 0)	/* always set on x86 */
#define FADT_NO_POWER_BUTTON	(1 << 4)
#define FADT_NO_SLEEP_BUTTON	(1 << 5)
/*
 * In logical destination mode the guest's CPUs would have the same logical APIC IDs as the host's
 * first CPUs, and receive the host's device interrupts.
 */
#define FADT_PHYSICAL_DEST	(1 << 19)
#define FADT_HW_REDUCED		(1 << 20)	/* no PIC, no PIT, no PM registers */

/* MADT, ACPI 6.4 5.2.12 */
#define MADT_REVISION		5
#define MADT_LAPIC		0x00
#define MADT_IOAPIC		0x01
#define MADT_X2APIC		0x09
#define MADT_MP_WAKEUP		0x10
#define MADT_ENABLED		(1 << 0)
#define LAPIC_ID_MAX		254		/* 255 is the broadcast ID of xAPIC */

/* SRAT, ACPI 6.4 5.2.16 */
#define SRAT_REVISION		3
#define SRAT_LAPIC		0x00
#define SRAT_MEMORY		0x01
#define SRAT_X2APIC		0x02
#define SRAT_ENABLED		(1 << 0)
/* Kernels before 6.7 may fail to boot with a node of less memory */
#define NODE_MIN		(4ULL << 20)

/* The address in sigma.asl that build_dsdt() replaces by the IOSC window's */
#define IOSC_PLACEHOLDER	0x00534947414d0000ULL

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct acpi_rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} __attribute__((packed));

struct acpi_xsdt {
	struct acpi_header header;
	uint64_t table[4];		/* the last one, the SRAT, may be missing */
} __attribute__((packed));

/* zero0 to zero4 are fields that stay 0 here */
struct acpi_fadt {
	struct acpi_header header;
	uint8_t zero0[73];
	uint16_t boot_flags;
	uint8_t zero1;
	uint32_t flags;
	uint8_t zero2[15];
	uint8_t minor_revision;
	uint8_t zero3[8];
	uint64_t dsdt;
	uint8_t zero4[128];
} __attribute__((packed));
static_assert(offsetof(struct acpi_fadt, boot_flags) == 109, "FADT");
static_assert(offsetof(struct acpi_fadt, flags) == 112, "FADT");
static_assert(offsetof(struct acpi_fadt, minor_revision) == 131, "FADT");
static_assert(offsetof(struct acpi_fadt, dsdt) == 140, "FADT");
static_assert(sizeof(struct acpi_fadt) == 276, "FADT");

struct acpi_madt {
	struct acpi_header header;
	uint32_t lapic_address;
	uint32_t flags;
} __attribute__((packed));

struct madt_lapic {
	uint8_t type, length;
	uint8_t uid;
	uint8_t id;
	uint32_t flags;
} __attribute__((packed));

struct madt_x2apic {
	uint8_t type, length;
	uint16_t reserved;
	uint32_t id;
	uint32_t flags;
	uint32_t uid;
} __attribute__((packed));

struct madt_ioapic {
	uint8_t type, length;
	uint8_t id;
	uint8_t reserved;
	uint32_t address;
	uint32_t gsi_base;
} __attribute__((packed));

struct madt_mp_wakeup {
	uint8_t type, length;
	uint16_t version;
	uint32_t reserved;
	uint64_t mailbox;
} __attribute__((packed));

struct acpi_agent {
	struct acpi_header header;
	uint8_t key[AGENT_KEY_SIZE];
} __attribute__((packed));
static_assert(offsetof(struct acpi_agent, key) == AGENT_TABLE_HEADER, "agent's table");

struct acpi_srat {
	struct acpi_header header;
	uint32_t one;
	uint64_t reserved;
} __attribute__((packed));

struct srat_lapic {
	uint8_t type, length;
	uint8_t domain;
	uint8_t id;
	uint32_t flags;
	uint8_t eid;
	uint8_t domain_high[3];
	uint32_t clock_domain;
} __attribute__((packed));
static_assert(sizeof(struct srat_lapic) == 16, "SRAT");

struct srat_memory {
	uint8_t type, length;
	uint32_t domain;
	uint16_t reserved0;
	uint64_t base, size;
	uint32_t reserved1;
	uint32_t flags;
	uint64_t reserved2;
} __attribute__((packed));
static_assert(sizeof(struct srat_memory) == 40, "SRAT");

struct srat_x2apic {
	uint8_t type, length;
	uint16_t reserved0;
	uint32_t domain;
	uint32_t id;
	uint32_t flags;
	uint32_t clock_domain;
	uint32_t reserved1;
} __attribute__((packed));
static_assert(sizeof(struct srat_x2apic) == 24, "SRAT");

/* The largest set of aligned tables fits, so the code below need not check for room */
static_assert(sizeof(struct acpi_rsdp) + sizeof(struct acpi_xsdt) + sizeof(struct acpi_fadt) +
	      sizeof(sigma_aml_code) + sizeof(struct acpi_madt) +
	      (SIGMA_CPUS_MAX + 1) * sizeof(struct madt_x2apic) + sizeof(struct madt_ioapic) +
	      sizeof(struct madt_mp_wakeup) + sizeof(struct acpi_agent) + sizeof(struct acpi_srat) +
	      SIGMA_CPUS_MAX * sizeof(struct srat_x2apic) +
	      (SIGMA_NODE_RANGES_MAX + 1) * sizeof(struct srat_memory) +
	      7 * TABLE_ALIGN <= ACPI_TABLES_SIZE, "ACPI tables");

static uint8_t checksum(const void *data, size_t len)
{
	const uint8_t *byte = data;
	uint8_t sum = 0;

	while (len--)
		sum += *byte++;
	return -sum;
}

static size_t align_table(size_t used)
{
	return (used + TABLE_ALIGN - 1) & ~(size_t)(TABLE_ALIGN - 1);
}

static void fill_header(struct acpi_header *header, const char *signature, uint8_t revision)
{
	memcpy(header->signature, signature, sizeof(header->signature));
	header->revision = revision;
	memcpy(header->oem_id, "SIGMA ", sizeof(header->oem_id));
	memcpy(header->oem_table_id, "SIGMAGST", sizeof(header->oem_table_id));
	header->oem_revision = 1;
	memcpy(header->creator_id, "SGMA", sizeof(header->creator_id));
	header->creator_revision = 1;
}

static void finish_table(struct acpi_header *header, uint32_t length)
{
	header->length = length;
	header->checksum = 0;
	header->checksum = checksum(header, length);
}

static size_t add_cpu(uint8_t *at, uint32_t apic_id, uint32_t uid)
{
	const struct madt_lapic lapic = {
		.type = MADT_LAPIC, .length = sizeof(lapic),
		.uid = uid, .id = apic_id, .flags = MADT_ENABLED,
	};
	const struct madt_x2apic x2apic = {
		.type = MADT_X2APIC, .length = sizeof(x2apic),
		.id = apic_id, .flags = MADT_ENABLED, .uid = uid,
	};

	if (apic_id <= LAPIC_ID_MAX) {
		memcpy(at, &lapic, sizeof(lapic));
		return sizeof(lapic);
	}
	memcpy(at, &x2apic, sizeof(x2apic));
	return sizeof(x2apic);
}

static size_t build_madt(uint8_t *table, const struct acpi_layout *layout)
{
	const struct madt_ioapic ioapic = {
		.type = MADT_IOAPIC, .length = sizeof(ioapic),
		.address = layout->ioapic_phys,
	};
	const struct madt_mp_wakeup wakeup = {
		.type = MADT_MP_WAKEUP, .length = sizeof(wakeup),
		.mailbox = layout->mailbox_phys,
	};
	struct acpi_madt *madt = (struct acpi_madt *)table;
	size_t len = sizeof(*madt);
	uint32_t uid = 0;

	fill_header(&madt->header, "APIC", MADT_REVISION);
	madt->lapic_address = LAPIC_ADDRESS;
	/* The flags stay 0: PCAT_COMPAT would mean that there are two 8259s */

	if (layout->list_bsp)
		len += add_cpu(table + len, layout->bsp_apic_id, uid++);
	for (unsigned int i = 0; i < layout->nr_cpus; i++)
		len += add_cpu(table + len, layout->apic_ids[i], uid++);

	memcpy(table + len, &ioapic, sizeof(ioapic));
	len += sizeof(ioapic);
	if (layout->nr_cpus > 1) {
		memcpy(table + len, &wakeup, sizeof(wakeup));
		len += sizeof(wakeup);
	}
	finish_table(&madt->header, len);
	return len;
}

static uint64_t node_size(const struct sigma_nodes *nodes, uint32_t node)
{
	uint64_t size = 0;

	for (unsigned int i = 0; i < nodes->nr_ranges; i++)
		if (nodes->ranges[i].node == node)
			size += nodes->ranges[i].size;
	return size;
}

/* The node that the guest sees for a range: that of the boot CPU, if its own would be too small */
static uint32_t node_of(const struct sigma_nodes *nodes, const struct sigma_node_range *range)
{
	return node_size(nodes, range->node) < NODE_MIN ? nodes->cpus[0] : range->node;
}

static bool has_several_nodes(const struct acpi_layout *layout)
{
	const struct sigma_nodes *nodes = layout->nodes;
	bool several = false;

	for (unsigned int i = 1; i < layout->nr_cpus; i++)
		several |= nodes->cpus[i] != nodes->cpus[0];
	for (unsigned int i = 0; i < nodes->nr_ranges; i++)
		several |= node_of(nodes, &nodes->ranges[i]) != nodes->cpus[0];
	return several && nodes->nr_ranges;
}

static size_t add_cpu_node(uint8_t *at, uint32_t apic_id, uint32_t node)
{
	const struct srat_lapic lapic = {
		.type = SRAT_LAPIC, .length = sizeof(lapic), .id = apic_id, .flags = SRAT_ENABLED,
		.domain = node, .domain_high = { node >> 8, node >> 16, node >> 24 },
	};
	const struct srat_x2apic x2apic = {
		.type = SRAT_X2APIC, .length = sizeof(x2apic), .id = apic_id,
		.flags = SRAT_ENABLED, .domain = node,
	};

	if (apic_id <= LAPIC_ID_MAX) {
		memcpy(at, &lapic, sizeof(lapic));
		return sizeof(lapic);
	}
	memcpy(at, &x2apic, sizeof(x2apic));
	return sizeof(x2apic);
}

static size_t add_memory_node(uint8_t *at, uint64_t base, uint64_t size, uint32_t node)
{
	const struct srat_memory memory = {
		.type = SRAT_MEMORY, .length = sizeof(memory), .flags = SRAT_ENABLED,
		.domain = node, .base = base, .size = size,
	};

	memcpy(at, &memory, sizeof(memory));
	return sizeof(memory);
}

/*
 * Proximity domains are the host's numbers of nodes; kernels number them anew. A kernel ignores an
 * SRAT that leaves out more than 1 MiB of the RAM in the e820 map (numa_meminfo_cover_memory()), so
 * the low memory is there, too, as a part of the next range's node: as a node of its own it would
 * be too small.
 */
static size_t build_srat(uint8_t *table, const struct acpi_layout *layout)
{
	const struct sigma_nodes *nodes = layout->nodes;
	struct acpi_srat *srat = (struct acpi_srat *)table;
	size_t len = sizeof(*srat);

	fill_header(&srat->header, "SRAT", SRAT_REVISION);
	srat->one = 1;
	for (unsigned int i = 0; i < layout->nr_cpus; i++)
		len += add_cpu_node(table + len, layout->apic_ids[i], nodes->cpus[i]);
	len += add_memory_node(table + len, layout->low_phys, SIGMA_LOW_SIZE,
			       node_of(nodes, &nodes->ranges[0]));
	for (unsigned int i = 0; i < nodes->nr_ranges; i++)
		len += add_memory_node(table + len, nodes->ranges[i].phys, nodes->ranges[i].size,
				       node_of(nodes, &nodes->ranges[i]));
	finish_table(&srat->header, len);
	return len;
}

static size_t build_agent(uint8_t *table, const uint8_t key[AGENT_KEY_SIZE])
{
	struct acpi_agent *agent = (struct acpi_agent *)table;

	fill_header(&agent->header, AGENT_TABLE, 1);
	memcpy(agent->key, key, sizeof(agent->key));
	finish_table(&agent->header, sizeof(*agent));
	return sizeof(*agent);
}

static size_t build_fadt(uint8_t *table, uint64_t dsdt)
{
	struct acpi_fadt *fadt = (struct acpi_fadt *)table;

	fill_header(&fadt->header, "FACP", FADT_REVISION);
	fadt->minor_revision = FADT_MINOR;
	fadt->boot_flags = FADT_BOOT_NO_VGA | FADT_BOOT_NO_MSI | FADT_BOOT_NO_ASPM |
			   FADT_BOOT_NO_CMOS_RTC;
	/* RESET_REG_SUP is not set: no register resets only the guest */
	fadt->flags = FADT_WBINVD | FADT_NO_POWER_BUTTON | FADT_NO_SLEEP_BUTTON |
		      FADT_PHYSICAL_DEST | FADT_HW_REDUCED;
	fadt->dsdt = dsdt;
	finish_table(&fadt->header, sizeof(*fadt));
	return sizeof(*fadt);
}

/*
 * Copy the compiled DSDT and put the address of the IOSC window into it. In a QWord address space
 * descriptor (ACPI 6.4 table 6.51) the maximum follows the minimum.
 */
static int build_dsdt(uint8_t *table, uint64_t iosc_phys)
{
	const uint64_t wanted[] = { IOSC_PLACEHOLDER, IOSC_PLACEHOLDER + SIGMA_IOSC_SIZE - 1 };
	const uint64_t range[] = { iosc_phys, iosc_phys + SIGMA_IOSC_SIZE - 1 };
	size_t len = sizeof(sigma_aml_code);
	unsigned int found = 0;

	memcpy(table, sigma_aml_code, len);
	for (size_t at = sizeof(struct acpi_header); at + sizeof(wanted) <= len; at++) {
		if (memcmp(sigma_aml_code + at, wanted, sizeof(wanted)))
			continue;
		memcpy(table + at, range, sizeof(range));
		found++;
	}
	if (found != 1)
		return log_error(-EINVAL,
				 "the built-in DSDT has the address of the IOSC window %u times instead of once: sigma.asl and acpi.c do not match; build sigmad again",
				 found);

	finish_table((struct acpi_header *)table, len);
	return len;
}

int acpi_build(uint8_t *buffer, uint64_t phys, const struct acpi_layout *layout)
{
	size_t xsdt_at = align_table(sizeof(struct acpi_rsdp));
	size_t fadt_at = align_table(xsdt_at + sizeof(struct acpi_xsdt));
	size_t dsdt_at = align_table(fadt_at + sizeof(struct acpi_fadt));
	size_t madt_at = align_table(dsdt_at + sizeof(sigma_aml_code));
	struct acpi_rsdp *rsdp = (struct acpi_rsdp *)buffer;
	struct acpi_xsdt *xsdt = (struct acpi_xsdt *)(buffer + xsdt_at);
	size_t xsdt_len = offsetof(struct acpi_xsdt, table[3]), end, agent_at, srat_at;
	int error;

	if (!layout->nr_cpus || layout->nr_cpus > SIGMA_CPUS_MAX)
		return log_error(-EINVAL, "a guest with %u CPUs: 1 to %u are possible",
				 layout->nr_cpus, SIGMA_CPUS_MAX);
	if (layout->nodes->nr_ranges > SIGMA_NODE_RANGES_MAX)
		return log_error(-EINVAL, "sigma.ko tells of %u NUMA ranges, more than there can be; use sigma.ko and sigmad of the same version",
				 layout->nodes->nr_ranges);
	if (layout->ioapic_phys > UINT32_MAX)
		return log_error(-EINVAL,
				 "the I/O APIC page of the guest is above 4 GiB, where ACPI cannot describe it; use sigma.ko and sigmad of the same version");

	error = build_dsdt(buffer + dsdt_at, layout->iosc_phys);
	if (error < 0)
		return error;
	build_fadt(buffer + fadt_at, phys + dsdt_at);
	agent_at = align_table(madt_at + build_madt(buffer + madt_at, layout));
	end = agent_at + build_agent(buffer + agent_at, layout->agent_key);
	if (has_several_nodes(layout)) {
		srat_at = align_table(end);
		xsdt->table[3] = phys + srat_at;
		xsdt_len = sizeof(*xsdt);
		end = srat_at + build_srat(buffer + srat_at, layout);
	}

	fill_header(&xsdt->header, "XSDT", 1);
	xsdt->table[0] = phys + fadt_at;
	xsdt->table[1] = phys + madt_at;
	xsdt->table[2] = phys + agent_at;
	finish_table(&xsdt->header, xsdt_len);

	memcpy(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature));
	memcpy(rsdp->oem_id, "SIGMA ", sizeof(rsdp->oem_id));
	rsdp->revision = 2;
	rsdp->length = sizeof(*rsdp);
	rsdp->xsdt = phys + xsdt_at;
	rsdp->checksum = checksum(rsdp, RSDP_V1_SIZE);
	rsdp->extended_checksum = checksum(rsdp, sizeof(*rsdp));

	return end;
}
