// SPDX-License-Identifier: GPL-2.0
/*
 * A root that is a share: with rootfstype=virtiofs, root= is the tag of a share.
 *
 * With sigma.overlay the share is the lower layer of an overlay file system, and the upper layer is
 * in memory. The share is then mounted read-only, and what the guest writes ends with it. The
 * overlay keeps both layers mounted, so nothing else needs to find them.
 */
#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "init.h"

#define LOWER		"/lower"
#define UPPER		"/upper"
#define OVERLAY_OPTIONS	"lowerdir=" LOWER ",upperdir=" UPPER "/data,workdir=" UPPER "/work"

/* The share, where it is to be mounted, and what the last attempt returned */
struct share_root {
	const struct cmdline *cmdline;
	const char *at;
	int err;
};

static bool mount_share(void *data)
{
	struct share_root *share = data;
	const struct cmdline *cmdline = share->cmdline;
	const bool read_only = cmdline->read_only || cmdline->overlay;

	share->err = mount(cmdline->root, share->at, VIRTIOFS,
			   MS_SILENT | (read_only ? MS_RDONLY : 0), cmdline->flags) ? -errno : 0;
	/* EINVAL: there is no share with this tag, or not yet */
	return share->err != -EINVAL;
}

static int mount_overlay(const struct cmdline *cmdline)
{
	int err = 0;

	init_load_list("overlay", cmdline);
	mkdir(UPPER, 0755);
	if (mount("tmpfs", UPPER, "tmpfs", MS_SILENT, "mode=755") ||
	    mkdir(UPPER "/data", 0755) || mkdir(UPPER "/work", 0755) ||
	    mount("overlay", NEWROOT, "overlay", MS_SILENT, OVERLAY_OPTIONS))
		err = -errno;
	umount2(UPPER, MNT_DETACH);
	umount2(LOWER, MNT_DETACH);
	if (err)
		init_say(LEVEL_ERROR, "cannot mount an overlay on the root: %s; this kernel needs CONFIG_OVERLAY_FS and CONFIG_TMPFS_XATTR",
			 strerror(-err));
	return err;
}

int share_mount_root(const struct cmdline *cmdline)
{
	struct share_root share = { .cmdline = cmdline, .at = cmdline->overlay ? LOWER : NEWROOT };

	if (!cmdline->root) {
		init_say(LEVEL_ERROR, "the command line has rootfstype=virtiofs, but no root=; name the tag of the share, as in root=TAG");
		return -EINVAL;
	}
	if (init_need_driver(VIRTIOFS, "CONFIG_VIRTIO_FS"))
		return -ENODEV;
	mkdir(share.at, 0755);
	root_wait(mount_share, &share, cmdline->root_timeout);
	if (share.err) {
		init_say(LEVEL_ERROR, "root=%s: cannot mount this share: %s; does the guest file have a [Share] with Tag=%s, and is sigmad running?",
			 cmdline->root, share.err == -EINVAL ? "there is none" :
			 strerror(-share.err), cmdline->root);
		return share.err;
	}
	readahead_set(cmdline, share.at);
	if (cmdline->overlay)
		share.err = mount_overlay(cmdline);
	if (!share.err)
		init_say(LEVEL_INFO, "root file system is the share %s%s", cmdline->root,
			 cmdline->overlay ? ", below an overlay in memory" : "");
	return share.err;
}
