/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Loading a guest: everything that must lie in its memory before its first
 * instruction.
 *
 *	bzimage.c	checks the kernel image and copies it in
 *	initrd.c	the user's initrd and the one made here, as one cpio chain
 *	acpi.c		RSDP, XSDT, FADT, MADT, DSDT (from sigma.asl)
 *	bootparams.c	e820, command line, struct boot_params; where all of it goes
 */
#ifndef SIGMA_LOAD_H
#define SIGMA_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../guestfile.h"
#include "../memory.h"

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

/* bzimage.c */

/* Where the 64-bit entry is in the protected-mode part (boot.rst, 64-bit boot protocol) */
#define BZIMAGE_ENTRY_64	0x200

struct bzimage {
	uint8_t *data;			/* the whole file */
	size_t size;
	size_t setup_size;		/* bytes of real-mode part; protected mode follows */
	uint64_t init_size;		/* contiguous bytes that the kernel needs */
	uint64_t pref_address;
	uint32_t alignment;
	uint32_t cmdline_max;		/* without the NUL */
	char version[128];		/* "6.1.0-50-amd64", first word of kernel_version */
	unsigned int major, minor;	/* of version */
};

/** bzimage_open - read and check; what is wrong with a bad one is reported */
int bzimage_open(struct bzimage *image, const char *path);
void bzimage_close(struct bzimage *image);

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
	struct bzimage image;
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
