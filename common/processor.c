// SPDX-License-Identifier: GPL-2.0
/* What a kernel relies on of the CPU: see processor.h. */
#include <cpuid.h>
#include <string.h>

#include "processor.h"

#define OSXSAVE	(1U << 27)	/* leaf 1, ECX: the kernel has switched XSAVE on */

enum { EAX, EBX, ECX, EDX, REGISTERS };

/* Registers with features. What they say of the state at the moment, or of this one CPU, is left out */
static const struct {
	uint32_t leaf, subleaf;
	uint8_t reg;
} features[PROCESSOR_FEATURES] = {
	{ 1, 0, ECX }, { 1, 0, EDX },
	{ 7, 0, EBX }, { 7, 0, ECX }, { 7, 0, EDX }, { 7, 1, EAX }, { 7, 1, EDX },
	{ 0xd, 0, EAX }, { 0xd, 0, EDX }, { 0xd, 1, EAX }, { 0xd, 1, ECX },
	{ 0x80000001, 0, ECX }, { 0x80000001, 0, EDX }, { 0x80000007, 0, EDX },
	{ 0x80000008, 0, EBX }, { 0x80000021, 0, EAX },
};

static void read_leaf(uint32_t leaf, uint32_t subleaf, uint32_t regs[REGISTERS])
{
	if (!__get_cpuid_count(leaf, subleaf, &regs[EAX], &regs[EBX], &regs[ECX], &regs[EDX]))
		memset(regs, 0, REGISTERS * sizeof(*regs));
}

void processor_read(struct processor *processor)
{
	uint32_t regs[REGISTERS];

	read_leaf(0, 0, regs);
	memcpy(processor->same, &regs[EBX], 3 * sizeof(*regs));
	read_leaf(1, 0, regs);
	processor->same[3] = regs[EAX];
	read_leaf(0x80000008, 0, regs);
	processor->same[4] = regs[EAX];
	for (unsigned int i = 0; i < PROCESSOR_FEATURES; i++) {
		read_leaf(features[i].leaf, features[i].subleaf, regs);
		processor->features[i] = regs[features[i].reg];
	}
	processor->features[0] &= ~OSXSAVE;
}

bool processor_serves(const struct processor *is, const struct processor *was)
{
	if (memcmp(is->same, was->same, sizeof(is->same)))
		return false;
	for (unsigned int i = 0; i < PROCESSOR_FEATURES; i++)
		if (was->features[i] & ~is->features[i])
			return false;
	return true;
}
