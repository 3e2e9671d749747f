// SPDX-License-Identifier: GPL-2.0
/* The guest's ACPI tables, read like a kernel reads them. */
#include <errno.h>

#include "../../kmod/uapi/iosc.h"
#include "../../daemon/load/load.h"
#include "capture.h"
#include "tap.h"

#define PHYS		0x123456000ULL
#define IOSC		0x2abc00000ULL
#define IOAPIC		0x9f000ULL

#define LOW		0x20000ULL

static uint8_t tables[ACPI_TABLES_SIZE];
static struct sigma_nodes nodes;
static const uint8_t key[AGENT_KEY_SIZE] = "nobody guesses it";
static int used;

static uint64_t get(const uint8_t *at, size_t bytes)
{
	uint64_t value = 0;

	memcpy(&value, at, bytes);
	return value;
}

static bool sums_up(const uint8_t *at, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum += *at++;
	return !sum;
}

/* The table at a physical address, or NULL when it is incomplete or its checksum is wrong */
static const uint8_t *table_at(uint64_t phys, const char *signature)
{
	const uint8_t *table = tables + (phys - PHYS);

	if (phys < PHYS || phys + 36 > PHYS + used || memcmp(table, signature, 4) ||
	    phys + get(table + 4, 4) > PHYS + used || !sums_up(table, get(table + 4, 4)))
		return NULL;
	return table;
}

static const uint8_t *find(const char *signature)
{
	const uint8_t *xsdt = table_at(get(tables + 24, 8), "XSDT");
	const uint8_t *table;

	for (size_t at = 36; xsdt && at < get(xsdt + 4, 4); at += 8) {
		table = table_at(get(xsdt + at, 8), signature);
		if (table)
			return table;
	}
	return NULL;
}

static int build(unsigned int nr, const uint32_t *ids, bool bsp)
{
	const struct acpi_layout layout = {
		.iosc_phys = IOSC, .mailbox_phys = IOSC + SIGMA_IOSC_MAILBOX_OFF,
		.ioapic_phys = IOAPIC, .bsp_apic_id = 0, .list_bsp = bsp,
		.nr_cpus = nr, .apic_ids = ids, .low_phys = LOW, .nodes = &nodes,
		.agent_key = key,
	};

	memset(tables, 0, sizeof(tables));
	used = acpi_build(tables, PHYS, &layout);
	return used;
}

/* The n-th entry of a type in the MADT, which must lie within the table */
static const uint8_t *madt_entry(unsigned int type, unsigned int n)
{
	const uint8_t *madt = find("APIC");
	size_t len = madt ? get(madt + 4, 4) : 0;

	for (size_t at = 44; at + 2 <= len && madt[at + 1] >= 2; at += madt[at + 1])
		if (at + madt[at + 1] <= len && madt[at] == type && !n--)
			return madt + at;
	return NULL;
}

TEST(root)
{
	ASSERT_TRUE(build(1, (uint32_t[]){ 3 }, false) > 0);
	EXPECT_TRUE(used <= ACPI_TABLES_SIZE);
	EXPECT_EQ(0, memcmp(tables, "RSD PTR ", 8));
	EXPECT_EQ(2, tables[15]);
	EXPECT_EQ(36, get(tables + 20, 4));
	EXPECT_TRUE(sums_up(tables, 20));
	EXPECT_TRUE(sums_up(tables, 36));
	EXPECT_TRUE(table_at(get(tables + 24, 8), "XSDT"));
}

TEST(fadt)
{
	const uint8_t *fadt;

	ASSERT_TRUE(build(1, (uint32_t[]){ 3 }, false) > 0);
	fadt = find("FACP");
	ASSERT_TRUE(fadt);
	EXPECT_EQ(276, get(fadt + 4, 4));
	EXPECT_EQ(6, fadt[8]);
	EXPECT_EQ(0x3c, get(fadt + 109, 2));
	EXPECT_TRUE(get(fadt + 112, 4) & 1 << 20);	/* hardware-reduced */
	EXPECT_TRUE(get(fadt + 112, 4) & 1 << 19);	/* physical destinations */
	EXPECT_FALSE(get(fadt + 112, 4) & 1 << 10);	/* reset register */
	EXPECT_TRUE(table_at(get(fadt + 140, 8), "DSDT"));
	EXPECT_EQ(0, get(fadt + 268, 8));		/* hypervisor */
}

TEST(dsdt)
{
	const uint64_t range[] = { IOSC, IOSC + SIGMA_IOSC_SIZE - 1, 0, SIGMA_IOSC_SIZE };
	const uint8_t *dsdt;
	size_t len;

	ASSERT_TRUE(build(1, (uint32_t[]){ 3 }, false) > 0);
	dsdt = table_at(get(find("FACP") + 140, 8), "DSDT");
	ASSERT_TRUE(dsdt);
	len = get(dsdt + 4, 4);
	EXPECT_TRUE(memmem(dsdt, len, range, sizeof(range)));
	EXPECT_TRUE(memmem(dsdt, len, SIGMA_ACPI_HID, sizeof(SIGMA_ACPI_HID)));
}

TEST(one_cpu)
{
	const uint8_t *ioapic;

	ASSERT_TRUE(build(1, (uint32_t[]){ 3 }, false) > 0);
	ASSERT_TRUE(madt_entry(0, 0));
	EXPECT_EQ(0xfee00000, get(find("APIC") + 36, 4));
	EXPECT_EQ(0, get(find("APIC") + 40, 4));
	EXPECT_EQ(3, madt_entry(0, 0)[3]);
	EXPECT_EQ(1, get(madt_entry(0, 0) + 4, 4));
	EXPECT_FALSE(madt_entry(0, 1));
	ioapic = madt_entry(1, 0);
	ASSERT_TRUE(ioapic);
	EXPECT_EQ(IOAPIC, get(ioapic + 4, 4));
	EXPECT_FALSE(madt_entry(0x10, 0));
}

TEST(several_cpus)
{
	ASSERT_TRUE(build(3, (uint32_t[]){ 6, 254, 0x1234 }, false) > 0);
	ASSERT_TRUE(madt_entry(0, 1) && madt_entry(9, 0) && madt_entry(0x10, 0));
	EXPECT_EQ(6, madt_entry(0, 0)[3]);
	EXPECT_EQ(254, madt_entry(0, 1)[3]);
	EXPECT_EQ(0x1234, get(madt_entry(9, 0) + 4, 4));
	EXPECT_EQ(2, get(madt_entry(9, 0) + 12, 4));
	EXPECT_EQ(16, madt_entry(0x10, 0)[1]);
	EXPECT_EQ(IOSC + SIGMA_IOSC_MAILBOX_OFF, get(madt_entry(0x10, 0) + 8, 8));
}

TEST(boot_cpu_of_the_host_is_first)
{
	ASSERT_TRUE(build(1, (uint32_t[]){ 5 }, true) > 0);
	ASSERT_TRUE(madt_entry(0, 1));
	EXPECT_EQ(0, madt_entry(0, 0)[3]);
	EXPECT_EQ(1, get(madt_entry(0, 0) + 4, 4));
	EXPECT_EQ(5, madt_entry(0, 1)[3]);
}

#define MIB	(1ULL << 20)

/* The n-th entry of a type in the SRAT, which must lie within the table */
static const uint8_t *srat_entry(unsigned int type, unsigned int n)
{
	const uint8_t *srat = find("SRAT");
	size_t len = srat ? get(srat + 4, 4) : 0;

	for (size_t at = 48; at + 2 <= len && srat[at + 1] >= 2; at += srat[at + 1])
		if (at + srat[at + 1] <= len && srat[at] == type && !n--)
			return srat + at;
	return NULL;
}

static bool is_memory(unsigned int n, uint64_t base, uint64_t size, uint32_t node)
{
	const uint8_t *entry = srat_entry(1, n);

	return entry && entry[1] == 40 && get(entry + 2, 4) == node && get(entry + 8, 8) == base &&
	       get(entry + 16, 8) == size && get(entry + 28, 4) == 1;
}

TEST(one_node_needs_no_srat)
{
	nodes = (struct sigma_nodes) {
		.cpus = { 1, 1 }, .nr_ranges = 1, .ranges = { { PHYS, 512 * MIB, 1, 0 } },
	};
	ASSERT_TRUE(build(2, (uint32_t[]){ 2, 3 }, false) > 0);
	EXPECT_FALSE(find("SRAT"));
	EXPECT_EQ(36 + 3 * 8, get(table_at(get(tables + 24, 8), "XSDT") + 4, 4));
	/* An old sigma.ko tells of no ranges */
	nodes = (struct sigma_nodes) { .cpus = { 1, 0 } };
	ASSERT_TRUE(build(2, (uint32_t[]){ 2, 3 }, false) > 0);
	EXPECT_FALSE(find("SRAT"));
}

TEST(several_nodes)
{
	nodes = (struct sigma_nodes) {
		.cpus = { 1, 1, 0x102 }, .nr_ranges = 2,
		.ranges = { { PHYS, 256 * MIB, 0, 0 }, { PHYS + 512 * MIB, 128 * MIB, 1, 0 } },
	};
	ASSERT_TRUE(build(3, (uint32_t[]){ 2, 3, 300 }, true) > 0);
	EXPECT_TRUE(find("APIC") && find("FACP"));
	ASSERT_TRUE(find("SRAT"));
	EXPECT_EQ(3, find("SRAT")[8]);
	EXPECT_EQ(1, get(find("SRAT") + 36, 4));
	ASSERT_TRUE(srat_entry(0, 1) && srat_entry(2, 0));
	EXPECT_EQ(16, srat_entry(0, 1)[1]);
	EXPECT_EQ(1, srat_entry(0, 1)[2]);
	EXPECT_EQ(3, srat_entry(0, 1)[3]);
	EXPECT_EQ(1, get(srat_entry(0, 1) + 4, 4));
	EXPECT_EQ(0x102, get(srat_entry(2, 0) + 4, 4));
	EXPECT_EQ(300, get(srat_entry(2, 0) + 8, 4));
	EXPECT_EQ(1, get(srat_entry(2, 0) + 12, 4));
	/* The CPU of the host is nowhere, and the low memory is a part of the next node */
	EXPECT_FALSE(srat_entry(0, 2));
	EXPECT_TRUE(is_memory(0, LOW, SIGMA_LOW_SIZE, 0));
	EXPECT_TRUE(is_memory(1, PHYS, 256 * MIB, 0));
	EXPECT_TRUE(is_memory(2, PHYS + 512 * MIB, 128 * MIB, 1));
	EXPECT_FALSE(srat_entry(1, 3));
}

TEST(tiny_nodes_are_no_nodes)
{
	nodes = (struct sigma_nodes) {
		.cpus = { 1 }, .nr_ranges = 2,
		.ranges = { { PHYS, 2 * MIB, 0, 0 }, { PHYS + 512 * MIB, 128 * MIB, 1, 0 } },
	};
	ASSERT_TRUE(build(1, (uint32_t[]){ 2 }, false) > 0);
	EXPECT_FALSE(find("SRAT"));
}

TEST(bounds)
{
	static uint32_t ids[SIGMA_CPUS_MAX];
	struct acpi_layout layout = {
		.ioapic_phys = 1ULL << 32, .nr_cpus = 1, .apic_ids = ids, .nodes = &nodes,
	};

	for (unsigned int i = 0; i < SIGMA_CPUS_MAX; i++)
		ids[i] = 1000 + i;
	nodes = (struct sigma_nodes) { .nr_ranges = SIGMA_NODE_RANGES_MAX };
	for (unsigned int i = 0; i < SIGMA_NODE_RANGES_MAX; i++)
		nodes.ranges[i] = (struct sigma_node_range) { i * 64 * MIB, 32 * MIB, i, 0 };
	EXPECT_TRUE(build(SIGMA_CPUS_MAX, ids, true) > 0);
	EXPECT_TRUE(used <= ACPI_TABLES_SIZE);
	EXPECT_TRUE(srat_entry(2, SIGMA_CPUS_MAX - 1) && srat_entry(1, SIGMA_NODE_RANGES_MAX));
	EXPECT_EQ(1000 + SIGMA_CPUS_MAX - 1, get(madt_entry(9, SIGMA_CPUS_MAX - 1) + 4, 4));

	capture_start();
	EXPECT_EQ(-EINVAL, build(0, ids, true));
	EXPECT_EQ(-EINVAL, build(SIGMA_CPUS_MAX + 1, ids, true));
	EXPECT_EQ(-EINVAL, acpi_build(tables, PHYS, &layout));
	EXPECT_SAID("above 4 GiB", capture_end());
}

TEST(key_of_the_agent)
{
	const uint32_t ids[] = { 1 };
	const uint8_t *table;

	ASSERT_TRUE(build(1, ids, false) > 0);
	table = find(AGENT_TABLE);
	ASSERT_TRUE(table);
	EXPECT_EQ(AGENT_TABLE_HEADER + AGENT_KEY_SIZE, get(table + 4, 4));
	EXPECT_TRUE(!memcmp(table + AGENT_TABLE_HEADER, key, sizeof(key)));
}

TEST_HARNESS_MAIN
