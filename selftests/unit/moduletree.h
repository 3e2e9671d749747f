/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A module tree of a made-up kernel, built with cc and depmod: objects that need and export symbols
 * and have a .modinfo section, like modules.
 *
 *	DIR/lib/modules/VERSION/kernel/		virtio_blk (compressed) and virtio_net need
 *						virtio_ring, which needs virtio; ext4 wants
 *						crc32c first; virtio_rng is built in; xfs and
 *						btrfs need libcrc32c
 *	DIR/sigma/VERSION/sigma_guest.ko	depends on virtio and virtio_ring
 *	DIR/sigma/damaged/VERSION/sigma_guest.ko	its first 300 bytes
 *	DIR/sigma/signed/VERSION/sigma_guest.ko	the first one with a mark of a signature
 *	DIR/sigma/alone/VERSION/sigma_guest.ko	depends on nothing
 *	DIR/dkms/lib/modules/VERSION	the first one with it, as DKMS lays it out
 *	DIR/sigma/guest-init, sigma-agent
 */
#ifndef SIGMA_TEST_MODULETREE_H
#define SIGMA_TEST_MODULETREE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define TREE_VERSION	"9.9.9-test"

static const char moduletree_script[] =
	"exec >/dev/null 2>&1; set -e; version=$1; cd \"$0\"\n"
	"tree=lib/modules/$version; mkdir -p $tree/kernel sigma/$version\n"
	/* NAME NEEDED-MODULE EXTRA-MODINFO */
	"module() {\n"
	"	{ echo '#define INFO(n, t) const char n[] __attribute__((section(\".modinfo\"))) = t;'\n"
	"	  echo 'INFO(a, \"license=GPL\") INFO(b, \"name='$1'\")'\n"
	"	  echo \"INFO(c, \\\"vermagic=${4:-$version} SMP\\\") INFO(d, \\\"$3\\\")\"\n"
	"	  echo \"const char e[] __attribute__((section(\\\"__ksymtab_strings\\\"))) = \\\"$1_symbol\\\";\"\n"
	"	  echo \"int $1_symbol = 1;\"\n"
	"	  [ -z \"$2\" ] || echo \"extern int $2_symbol; int *$1_user = &$2_symbol;\"\n"
	"	} | cc -c -x c -o $tree/kernel/$1.ko -\n"
	"}\n"
	"module virtio '' x=x; module virtio_ring virtio x=x; module virtio_blk virtio_ring x=x\n"
	"module virtio_net virtio_ring x=x; module crc32c_a '' alias=crc32c\n"
	"module ext4 '' 'softdep=pre: crc32c'\n"
	"module libcrc32c '' x=x; module xfs libcrc32c alias=fs-xfs\n"
	"module btrfs libcrc32c alias=fs-btrfs; xz $tree/kernel/virtio_blk.ko\n"
	"echo kernel/virtio_rng.ko >$tree/modules.builtin; : >$tree/modules.order\n"
	"depmod -b . $version\n"
	"module sigma_guest virtio_ring depends=virtio,virtio_ring\n"
	"mv $tree/kernel/sigma_guest.ko sigma/$version\n"
	"mkdir -p dkms/$tree; cp -r $tree dkms/lib/modules; mkdir -p dkms/$tree/updates/dkms\n"
	"cp sigma/$version/sigma_guest.ko dkms/$tree/updates/dkms; depmod -b dkms $version\n"
	"mkdir -p sigma/other sigma/damaged/$version sigma/signed/$version sigma/alone/$version\n"
	"{ cat sigma/$version/sigma_guest.ko; echo '~Module signature appended~'; } \\\n"
	"	>sigma/signed/$version/sigma_guest.ko\n"
	"module sigma_guest '' depends=; mv $tree/kernel/sigma_guest.ko sigma/alone/$version\n"
	"head -c 300 sigma/$version/sigma_guest.ko >sigma/damaged/$version/sigma_guest.ko\n"
	"module sigma_guest '' depends=virtio 1.2.3; mv $tree/kernel/sigma_guest.ko sigma/other\n"
	"echo 'I am init' >sigma/guest-init\n"
	"echo 'I am the agent' >sigma/sigma-agent\n";

/** moduletree_make - fill the folder @dir. Return: false when the machine lacks the tools. */
static inline bool moduletree_make(const char *dir, const char *version)
{
	char *command;
	int status;

	setenv("MODULETREE_SCRIPT", moduletree_script, 1);
	if (asprintf(&command, "sh -c \"$MODULETREE_SCRIPT\" '%s' '%s'", dir, version) < 0)
		return false;
	status = system(command);
	free(command);
	return !status;
}

static inline void moduletree_remove(const char *dir)
{
	char *command;

	if (asprintf(&command, "rm -rf '%s'", dir) < 0)
		return;
	if (system(command))
		perror(dir);
	free(command);
}

#endif
