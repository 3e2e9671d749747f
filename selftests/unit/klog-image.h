/* SPDX-License-Identifier: GPL-2.0 */
/* Memory laid out like a kernel's, with a small printk ring in it. */
#ifndef SIGMA_TEST_KLOG_IMAGE_H
#define SIGMA_TEST_KLOG_IMAGE_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../common/memory.h"

#define PAGE		4096
#define PHYS		0x140000000ULL
#define SIZE		(4ULL << 20)
#define KERNEL_MAP	0xffffffff80000000ULL
#define DIRECT_MAP	0xffff888000000000ULL

/* Offsets in memory. The kernel's mapping starts at PHYS, and has the page tables and the ring. */
#define VMCOREINFO	0x3000
#define TOP_TABLE	0x10000			/* the other tables are below it, a page each */
#define PRB_POINTER	0x20000
#define PRB		0x20100
#define DESCS		0x21000
#define INFOS		0x22000
#define TEXT		0x30000			/* two pages, swapped in the direct mapping */

#define COUNT_BITS	3
#define COUNT		(1 << COUNT_BITS)
#define TEXT_BITS	13
#define TEXT_SIZE	(1 << TEXT_BITS)
#define FIRST_ID	0x3ffffffffffffffeULL	/* ids wrap at 62 bits */
#define FIRST_POSITION	(0ULL - TEXT_SIZE)	/* as in a kernel */

/* Sizes and offsets that differ from any real kernel's, so that the code cannot assume those */
#define DESC_SIZE	40
#define INFO_SIZE	96
enum { STATE_VAR = 8, POSITION = 16, BEGIN = 8, NEXT = 0, TIME = 24, TEXT_LEN = 40 };

static uint8_t *memory;
static struct guest_memory mem;
static uint64_t position, id;
static uint64_t failing_page = ~0ULL;	/* offset of a page with a memory error */

/* Like that of a guest's memory file */
ssize_t pread(int fd, void *buffer, size_t len, off_t offset)
{
	const uint64_t at = offset;

	if (fd == mem.fd && at < failing_page + PAGE && failing_page < at + len) {
		len = failing_page > at ? failing_page - at : 0;
		if (!len) {
			errno = EIO;
			return -1;
		}
	}
	return syscall(SYS_pread64, fd, buffer, len, offset);
}

static inline void put(uint64_t at, uint64_t value)
{
	memcpy(memory + at, &value, sizeof(value));
}

static inline void put32(uint64_t at, uint32_t value)
{
	memcpy(memory + at, &value, sizeof(value));
}

/* Map one page (level 1) or one large page (level 2) with tables at @table + a page each */
static inline void map(uint64_t virt, uint64_t phys, unsigned int levels, unsigned int last,
		uint64_t spare)
{
	uint64_t table = TOP_TABLE;

	for (unsigned int level = levels; level > last; level--) {
		uint64_t entry = table + (virt >> (12 + 9 * (level - 1)) & 511) * 8, next;

		memcpy(&next, memory + entry, sizeof(next));
		if (!next) {
			next = (PHYS + spare) | 3;
			spare += PAGE;
			put(entry, next);
		}
		table = (next & ~(PAGE - 1ULL)) - PHYS;
	}
	put(table + (virt >> (12 + 9 * (last - 1)) & 511) * 8, phys | (last > 1 ? 0x83 : 3));
}

static inline void vmcoreinfo(unsigned int levels)
{
	sprintf((char *)memory + VMCOREINFO,
		"OSRELEASE=9.9.9\nPAGESIZE=4096\nSYMBOL(swapper_pg_dir)=%llx\n"
		"SYMBOL(prb)=%llx\nNUMBER(phys_base)=%lld\nNUMBER(pgtable_l5_enabled)=%d\n"
		"NUMBER(sme_mask)=0\n"
		"OFFSET(printk_ringbuffer.desc_ring)=16\n"
		"OFFSET(printk_ringbuffer.text_data_ring)=128\n"
		"OFFSET(prb_desc_ring.count_bits)=4\nOFFSET(prb_desc_ring.descs)=8\n"
		"OFFSET(prb_desc_ring.infos)=16\nOFFSET(prb_desc_ring.head_id)=24\n"
		"OFFSET(prb_desc_ring.tail_id)=32\nSIZE(prb_desc)=%d\n"
		"OFFSET(prb_desc.state_var)=%d\nOFFSET(prb_desc.text_blk_lpos)=%d\n"
		"OFFSET(prb_data_blk_lpos.begin)=%d\nOFFSET(prb_data_blk_lpos.next)=%d\n"
		"SIZE(printk_info)=%d\nOFFSET(printk_info.ts_nsec)=%d\n"
		"OFFSET(printk_info.text_len)=%d\n"
		"OFFSET(prb_data_ring.size_bits)=0\nOFFSET(prb_data_ring.data)=8\n",
		KERNEL_MAP + TOP_TABLE, KERNEL_MAP + PRB_POINTER, (long long)PHYS, levels == 5,
		DESC_SIZE, STATE_VAR, POSITION, BEGIN, NEXT, INFO_SIZE, TIME, TEXT_LEN);
}

/* A memory file of zeros, mapped at mem.base */
static inline void make_file(uint64_t size)
{
	mem.fd = memfd_create("memory", MFD_CLOEXEC);
	mem.size = size;
	if (mem.fd < 0 || ftruncate(mem.fd, size))
		abort();
	mem.base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, mem.fd, 0);
	if (mem.base == MAP_FAILED)
		abort();
}

static inline void unmake(void)
{
	memory_close(&mem);
	memory = NULL;
}

static inline void make(unsigned int levels)
{
	unmake();
	mem = (struct guest_memory){ .nr = 1, .segment = { { PHYS, SIZE, 0 } } };
	make_file(SIZE);
	memory = mem.base;
	failing_page = ~0ULL;

	vmcoreinfo(levels);
	map(KERNEL_MAP, PHYS, levels, 2, TOP_TABLE + PAGE);
	map(DIRECT_MAP, PHYS + TEXT + PAGE, levels, 1, TOP_TABLE + 5 * PAGE);
	map(DIRECT_MAP + PAGE, PHYS + TEXT, levels, 1, TOP_TABLE + 10 * PAGE);

	put(PRB_POINTER, KERNEL_MAP + PRB);
	put32(PRB + 16 + 4, COUNT_BITS);
	put(PRB + 16 + 8, KERNEL_MAP + DESCS);
	put(PRB + 16 + 16, KERNEL_MAP + INFOS);
	put(PRB + 16 + 24, FIRST_ID);
	put(PRB + 16 + 32, FIRST_ID);
	put32(PRB + 128, TEXT_BITS);
	put(PRB + 128 + 8, DIRECT_MAP);
	position = FIRST_POSITION;
	id = FIRST_ID;
}

static inline uint64_t desc_of(uint64_t record)
{
	return DESCS + record % COUNT * DESC_SIZE;
}

static inline void put_text(uint64_t at, const char *from, size_t len)
{
	while (len--) {
		uint64_t page = at / PAGE ? TEXT : TEXT + PAGE;	/* swapped */

		memory[page + at++ % PAGE] = *from++;
	}
}

/* Log a record of this length like a kernel, in a block that may wrap */
static inline void log_bytes(uint64_t time, const char *from, size_t len)
{
	uint64_t block = (8 + len + 7) & ~7ULL, next = position + block;
	uint64_t desc = desc_of(id), info = INFOS + id % COUNT * INFO_SIZE;
	uint64_t at = position % TEXT_SIZE;

	if (position / TEXT_SIZE != (next - 1) / TEXT_SIZE) {
		at = 0;
		next = next / TEXT_SIZE * TEXT_SIZE + block;
	}
	put_text(at + 8, from, len);
	put(desc + STATE_VAR, 2ULL << 62 | id);
	put(desc + POSITION + BEGIN, position);
	put(desc + POSITION + NEXT, next);
	put(info + TIME, time);
	memory[info + TEXT_LEN] = len;
	memory[info + TEXT_LEN + 1] = len >> 8;
	put(PRB + 16 + 24, id);
	position = next;
	id = (id + 1) & (~0ULL >> 2);
}

static inline void log_text(uint64_t time, const char *from)
{
	log_bytes(time, from, strlen(from));
}

#endif
