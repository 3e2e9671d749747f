/* SPDX-License-Identifier: GPL-2.0 */
/* Kernel images that a test makes: written to a file, and opened as sigmad does it. */
#ifndef SIGMA_TEST_KERNELFILE_H
#define SIGMA_TEST_KERNELFILE_H

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../daemon/load/load.h"
#include "capture.h"
#include "tap.h"

static struct kernel image;
static const char *said;
static char path[] = "/tmp/sigma-unit-XXXXXX";

static inline int open_bytes(const void *bytes, size_t size)
{
	int fd, error;

	strcpy(path + strlen(path) - 6, "XXXXXX");
	fd = mkstemp(path);
	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	close(fd);
	capture_start();
	error = kernel_open(&image, path);
	said = capture_end();
	unlink(path);
	return error;
}

/* The header of a kernel with so many program headers at @phoff */
static inline void elf_header(Elf64_Ehdr *elf, uint64_t entry, uint64_t phoff, unsigned int phnum)
{
	memcpy(elf->e_ident, ELFMAG, SELFMAG);
	elf->e_ident[EI_CLASS] = ELFCLASS64;
	elf->e_ident[EI_DATA] = ELFDATA2LSB;
	elf->e_type = ET_EXEC;
	elf->e_machine = EM_X86_64;
	elf->e_entry = entry;
	elf->e_phoff = phoff;
	elf->e_phentsize = sizeof(Elf64_Phdr);
	elf->e_phnum = phnum;
}

/* The test's own "file" is refused with this message */
#define EXPECT_BAD(what) do {						\
	EXPECT_EQ(-EINVAL, open_bytes(&file, sizeof(file)));		\
	EXPECT_SAID(path, said);					\
	EXPECT_SAID(what, said);					\
} while (0)

#endif
