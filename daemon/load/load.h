/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Loading a guest: everything that must be in its memory before its first instruction.
 *
 *	kernel.c	reads the kernel image and copies it into the guest's memory
 *	bzimage.c	checks a bzImage
 *	payload.c	unpacks the kernel of a bzImage
 *	kernelcache.c	keeps it for the next start
 *	vmlinux.c	checks an ELF file
 *	kaslr.c		moves a kernel to another virtual address
 *	rootfs.c	chooses the file systems whose drivers the initrd gets
 *	modules.c	finds the modules that the initrd gets, in load order
 *	initrd.c	makes the initrd: the user's own one and SIGMA's, one after the other
 *	unpacked.c	the size of the initrd once the guest has unpacked it
 *	acpi.c		RSDP, XSDT, FADT, MADT, SRAT, DSDT (from sigma.asl)
 *	cmdline.c	the command line
 *	bootparams.c	memory layout, e820, struct boot_params
 */
#ifndef SIGMA_LOAD_H
#define SIGMA_LOAD_H

#include <asm/bootparam.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "../../common/agent.h"
#include "../../common/guestfile.h"
#include "../../common/memory.h"

struct load;

#define MODULES_DEFAULT	"/lib/modules"	/* the folder of the kernels' modules; each has one in it */
/* The tag of a share with the modules of the guest's kernel, which guest/init mounts */
#define MODULES_TAG	"sigma-modules"
/* The tag of the share that is the root by Root= */
#define ROOT_TAG	"sigma-root"

/**
 * load_open - read the kernel, make the initrd and check both, before the guest has memory
 *
 * It is checked that all fits into @config's memory, as if that were contiguous.
 * Return: 0, and load_close() has to follow; or a reported negative errno.
 */
int load_open(struct load *load, const struct guest_config *config);
/** load_close - free kernel and initrd; also when they were freed before */
void load_close(struct load *load);

/**
 * load_place_shared - choose where the area of memory objects is, of @size bytes, and set mem->shared
 *
 * The same segments have it at the same place. Return: 0; -ENOMEM: no segment is so large.
 */
int load_place_shared(struct guest_memory *mem, uint64_t size);

/**
 * load_guest - put kernel, initrd, ACPI tables and boot parameters into guest memory
 * @info: addresses of the guest, its CPUs and its state
 * @nodes: the NUMA nodes of its CPUs and memory
 * @mem: the only memory that is written
 * @start: out: the argument for SIGMA_START
 *
 * Return: 0 or a reported negative errno.
 */
int load_guest(const struct load *load, const struct guest_config *config,
	       const struct sigma_info *info, const struct sigma_nodes *nodes,
	       const struct guest_memory *mem, struct sigma_start *start);

/* kernel.c */

/* The oldest kernel that SIGMA can keep away from the host's hardware */
#define KERNEL_MAJOR_MIN	6
#define KERNEL_MINOR_MIN	1

#define KERNEL_SEGMENTS_MAX	16
#define BOOT_FLAG		0xaa55		/* of a setup header */
#define BOOT_HEADER_MAGIC	0x53726448	/* "HdrS" */

/** struct kernel_segment - part of the image that is contiguous in memory */
struct kernel_segment {
	size_t from;			/* in the file */
	size_t size;
	uint64_t to;			/* offset from the kernel's load address */
};

/** struct kernel_relocs - places in the kernel that depend on its address: @nr words from @at on */
struct kernel_relocs {
	size_t at;			/* in the file */
	size_t nr;
};

/** struct kernel - a kernel image, read and checked; a vmlinux, unpacked or not, or a bzImage */
struct kernel {
	uint8_t *data;			/* the whole file */
	size_t size;
	uint64_t init_size;		/* bytes of contiguous memory that the kernel needs */
	uint64_t pref_address;		/* if loaded below this, the kernel moves itself up to it */
	uint32_t alignment;		/* of the load address: a power of 2 */
	uint32_t cmdline_max;		/* without the NUL */
	unsigned int nr_segments;
	struct kernel_segment segment[KERNEL_SEGMENTS_MAX];
	uint64_t entry;			/* 64-bit entry point; offset from the load address */
	uint64_t linked_at;		/* of a vmlinux: physical address that it is linked for */
	bool can_move;			/* it has the lists that follow */
	struct kernel_relocs relocs64, relocs_percpu, relocs32;
	struct setup_header hdr;	/* for the boot parameters */
	size_t version_at, version_end;	/* version text in the file: start, 0: none; limit */
	char version[128];		/* "6.1.0-50-amd64" */
	unsigned int major, minor;	/* of version */
};

/** kernel_open - read and check the kernel image @path; 0 or a reported -errno */
int kernel_open(struct kernel *kernel, const char *path);
/** kernel_read - read @size bytes of @fd into @kernel; 0, -ENODATA if there are fewer, or -errno */
int kernel_read(struct kernel *kernel, int fd, size_t size);
/** kernel_copy - write its segments to @to, which has init_size bytes, zeroed */
void kernel_copy(const struct kernel *kernel, uint8_t *to);
void kernel_close(struct kernel *kernel);

/**
 * kernel_lists_bsp - does it want the host's boot CPU in the MADT?
 *
 * Kernels from 6.9 on expect the machine's boot CPU in the MADT, detect that they do not run on it,
 * and do not start it. Older kernels would try to start it.
 */
bool kernel_lists_bsp(const struct kernel *kernel);

/* bzimage.c, vmlinux.c: the formats that kernel_open() knows; parse: 0 or a reported -errno */
bool bzimage_matches(const struct kernel *kernel);
int bzimage_parse(struct kernel *kernel, const char *path);
bool vmlinux_matches(const struct kernel *kernel);
int vmlinux_parse(struct kernel *kernel, const char *path);

/**
 * payload_open - replace a bzImage, which bzimage_parse() has checked, by the kernel in it
 * @st: of the file
 *
 * A bzImage whose kernel cannot be unpacked here stays as it is. Return: 0 or a reported -errno.
 */
int payload_open(struct kernel *kernel, const struct stat *st, const char *path);

/* kernelcache.c */

/**
 * struct payload - the kernel in a bzImage
 * @data: in the file
 * @size: of it
 * @unpacked: how many bytes it becomes, as it says itself
 */
struct payload {
	const uint8_t *data;
	size_t size;
	uint32_t unpacked;
};

/**
 * kernelcache_load - the kernel of a bzImage, as it was unpacked before
 * @elf: out: its data is to be freed
 * @image: the file
 * @payload: what is in it
 *
 * Return: is there one?
 */
bool kernelcache_load(struct kernel *elf, const struct stat *image, const struct payload *payload);

/** kernelcache_save - keep @elf, which was unpacked. If it cannot be kept, nothing is lost but time */
void kernelcache_save(const struct kernel *elf, const struct stat *image, const struct payload *payload);

/* kaslr.c */

/** kaslr_find - find the kernel's relocations behind its ELF file, and set can_move */
void kaslr_find(struct kernel *kernel, const char *path);

/** kaslr_choose - by how much the kernel is to be moved up, at random; 0 if it cannot be moved */
uint64_t kaslr_choose(const struct kernel *kernel);

/**
 * kaslr_move - have the kernel run at other virtual addresses than it is linked for, if it can move
 * @to: where kernel_copy() has written it
 * @delta: of kaslr_choose(), which are multiples of the kernel's alignment
 */
void kaslr_move(const struct kernel *kernel, uint8_t *to, uint64_t delta);

/* rootfs.c */

/**
 * rootfs_types - the types of file systems that the root may have beside ext4
 * @root: root= of the command line, or NULL
 * @fstype: rootfstype= of the command line, or NULL
 *
 * Return: @fstype, or what the disks say, as a comma-separated list; "" beside a user's initrd,
 * which finds the root itself, and what Root= needs, which is no disk.
 */
const char *rootfs_types(const struct guest_config *config, const char *root, const char *fstype);

/* network.c */

/**
 * network_list - what the guest's first program is to set up on the guest's NICs
 *
 * Lines, each with a word and a value:
 *
 *	nic MAC			the lines below are about the NIC with this MAC address
 *	address ADDRESS/LENGTH	of this NIC
 *	gateway ADDRESS		of the default route
 *	dns ADDRESS		of a DNS server
 *
 * Return: the text, to be freed, "" if there is nothing to set up; or NULL: no memory.
 */
char *network_list(const struct guest_config *config);

/* initrd.c */

/** struct initrd - an initrd; @driver_signed: its sigma_guest.ko has a signature, of any key */
struct initrd {
	uint8_t *data;
	size_t size;
	bool driver_signed;
};

/**
 * initrd_build - make the initrd of a guest
 * @initrd: out
 * @version: of the kernel; also the name of its default module tree
 * @modules: module tree (the folder with modules.dep in it) or NULL
 * @user: the user's own initrd, or NULL
 * @types: of file systems whose drivers are needed beside ext4: a comma-separated list
 * @disks: the guest has disks. Without, it has no ext4, for whose size it would start later: a kernel
 *	   checks a module's signature over all of it
 * @network: of network_list()
 *
 * An uncompressed newc cpio archive with
 *
 *	/modules/NAME.ko	sigma_guest, the virtio drivers, ext4 (for @disks) and their
 *				dependencies, uncompressed; drivers that are built in are left out
 *	/modules.load		their paths in load order, one a line. Some may fail to load,
 *				since an alias can name drivers for different CPUs
 *	/modules.TYPE		the same for the driver of a type of @types, where it has modules:
 *				/init loads them if the root file system is of this type
 *	/network		@network, unless that is ""
 *	/init			loads these modules, mounts root= and switches to it. It comes
 *				with the folders and the /dev/console that it needs. Left out
 *				if there is a @user
 *	/sigma-agent		runs programs for sigmactl; /init starts it. Left out likewise
 *
 * With @user this archive follows the user's, which may be compressed in any way and is padded to 4
 * bytes. The kernel unpacks both, and runs the user's /init, which finds the modules at the paths
 * above if it does not have its own. The modules are not under /lib/modules: /lib is often a
 * symbolic link, and a folder in the archive would replace it.
 *
 * A kernel that needs no other modules, since all drivers are built in, needs no module tree.
 * sigma_guest.ko is taken from the module tree, or else from $SIGMA_LIBDIR/VERSION/; /init is
 * $SIGMA_LIBDIR/guest-init, and the agent is beside it. The default of SIGMA_LIBDIR is PREFIX/lib/sigma.
 *
 * Return: 0, and initrd_free() has to follow; or a reported negative errno.
 */
int initrd_build(struct initrd *initrd, const char *version, const char *modules,
		 const char *user, const char *types, bool disks, const char *network);
void initrd_free(struct initrd *initrd);

/* cmdline.c */

/**
 * cmdline_build - the command line of a guest
 * @info: the guest's CPUs, and the rate of its TSC
 *
 * Return: the command line, to be freed; or NULL, reported.
 */
char *cmdline_build(const struct guest_config *config, const struct sigma_info *info,
		    const struct kernel *kernel);

/**
 * cmdline_check - build the longest possible command line, and warn of words without effect
 *
 * Return: its size with NUL, or a reported negative errno.
 */
ssize_t cmdline_check(const struct guest_config *config, const struct kernel *kernel);

/** cmdline_check_signature - will the kernel load sigma_guest.ko? 0 or a reported -errno */
int cmdline_check_signature(const struct guest_config *config, const struct initrd *initrd);

/** cmdline_has - is this word among those that the kernel obeys? */
bool cmdline_has(const char *cmdline, const char *name);

/** cmdline_value - the value of the last NAME= that the kernel obeys, to be freed; or NULL */
char *cmdline_value(const char *cmdline, const char *name);

/* unpacked.c */

struct archive;

/**
 * unpacked_filters - have libarchive read what is compressed as kernels and their modules are
 *
 * Not archive_read_support_filter_all(): for some kinds, such as lzop, libarchive runs a program, and
 * the filter of system calls forbids that.
 */
void unpacked_filters(struct archive *in);

/**
 * initrd_unpacked - the size of the files in an initrd
 * @max: stop counting at about this size
 *
 * Parts that are damaged do not count: the guest's kernel reports them.
 */
uint64_t initrd_unpacked(const uint8_t *data, size_t size, uint64_t max);

/** struct load - kernel and initrd, read and checked; @agent_key: of this start, see daemon/agent.h */
struct load {
	struct kernel kernel;
	struct initrd initrd;
	uint8_t agent_key[AGENT_KEY_SIZE];
};

/* acpi.c */
struct acpi_layout {
	uint64_t iosc_phys;		/* of the IOSC window (inter-OS communication) */
	uint64_t mailbox_phys;
	uint64_t ioapic_phys;		/* below 4 GiB */
	uint32_t bsp_apic_id;		/* of the host's boot CPU */
	bool list_bsp;			/* list it first in the MADT, for kernels from 6.9 on */
	unsigned int nr_cpus;
	const uint32_t *apic_ids;
	uint64_t low_phys;		/* SIGMA_LOW_SIZE bytes */
	const struct sigma_nodes *nodes;	/* of all of its memory but that */
	const uint8_t *agent_key;	/* AGENT_KEY_SIZE bytes */
};

#define ACPI_TABLES_SIZE 0x4000

/**
 * acpi_build - write the tables to @buffer
 * @buffer: ACPI_TABLES_SIZE bytes, zeroed
 * @phys: guest physical address of @buffer; the RSDP is there
 * @layout: the addresses and CPUs that the tables describe
 *
 * Return: bytes used, or a reported negative errno.
 */
int acpi_build(uint8_t *buffer, uint64_t phys, const struct acpi_layout *layout);

#endif
