/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Loading a guest: everything that must lie in its memory before its first
 * instruction.
 *
 *	kernel.c	reads the kernel image, and copies it in
 *	bzimage.c	a bzImage: checks it
 *	vmlinux.c	an ELF file: checks it
 *	initrd.c	the user's initrd and the one made here, as one cpio chain
 *	acpi.c		RSDP, XSDT, FADT, MADT, DSDT (from sigma.asl)
 *	bootparams.c	e820, command line, struct boot_params; where all of it goes
 */
#ifndef SIGMA_LOAD_H
#define SIGMA_LOAD_H

#include <asm/bootparam.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../common/guestfile.h"
#include "../../common/memory.h"

struct load;

/**
 * load_open - read and check all that a guest starts with, before it has memory
 *
 * That @config's memory suffices is checked as if all of it were one piece.
 * Return: 0, or a negative errno that was reported; load_close() only after 0.
 */
int load_open(struct load *load, const struct guest_config *config);
void load_close(struct load *load);

/**
 * load_guest - put kernel, initrd, ACPI tables and boot parameters into guest memory
 * @start: filled in, to be given to SIGMA_START
 *
 * Writes nothing outside @mem.
 * Return: 0, or a negative errno that was reported.
 */
int load_guest(const struct load *load, const struct guest_config *config,
	       const struct sigma_info *info, const struct guest_memory *mem,
	       struct sigma_start *start);

/* kernel.c */

/* The oldest kernel that SIGMA knows how to keep away from the host's hardware. */
#define KERNEL_MAJOR_MIN	6
#define KERNEL_MINOR_MIN	1

#define KERNEL_SEGMENTS_MAX	16
#define BOOT_FLAG		0xaa55		/* of a setup header */
#define BOOT_HEADER_MAGIC	0x53726448	/* "HdrS" */

/** struct kernel_segment - bytes of the image that lie together in memory */
struct kernel_segment {
	size_t from;			/* in the file */
	size_t size;
	uint64_t to;			/* from where the kernel is loaded */
};

/** struct kernel - a kernel image, read and checked; a bzImage or a vmlinux */
struct kernel {
	uint8_t *data;			/* the whole file */
	size_t size;
	uint64_t init_size;		/* contiguous bytes that the kernel needs, all segments in it */
	uint64_t pref_address;		/* would move itself up to there from below */
	uint32_t alignment;		/* of where it is loaded: a power of 2 */
	uint32_t cmdline_max;		/* without the NUL */
	unsigned int nr_segments;
	struct kernel_segment segment[KERNEL_SEGMENTS_MAX];
	uint64_t entry;			/* in 64-bit mode; from where it is loaded */
	struct setup_header hdr;	/* for the boot parameters */
	size_t version_at, version_end;	/* in the file, where the text begins; 0: it has none */
	char version[128];		/* "6.1.0-50-amd64" */
	unsigned int major, minor;	/* of version */
};

/** kernel_open - read and check; what is wrong with a bad one is reported */
int kernel_open(struct kernel *kernel, const char *path);
/** kernel_copy - write its segments to @to, which has init_size bytes, zeroed */
void kernel_copy(const struct kernel *kernel, uint8_t *to);
void kernel_close(struct kernel *kernel);

/* bzimage.c, vmlinux.c: what kernel_open() takes it for. 0 or a negative errno that was reported. */
bool bzimage_matches(const struct kernel *kernel);
int bzimage_parse(struct kernel *kernel, const char *path);
bool vmlinux_matches(const struct kernel *kernel);
int vmlinux_parse(struct kernel *kernel, const char *path);

/* initrd.c */
struct initrd {
	uint8_t *data;
	size_t size;
};

/**
 * initrd_build - make the initrd of a guest
 * @version: of the kernel, names the default module tree
 * @modules: module tree (the folder with modules.dep in it) or NULL
 * @user: the user's own initrd, or NULL
 *
 * An uncompressed newc cpio archive with
 *
 *	/modules/NAME.ko	sigma_guest, the virtio drivers, ext4 and what they depend on,
 *				those that aren't built in; unpacked
 *	/modules.load		their paths in load order, one a line. Not every one need load:
 *				an alias can stand for drivers of different CPUs
 *	/init			and the folders and /dev/console that it needs; loads all these,
 *				mounts root= and goes there. Left out when there is a @user
 *
 * With @user the archive follows the user's, which may be compressed in any way, padded to
 * 4 bytes; the kernel unpacks both. The user's /init stays in charge then: it finds the
 * modules at the paths above, should it not have its own. They are not under /lib/modules,
 * where /lib is often a symbolic link, which an archive's folder would replace.
 *
 * sigma_guest.ko is taken from the module tree, else from $SIGMA_LIBDIR/VERSION/; /init is
 * $SIGMA_LIBDIR/guest-init. SIGMA_LIBDIR is PREFIX/lib/sigma unless the environment says else.
 */
int initrd_build(struct initrd *initrd, const char *version, const char *modules,
		 const char *user);
void initrd_free(struct initrd *initrd);

/** struct load - kernel and initrd, read and checked */
struct load {
	struct kernel kernel;
	struct initrd initrd;
};

/* acpi.c */
struct acpi_layout {
	uint64_t iosc_phys;
	uint64_t mailbox_phys;
	uint64_t ioapic_phys;		/* below 4 GiB */
	uint32_t bsp_apic_id;		/* of the host */
	bool list_bsp;			/* first in the MADT, for kernels from 6.9 on */
	unsigned int nr_cpus;
	const uint32_t *apic_ids;
};

#define ACPI_TABLES_SIZE 0x4000

/**
 * acpi_build - write the tables to @buffer as they will lie at @phys
 * @buffer: ACPI_TABLES_SIZE bytes, zeroed
 *
 * The RSDP is at @phys. Return: bytes used, or a negative errno.
 */
int acpi_build(uint8_t *buffer, uint64_t phys, const struct acpi_layout *layout);

#endif
