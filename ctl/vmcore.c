// SPDX-License-Identifier: GPL-2.0
/*
 * A guest's memory as an ELF core: see vmcore.h. The file is
 *
 *	header, program headers
 *	notes		NT_PRSTATUS for each CPU, then the kernel's VMCOREINFO
 *	low memory	at a page boundary
 *	segments	of the guest's memory, one after the other
 *
 * Each piece of memory has a PT_LOAD with its physical address and its virtual address in the
 * kernel's direct mapping. The kernel's own image is in one of the segments, and has a second
 * PT_LOAD of the same bytes with the addresses of its symbols. vmcore-dmesg needs both;
 * makedumpfile finds the start of the direct mapping by the first one.
 */
#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <unistd.h>

#include "vmcore.h"

#define CPU_NOTE	"CORE"
#define INFO_NOTE	"VMCOREINFO"

#define CHUNK_MAX	(1ULL << 20)		/* bytes between two calls of @progress */

#define KERNEL_SIZE_MAX	(1ULL << 30)		/* KERNEL_IMAGE_SIZE of all configurations */

/* Where the direct mapping may begin, Documentation/arch/x86/x86_64/mm.rst */
#define DIRECT_ALIGN	(1ULL << 30)
#define DIRECT_FIRST_L4	0xffff888000000000ULL
#define DIRECT_FIRST_L5	0xff11000000000000ULL

#define LOADS_MAX	(SIGMA_SEGMENTS_MAX + 2)

struct headers {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr[1 + LOADS_MAX];
};

static uint64_t round_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

/*
 * Find where the direct mapping begins; 0: not found. KASLR moves it, but it is the first mapping
 * from DIRECT_FIRST_* on, and always contains the machine's first MiB.
 */
static uint64_t direct_mapping(const struct vmcoreinfo *info)
{
	uint64_t at = info->levels == 5 ? DIRECT_FIRST_L5 : DIRECT_FIRST_L4;
	uint64_t probe = info->mem->segment[0].phys, phys, left;

	while (!vmcoreinfo_translate(info, at, &phys, &left)) {
		if (at + left < at || at + left >= KERNEL_MAP)
			return 0;
		at += left;
	}
	at -= at % DIRECT_ALIGN;
	return vmcoreinfo_translate(info, at + probe, &phys, &left) && phys == probe ? at : 0;
}

/* Make the PT_LOAD of the mapped part of the kernel's image, which is contiguous in one segment */
static void add_image(const struct vmcoreinfo *info, const Elf64_Phdr *loads, unsigned int nr,
		      Elf64_Phdr *image)
{
	uint64_t first = 0, end = 0, phys, left;

	for (uint64_t at = 0; at < KERNEL_SIZE_MAX; at += left) {
		if (!vmcoreinfo_translate(info, KERNEL_MAP + at, &phys, &left) ||
		    phys != info->phys_base + at)
			continue;
		if (!end)
			first = at;
		end = at + left;
	}
	for (unsigned int i = 0; i < nr; i++) {
		uint64_t into = info->phys_base + first - loads[i].p_paddr;

		if (into >= loads[i].p_filesz)
			continue;
		*image = loads[i];
		image->p_offset += into;
		image->p_paddr += into;
		image->p_vaddr = KERNEL_MAP + first;
		image->p_filesz = MIN(end - first, loads[i].p_filesz - into);
		image->p_memsz = image->p_filesz;
	}
}

static void add_load(Elf64_Phdr *load, uint64_t phys, uint64_t size, uint64_t direct,
		     uint64_t *offset)
{
	*load = (Elf64_Phdr) {
		/* With flags of 0, crash would take it for a netdump and not look for KASLR */
		.p_type = PT_LOAD, .p_flags = PF_R | PF_W | PF_X, .p_align = 0,
		.p_offset = *offset, .p_paddr = phys, .p_vaddr = direct ? direct + phys : 0,
		.p_filesz = size, .p_memsz = size,
	};
	*offset += size;
}

static void add_loads(const struct vmcore *core, struct headers *headers, uint64_t offset)
{
	uint64_t direct = core->info ? direct_mapping(core->info) : 0;
	Elf64_Phdr *loads = headers->phdr + 1;
	Elf64_Half *phnum = &headers->ehdr.e_phnum;

	*phnum = 1;
	add_load(&headers->phdr[(*phnum)++], core->low_phys, SIGMA_LOW_SIZE, direct, &offset);
	for (unsigned int i = 0; i < core->mem->nr; i++)
		add_load(&headers->phdr[(*phnum)++], core->mem->segment[i].phys,
			 core->mem->segment[i].size, direct, &offset);
	if (!core->info)
		return;
	add_image(core->info, loads, *phnum - 1, &headers->phdr[*phnum]);
	if (headers->phdr[*phnum].p_filesz)
		++*phnum;
}

static size_t note_size(const char *name, size_t len)
{
	return sizeof(Elf64_Nhdr) + round_up(strlen(name) + 1, 4) + round_up(len, 4);
}

static uint8_t *add_note(uint8_t *at, const char *name, uint32_t type, const void *desc, size_t len)
{
	Elf64_Nhdr *note = (void *)at;

	*note = (Elf64_Nhdr) { .n_namesz = strlen(name) + 1, .n_descsz = len, .n_type = type };
	strcpy((char *)(note + 1), name);
	memcpy((uint8_t *)(note + 1) + round_up(note->n_namesz, 4), desc, len);
	return at + note_size(name, len);
}

static size_t notes_size(const struct vmcore *core)
{
	size_t size = core->nr_cpus * note_size(CPU_NOTE, sizeof(*core->cpus));

	if (core->info)
		size += note_size(INFO_NOTE, strlen(core->info->text));
	return size;
}

/* Make all that comes before the memory, @size bytes with padding; NULL: out of memory */
static uint8_t *make_head(const struct vmcore *core, size_t *size)
{
	size_t notes = notes_size(core);
	struct headers *headers;
	uint8_t *head, *at;

	*size = round_up(sizeof(*headers) + notes, KERNEL_PAGE_SIZE);
	head = calloc(1, *size);
	if (!head)
		return NULL;
	headers = (void *)head;
	headers->ehdr = (Elf64_Ehdr) {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_CORE, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
		.e_phoff = offsetof(struct headers, phdr),
		.e_ehsize = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr),
	};
	headers->phdr[0] = (Elf64_Phdr) {
		.p_type = PT_NOTE, .p_offset = sizeof(*headers),
		.p_filesz = notes, .p_memsz = notes, .p_align = 4,
	};
	add_loads(core, headers, *size);

	at = head + sizeof(*headers);
	for (unsigned int i = 0; i < core->nr_cpus; i++)
		at = add_note(at, CPU_NOTE, NT_PRSTATUS, &core->cpus[i], sizeof(*core->cpus));
	if (core->info)
		add_note(at, INFO_NOTE, 0, core->info->text, strlen(core->info->text));
	return head;
}

struct output {
	const struct vmcore *core;
	int fd;
	bool sparse;
	uint64_t done, size, failed;
};

static int put_all(const struct output *out, const uint8_t *from, size_t len)
{
	while (len) {
		ssize_t done = write(out->fd, from, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done ? -errno : -EIO;
		from += done;
		len -= done;
	}
	return 0;
}

static bool is_zero(const uint8_t *page)
{
	return !*page && !memcmp(page, page + 1, KERNEL_PAGE_SIZE - 1);
}

/* Length in bytes of the pages at @from that are either all zero, or all not zero */
static size_t run_of_pages(const uint8_t *from, size_t len, bool *zero)
{
	size_t at = KERNEL_PAGE_SIZE;

	*zero = is_zero(from);
	while (at < len && is_zero(from + at) == *zero)
		at += KERNEL_PAGE_SIZE;
	return at;
}

static int put_pages(struct output *out, const uint8_t *from, uint64_t len)
{
	const struct vmcore *core = out->core;
	int error = 0;

	while (len && !error) {
		bool zero = false;
		size_t part = MIN(len, CHUNK_MAX);

		if (out->sparse)
			part = run_of_pages(from, part, &zero);
		if (!zero)
			error = put_all(out, from, part);
		else if (lseek(out->fd, part, SEEK_CUR) < 0)
			error = -errno;
		from += part;
		len -= part;
		out->done += part;
		if (!error && !core->progress(core->data, out->done, out->size))
			error = -EINTR;
	}
	return error;
}

/* Copy memory to @to; pages that cannot be read become zeros. Return: 0 or -errno */
static int get_pages(struct output *out, uint64_t phys, uint8_t *to, size_t len)
{
	const struct guest_memory *mem = out->core->mem;
	int error = memory_read(mem, phys, to, len);

	if (error != -EIO)
		return error;
	for (size_t at = 0; at < len; at += KERNEL_PAGE_SIZE) {
		error = memory_read(mem, phys + at, to + at, KERNEL_PAGE_SIZE);
		if (error && error != -EIO)
			return error;
		if (error) {
			memset(to + at, 0, KERNEL_PAGE_SIZE);
			out->failed++;
		}
	}
	return 0;
}

static int put_segment(struct output *out, const struct memory_segment *segment, uint8_t *buffer)
{
	int error = 0;

	for (uint64_t at = 0; at < segment->size && !error; at += CHUNK_MAX) {
		size_t len = MIN(segment->size - at, CHUNK_MAX);

		error = get_pages(out, segment->phys + at, buffer, len) ?:
			put_pages(out, buffer, len);
	}
	return error;
}

static int put_memory(struct output *out)
{
	const struct guest_memory *mem = out->core->mem;
	uint8_t *buffer = malloc(CHUNK_MAX);
	int error = buffer ? 0 : -ENOMEM;

	for (unsigned int i = 0; i < mem->nr && !error; i++)
		error = put_segment(out, &mem->segment[i], buffer);
	free(buffer);
	return error;
}

/* Zeros that were skipped at the end of the file belong to it, too */
static int put_end(const struct output *out)
{
	off_t end;

	if (!out->sparse)
		return 0;
	end = lseek(out->fd, 0, SEEK_CUR);
	return end < 0 || ftruncate(out->fd, end) ? -errno : 0;
}

int vmcore_write(const struct vmcore *core, int fd, bool sparse, uint64_t *failed)
{
	struct output out = {
		.core = core, .fd = fd, .sparse = sparse,
		.size = SIGMA_LOW_SIZE + core->mem->size,
	};
	size_t head_size;
	uint8_t *head = make_head(core, &head_size);
	int error;

	*failed = 0;
	if (!head)
		return -ENOMEM;
	error = put_all(&out, head, head_size);
	free(head);
	if (!error)
		error = put_pages(&out, core->low, SIGMA_LOW_SIZE);
	if (!error)
		error = put_memory(&out);
	*failed = out.failed;
	return error ?: put_end(&out);
}
