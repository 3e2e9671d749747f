/* SPDX-License-Identifier: GPL-2.0 */
/* The guests of wild.c: position-independent code for the attempts, and how to run it. */
#ifndef SIGMA_TEST_WILD_H
#define SIGMA_TEST_WILD_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest.h"

#define GIB		(1ULL << 30)
#define SECONDS_TO_END	60		/* for one attempt */

/* Offsets in the guest's memory */
#define CODE_OFF	0x0000ULL
#define PARAMS_OFF	0x1000ULL
#define ROOT_OFF	0x2000ULL
#define TABLE_OFF	0x3000ULL	/* maps the first 512 GiB */
#define FAR_TABLE_OFF	0x4000ULL	/* maps the 512 GiB with the target */
#define IDT_OFF		0x5000ULL
#define FOUND_OFF	0x6000ULL
#define STACK_END_OFF	0x8000ULL

#define PRESENT_RW	0x3ULL
#define LARGE		0x80ULL
#define CS64		0x10
#define INTERRUPT_GATE	0x8e00
#define DB_VECTOR	1
#define GP_VECTOR	13

#define FOUND_MAX	512
#define PATTERN(n)	(0x0101010101010101ULL * (n))	/* pattern in R9 to R15 */

/* In the guest's memory; the assembly code knows the offsets */
struct params {
	uint64_t cr3;			/* 0x00 */
	uint64_t stack;			/* 0x08 */
	uint64_t target;		/* 0x10: address, register or range of the attempt */
	uint64_t value;			/* 0x18: value, or the end of the range */
	uint64_t done;			/* 0x20: 1 when the guest has come to its end */
	uint64_t result;		/* 0x28 */
	uint64_t found;			/* 0x30: table of 32-bit words; result has their number */
	uint8_t idtr[10];		/* 0x38 */
	uint8_t gdtr[10];		/* 0x42: the GDT that the guest starts with */
	uint8_t unused[4];
	uint64_t first_cr3;		/* 0x50: the page tables that the guest starts on */
};
_Static_assert(offsetof(struct params, idtr) == 0x38, "the code has the offsets");
_Static_assert(offsetof(struct params, gdtr) == 0x42, "the code has the offsets");
_Static_assert(offsetof(struct params, first_cr3) == 0x50, "the code has the offsets");

/* RSI has struct params. The label hit_* is the instruction that violates. */
asm(".pushsection .rodata\n"
    ".globl code_start, code_end\n"
    "code_start:\n"
    ".macro begin name\n"
    ".globl \\name\n"
    "\\name:\n"
    "	sgdt 0x42(%rsi)\n"
    "	mov %cr3, %rax\n"
    "	mov %rax, 0x50(%rsi)\n"
    "	mov 0x00(%rsi), %rax\n"
    "	mov %rax, %cr3\n"
    "	mov 0x08(%rsi), %rsp\n"
    "	lidt 0x38(%rsi)\n"
    "	mov 0x10(%rsi), %rdx\n"
    "	mov 0x18(%rsi), %rbx\n"
    "	.irp n, 9, 10, 11, 12, 13, 14, 15\n"
    "	movabs $(0x0101010101010101 * \\n), %r\\n\n"
    "	.endr\n"
    ".endm\n"
    ".macro hit name\n"
    ".globl \\name\n"
    "\\name:\n"
    ".endm\n"

    "begin do_read\n"
    "hit hit_read\n"
    "	mov (%rdx), %rax\n"
    "	mov %rax, 0x28(%rsi)\n"
    "	jmp end\n"

    "begin do_write\n"
    "hit hit_write\n"
    "	mov %rbx, (%rdx)\n"
    "	jmp end\n"

    "begin do_run\n"
    "	jmp *%rdx\n"

    /* The next instruction is looked up in page tables at the target */
    "begin do_walk\n"
    "	mov %rdx, %cr3\n"
    "hit hit_walk\n"
    "	jmp end\n"

    /* Write to an MSR. R8 becomes 0 when that raises #GP. */
    "begin do_send\n"
    "	mov %edx, %ecx\n"
    "	mov $1, %r8d\n"
    "	mov %ebx, %eax\n"
    "	mov %rbx, %rdx\n"
    "	shr $32, %rdx\n"
    "hit hit_send\n"
    "	wrmsr\n"
    "	mov %r8, 0x28(%rsi)\n"
    "	jmp end\n"

    /* Clear the enable bit in IA32_APIC_BASE, and read it back */
    "begin do_apic_off\n"
    "	mov $0x1b, %ecx\n"
    "	rdmsr\n"
    "	and $~0x800, %eax\n"
    "	wrmsr\n"
    "	rdmsr\n"
    "	mov %eax, %eax\n"
    "	mov %rax, 0x28(%rsi)\n"
    "	jmp end\n"

    /* Single-step over CPUID, which causes a VM exit; the result is where the #DB comes */
    "begin do_step\n"
    "	xor %eax, %eax\n"
    "	pushfq\n"
    "	orq $0x100, (%rsp)\n"
    "	popfq\n"
    "	cpuid\n"
    "hit hit_step\n"
    "	nop\n"
    "	nop\n"
    "	jmp end\n"

    /* OR all words of a range */
    "begin do_scan\n"
    "	xor %eax, %eax\n"
    "1:	or (%rdx), %rax\n"
    "	add $8, %rdx\n"
    "	cmp %rbx, %rdx\n"
    "	jb 1b\n"
    "	mov %rax, 0x28(%rsi)\n"
    "	jmp end\n"

    "begin do_nothing\n"
    "	jmp end\n"

    /* Try to write all bits inverted to each MSR of a range; the table gets those that took it */
    "begin do_registers\n"
    "	mov 0x30(%rsi), %rdi\n"
    "	xor %r9d, %r9d\n"
    "	mov %edx, %ecx\n"
    "1:	xor %eax, %eax\n"
    "	xor %edx, %edx\n"
    "	rdmsr\n"
    "	not %eax\n"
    "	not %edx\n"
    "	mov $1, %r8d\n"
    "	wrmsr\n"
    "	test %r8d, %r8d\n"
    "	jz 2f\n"
    "	mov %ecx, (%rdi,%r9,4)\n"
    "	inc %r9d\n"
    "	cmp $512, %r9d\n"
    "	je 3f\n"
    "2:	inc %ecx\n"
    "	cmp %ebx, %ecx\n"
    "	jbe 1b\n"
    "3:	mov %r9, 0x28(%rsi)\n"
    "	jmp end\n"

    /* Read all ports by 8 and by 32 bits, and write to them; the table gets those that answer */
    "begin do_ports\n"
    "	mov 0x30(%rsi), %rdi\n"
    "	xor %r9d, %r9d\n"
    "	xor %edx, %edx\n"
    "1:	in %dx, %al\n"
    "	mov %eax, %r8d\n"
    "	in %dx, %eax\n"
    "	and %r8b, %al\n"
    "	out %al, %dx\n"
    "	out %eax, %dx\n"
    "	inc %eax\n"
    "	jz 2f\n"
    "	mov %edx, (%rdi,%r9,4)\n"
    "	inc %r9d\n"
    "	cmp $512, %r9d\n"
    "	je 3f\n"
    "2:	inc %edx\n"
    "	cmp $0x10000, %edx\n"
    "	jb 1b\n"
    "3:	mov %r9, 0x28(%rsi)\n"
    "	jmp end\n"

    /* Copy left_msrs, x87, XMM and the upper halves of YMM to the table */
    "begin do_inherit\n"
    "	mov 0x30(%rsi), %rdi\n"
    "	lea left_msrs(%rip), %r12\n"
    "1:	mov (%r12), %ecx\n"
    "	jrcxz 2f\n"
    "	xor %eax, %eax\n"
    "	xor %edx, %edx\n"
    "	rdmsr\n"
    "	mov %eax, (%rdi)\n"
    "	mov %edx, 4(%rdi)\n"
    "	add $4, %r12\n"
    "	add $8, %rdi\n"
    "	jmp 1b\n"
    "2:	mov 0x30(%rsi), %rdi\n"
    "	mov %cr4, %rax\n"
    "	or $0x200, %rax\n"		/* OSFXSR */
    "	mov %rax, %cr4\n"
    "	fxsave 0x200(%rdi)\n"
    "	call enable_avx\n"
    "	jz end\n"
    "	mov %r13, 0x28(%rsi)\n"
    "	vextractf128 $1, %ymm0, 0x400(%rdi)\n"
    "	vextractf128 $1, %ymm15, 0x410(%rdi)\n"
    "	jmp end\n"

    /* Write the value to each of these registers, where it is allowed */
    "begin do_leave\n"
    "	lea left_msrs(%rip), %r12\n"
    "1:	mov (%r12), %ecx\n"
    "	jrcxz 2f\n"
    "	mov %ebx, %eax\n"
    "	xor %edx, %edx\n"
    "	wrmsr\n"
    "	add $4, %r12\n"
    "	jmp 1b\n"
    "2:	mov %ebx, %ebx\n"
    "	mov %cr4, %rax\n"
    "	or $0x200, %rax\n"
    "	mov %rax, %cr4\n"
    "	fldpi\n"
    "	movq %rbx, %xmm0\n"
    "	movq %rbx, %xmm15\n"
    "	call enable_avx\n"
    "	jz end\n"
    "	vinsertf128 $1, %xmm0, %ymm0, %ymm0\n"
    "	vinsertf128 $1, %xmm15, %ymm15, %ymm15\n"
    "	jmp end\n"

    /* R13: XCR0 as it was. ZF: the CPU has no AVX. */
    "enable_avx:\n"
    "	mov $1, %eax\n"
    "	mov %rbx, %r14\n"
    "	cpuid\n"
    "	mov %r14, %rbx\n"
    "	not %ecx\n"
    "	and $0x14000000, %ecx\n"	/* XSAVE, AVX */
    "	jz 1f\n"
    "	xor %eax, %eax\n"
    "	ret\n"
    "1:	mov %cr4, %rax\n"
    "	or $0x40000, %rax\n"		/* OSXSAVE */
    "	mov %rax, %cr4\n"
    "	xor %ecx, %ecx\n"
    "	xgetbv\n"
    "	mov %eax, %r13d\n"
    "	mov $7, %eax\n"
    "	xor %edx, %edx\n"
    "	xsetbv\n"
    "	or $1, %eax\n"
    "	ret\n"

    /* The registers that kmod/arrival.c clears */
    ".balign 4\n"
    ".globl left_msrs, left_msrs_end\n"
    "left_msrs:\n"
    "	.long 0x48, 0x174, 0x175, 0x176, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084\n"
    "	.long 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103, 0xda0, 0x1c4, 0x1c5, 0xd90\n"
    "	.long 0x6a0, 0x6a2, 0x6a4, 0x6a5, 0x6a6, 0x6a7, 0x6a8, 0x1d9\n"
    "left_msrs_end:\n"
    "	.long 0\n"

    "begin do_count\n"
    "1:	incq 0x28(%rsi)\n"
    "	pause\n"
    "	jmp 1b\n"

    "end:\n"
    "	movq $1, 0x20(%rsi)\n"
    "1:	cli\n"
    "	hlt\n"
    "	jmp 1b\n"

    /* #DB: report RIP, and stop single-stepping */
    ".globl stepped\n"
    "stepped:\n"
    "	push %rax\n"
    "	mov 8(%rsp), %rax\n"
    "	mov %rax, 0x28(%rsi)\n"
    "	pop %rax\n"
    "	andq $~0x100, 16(%rsp)\n"
    "	iretq\n"

    /* #GP: skip RDMSR or WRMSR, which have two bytes */
    ".globl refused\n"
    "refused:\n"
    "	xor %r8d, %r8d\n"
    "	add $8, %rsp\n"
    "	addq $2, (%rsp)\n"
    "	iretq\n"
    "code_end:\n"
    ".popsection\n");

extern const uint8_t code_start[], code_end[], refused[], stepped[];
extern const uint8_t do_read[], do_write[], do_run[], do_walk[], do_send[], do_scan[], do_nothing[],
		     do_registers[], do_ports[], do_inherit[], do_leave[], do_count[],
		     do_apic_off[], do_step[];
extern const uint32_t left_msrs[], left_msrs_end[];
extern const uint8_t hit_read[], hit_write[], hit_walk[], hit_send[], hit_step[];

static struct guest wild, other;

static volatile struct params *params_of(const struct guest *guest)
{
	return (struct params *)(guest->map + PARAMS_OFF);
}

static uint64_t address_of(const struct guest *guest, const uint8_t *label)
{
	return guest->phys + CODE_OFF + (label - code_start);
}

/* Identity-map the 512 GiB around @address */
static void fill_table(struct guest *guest, uint64_t table_off, uint64_t address)
{
	uint64_t *root = (uint64_t *)(guest->map + ROOT_OFF);
	uint64_t *table = (uint64_t *)(guest->map + table_off);
	uint64_t first = address & ~(512 * GIB - 1);

	root[address / (512 * GIB) & 511] = (guest->phys + table_off) | PRESENT_RW;
	for (unsigned int i = 0; i < 512; i++)
		table[i] = (first + i * GIB) | PRESENT_RW | LARGE;
}

static void fill_gate(struct guest *guest, unsigned int vector, const uint8_t *label)
{
	uint64_t handler = address_of(guest, label);
	uint64_t gate[2] = {
		(handler & 0xffff) | CS64 << 16 | (uint64_t)INTERRUPT_GATE << 32 |
			(handler & 0xffff0000) << 32,
		handler >> 32,
	};

	memcpy(guest->map + IDT_OFF + vector * sizeof(gate), gate, sizeof(gate));
}

static void start(struct guest *guest, const uint8_t *label, uint64_t target, uint64_t value)
{
	struct sigma_start args = { .entry = address_of(guest, label),
				    .boot_params = guest->phys + PARAMS_OFF };
	struct params params = { .cr3 = guest->phys + ROOT_OFF,
				 .stack = guest->phys + STACK_END_OFF, .target = target,
				 .value = value, .found = guest->phys + FOUND_OFF };
	uint16_t limit = PAGE - 1;
	uint64_t idt = guest->phys + IDT_OFF;

	memset(guest->map, 0, STACK_END_OFF);
	memcpy(guest->map + CODE_OFF, code_start, code_end - code_start);
	memcpy(params.idtr, &limit, sizeof(limit));
	memcpy(params.idtr + sizeof(limit), &idt, sizeof(idt));
	memcpy(guest->map + PARAMS_OFF, &params, sizeof(params));
	fill_table(guest, FAR_TABLE_OFF, target);
	fill_table(guest, TABLE_OFF, 0);
	fill_gate(guest, DB_VECTOR, stepped);
	fill_gate(guest, GP_VECTOR, refused);
	if (ioctl(guest->fd, SIGMA_START, &args))
		die("%s: does not start", guest->info.name);
}

/* Return: whether the code came to its end; otherwise the guest is contained */
static bool until_end(struct guest *guest)
{
	struct pollfd change = { .fd = guest->fd, .events = POLLPRI };

	for (unsigned int ms = 0; ms < SECONDS_TO_END * 1000; ms++) {
		if (state(guest) == SIGMA_STATE_CONTAINED)
			return false;
		if (params_of(guest)->done)
			return true;
		poll(&change, 1, 1);
	}
	errno = ETIMEDOUT;
	die("neither contained nor done");
}

static bool run(const uint8_t *label, uint64_t target, uint64_t value)
{
	bool done;

	start(&wild, label, target, value);
	done = until_end(&wild);
	if (ioctl(wild.fd, SIGMA_STOP))
		die("does not stop");
	return done;
}

#endif
