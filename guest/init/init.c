// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's first program: loads the modules that sigmad packed beside it, mounts the root
 * file system that the command line names, and becomes that system's init.
 *
 *	1. /dev, /proc, /sys
 *	2. the modules in /modules.load, one path a line, in this order
 *	3. wait for root=, load the modules in /modules.TYPE, if there are any for the type of its
 *	   file system, mount it at /newroot
 *	4. give the NICs in /network their addresses
 *	5. free the initrd's memory, make /newroot the root
 *	6. mount sigmad's share of the kernel's modules, if the root has none of them
 *	7. start the agent, by which the host runs programs in this guest (guest/agent/)
 *	8. start the root's init; with sigma.run, the system of system.c is in place of 7 and 8
 *
 * It reports through the kernel's log, which sigma_guest.ko writes to shared memory for the host.
 * When it cannot go on, it logs the reason and exits. The kernel then panics ("Attempted to kill
 * init!"), and sigma_guest.ko reports the end of this guest to the host. Without that module a
 * panic of a guest without a guard may reset the machine, so this program then does not end.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/magic.h>
#include <linux/module.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "init.h"

#define MODULES_LIST	"/modules."	/* "load", or the type of a file system */
#define AGENT		"/sigma-agent"
#define CONSOLE		"/dev/console"
#define CONSOLE_TIMEOUT	2	/* seconds; the console is added together with the disk */
#define NFTW_FDS	16
#define GUEST_DRIVER	"/sys/bus/platform/drivers/sigma_guest"
#define GUEST_MODULE	"sigma_guest.ko"
#define VIRTIO_DRIVERS	"/sys/bus/virtio/drivers/"
#define MODULES_FOLDER	"/lib/modules"

static int kmsg = -1;
static const char *driver_error = "the lines above say why";	/* that GUEST_MODULE does not work */

void init_say(int level, const char *fmt, ...)
{
	char text[512];
	va_list args;
	int len;

	len = snprintf(text, sizeof(text), "<%d>sigma-init: ", level);
	va_start(args, fmt);
	len += vsnprintf(text + len, sizeof(text) - len, fmt, args);
	va_end(args);
	if (len >= (int)sizeof(text))
		len = sizeof(text) - 1;
	/* One write is one record. A failure cannot be reported anywhere */
	if (write(kmsg, text, len) != len)
		return;
}

/* Return: 0, also when it is mounted already, or -errno */
static int mount_kernel_fs(const char *type, const char *at)
{
	mkdir(at, 0755);
	if (mount(type, at, type, MS_NOSUID, NULL) && errno != EBUSY)
		return -errno;
	return 0;
}

static int mount_all(void)
{
	static const struct {
		const char *type, *at;
	} mounts[] = { { "devtmpfs", "/dev" }, { "proc", "/proc" }, { "sysfs", "/sys" } };

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		int err = mount_kernel_fs(mounts[i].type, mounts[i].at);

		if (kmsg < 0)
			kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
		if (err) {
			init_say(LEVEL_ERROR, "cannot mount %s on %s: %s", mounts[i].type,
				 mounts[i].at, strerror(-err));
			return err;
		}
	}
	return 0;
}

static int read_cmdline(struct cmdline *cmdline)
{
	ssize_t len = file_read("/proc/cmdline", cmdline->text, sizeof(cmdline->text));

	if (len < 0)
		return len;
	cmdline_parse(cmdline);
	return 0;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && !strcmp(text + len - end_len, end);
}

/*
 * Why the kernel refuses the module, and what to do; NULL: the error says enough. With the words
 * before it, it is not longer than what sigmad reads (SIGMA_PANIC_MAX).
 */
static const char *why_no_modules(int error)
{
	switch (error) {
	case ENOSYS:
		return "this kernel loads no modules; build it with CONFIG_MODULES=y";
	case EKEYREJECTED:
	case ENOKEY:
		return "this kernel loads signed modules only (module.sig_enforce=1, CONFIG_MODULE_SIG_FORCE=y); sign it with a key that the kernel knows";
	case EPERM:
		return "this kernel forbids it: it is not signed and the kernel is locked down, or module_blacklist= names it; sign it, or change the word";
	case ENOENT:
		return "this kernel lacks functions that the module needs; build it with CONFIG_VIRTIO=y";
	default:
		return NULL;
	}
}

/* EEXIST is no error: the module is loaded already, or built in */
static void load_module(const char *path, const struct cmdline *cmdline)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int flags = ends_with(path, ".ko") ? 0 : MODULE_INIT_COMPRESSED_FILE;
	char parameters[CMDLINE_MAX];
	const char *why;

	cmdline_parameters(cmdline, path, parameters);
	if (fd < 0) {
		init_say(LEVEL_ERROR, "cannot open module %s: %s", path, strerror(errno));
		return;
	}
	if (syscall(SYS_finit_module, fd, parameters, flags) && errno != EEXIST) {
		why = why_no_modules(errno);
		init_say(LEVEL_ERROR, "cannot load module %s: %s", path, why ?: strerror(errno));
		if (ends_with(path, "/" GUEST_MODULE))
			driver_error = why ?: strerror(errno);
	}
	close(fd);
}

void init_load_list(const char *name, const struct cmdline *cmdline)
{
	size_t size = 0;
	char path[64], *line = NULL;
	FILE *list;

	snprintf(path, sizeof(path), MODULES_LIST "%s", name);
	list = fopen(path, "re");
	if (!list)
		return;
	while (getline(&line, &size, list) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0])
			load_module(line, cmdline);
	}
	free(line);
	fclose(list);
}

/* Nothing stops a reset of the machine before sigma_guest.ko is bound: see guest/power.c */
static bool is_safe(void)
{
	DIR *driver = opendir(GUEST_DRIVER);
	const struct dirent *entry;
	bool bound = false;

	/* The link to the ACPI device that the driver is bound to is the only name with a colon */
	while (driver && !bound && (entry = readdir(driver)))
		bound = strchr(entry->d_name, ':');
	if (driver)
		closedir(driver);
	return bound;
}

/*
 * panic=0 of the command line may have been changed by sysctl.kernel.panic=, which the kernel
 * obeys before it starts this program
 */
static void forbid_reset(void)
{
	int fd = open("/proc/sys/kernel/panic", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "0", 1) != 1)
		init_say(LEVEL_WARNING, "cannot set kernel.panic to 0: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* The last words were logged. Return the exit status, if this program may end. */
static int give_up(void)
{
	if (is_safe())
		return EXIT_FAILURE;
	/* daemon/bootlog.c finds the first line in this guest's memory, once another one follows */
	init_say(LEVEL_ERROR, "gives up: " GUEST_MODULE " does not work: %s", driver_error);
	init_say(LEVEL_ERROR, "without " GUEST_MODULE " this guest cannot report its end, and stops here; sigmactl stop ends it");
	for (;;)
		pause();
}

/* Try one type, and again read-only if the device is write-protected, as mount(8) does */
static int mount_root_as(const char *device, const char *type, const struct cmdline *cmdline)
{
	unsigned long flags = MS_SILENT | (cmdline->read_only ? MS_RDONLY : 0);

	if (!mount(device, NEWROOT, type, flags, cmdline->flags))
		return 0;
	if ((errno == EACCES || errno == EROFS) && !(flags & MS_RDONLY)) {
		init_say(LEVEL_WARNING, "%s takes no writes, mounting it read-only", device);
		if (!mount(device, NEWROOT, type, flags | MS_RDONLY, cmdline->flags))
			return 0;
	}
	return -errno;
}

/* Try @list, types as rootfstype= has them */
static int mount_root_given(const char *device, const char *list, const struct cmdline *cmdline)
{
	char types[CMDLINE_MAX], *rest = types, *type;
	int err = -EINVAL;

	snprintf(types, sizeof(types), "%s", list);
	while (err && (type = strsep(&rest, ","))) {
		init_load_list(type, cmdline);
		err = mount_root_as(device, type, cmdline);
	}
	return err;
}

/* Try every type that the kernel mounts from a device */
static int mount_root_any(const char *device, const struct cmdline *cmdline)
{
	FILE *types = fopen("/proc/filesystems", "re");
	char *line = NULL;
	size_t size = 0;
	int err = -EINVAL;

	if (!types)
		return -errno;
	/* EINVAL: not a file system of this type */
	while ((err == -ENODEV || err == -EINVAL) && getline(&line, &size, types) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '\t')
			err = mount_root_as(device, line + 1, cmdline);
	}
	free(line);
	fclose(types);
	return err;
}

int init_need_driver(const char *name, const char *option)
{
	char path[64];

	snprintf(path, sizeof(path), VIRTIO_DRIVERS "%s", name);
	if (!access(path, F_OK))
		return 0;
	init_say(LEVEL_ERROR, "this kernel has no driver %s for the root file system; build it with %s=y, or with %s=m and install its modules",
		 name, option, option);
	return -ENODEV;
}

static void say_no_device(const struct root_device *root, unsigned int seconds)
{
	if (!strcmp(root->spec, ROOT_AUTO))
		init_say(LEVEL_ERROR, "the command line has no root=, and after %u seconds no disk has a partition with the type of an x86-64 root; name the root disk, as in root=/dev/vda",
			 seconds);
	else
		init_say(LEVEL_ERROR, "root=%s: no such device after %u seconds; does the guest file name the disk, and is sigmad running? LVM, RAID and encrypted disks need the distribution's own Initrd=",
			 root->spec, seconds);
}

static int mount_root(const struct cmdline *cmdline)
{
	struct root_device root = { .spec = cmdline->root ?: ROOT_AUTO };
	const char *type;
	int err;

	mkdir(NEWROOT, 0755);
	if (cmdline->fstype && !strcmp(cmdline->fstype, VIRTIOFS))
		return share_mount_root(cmdline);
	if (!root_spec_valid(root.spec)) {
		init_say(LEVEL_ERROR, "root=%s: not understood; write /dev/NAME, PARTUUID=, PARTLABEL=, or UUID= or LABEL= of an ext4, xfs or btrfs file system",
			 root.spec);
		return -EINVAL;
	}
	if (init_need_driver("virtio_blk", "CONFIG_VIRTIO_BLK"))
		return -ENODEV;
	if (!root_wait(root_find, &root, cmdline->root_timeout)) {
		say_no_device(&root, cmdline->root_timeout);
		return -ENODEV;
	}

	type = cmdline->fstype ?: root_type(&root);
	err = type ? mount_root_given(root.path, type, cmdline) :
		     mount_root_any(root.path, cmdline);
	if (err)
		init_say(LEVEL_ERROR, "root=%s: cannot mount %s as %s with options \"%s\": %s%s%s",
			 root.spec, root.path, type ?: "any type the kernel knows",
			 cmdline->flags ?: "", strerror(-err),
			 err == -ENODEV ? "; this kernel has no driver for it (CONFIG_XFS_FS for xfs, and so on)" : "",
			 type ? "" : "; it has no ext4, xfs or btrfs file system");
	else
		init_say(LEVEL_INFO, "root file system is on %s", root.path);
	return err;
}

static bool open_console(void *fd)
{
	*(int *)fd = open(CONSOLE, O_RDWR | O_NOCTTY);
	return *(int *)fd >= 0;
}

/*
 * The kernel opened /dev/console for this program before any module could add a console, so that
 * may have failed.
 */
static void take_console(void)
{
	int fd;

	if (!root_wait(open_console, &fd, CONSOLE_TIMEOUT)) {
		init_say(LEVEL_WARNING, "no " CONSOLE " for init: %s", strerror(errno));
		fd = open("/dev/null", O_RDWR);
	}
	for (int std = STDIN_FILENO; fd >= 0 && std <= STDERR_FILENO; std++)
		dup2(fd, std);
	if (fd > STDERR_FILENO)
		close(fd);
}

static int free_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	if (!ftw->level)
		return 0;
	if (type == FTW_DP)
		rmdir(path);
	else
		unlink(path);
	return 0;
}

/* The initrd's files occupy memory, and are not reachable after the switch, so delete them */
static void free_initrd(void)
{
	struct statfs fs;

	if (!statfs("/", &fs) && (fs.f_type == RAMFS_MAGIC || fs.f_type == TMPFS_MAGIC))
		nftw("/", free_entry, NFTW_FDS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static int switch_root(void)
{
	static const char *const mounts[] = { "/dev", "/proc", "/sys" };

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		char target[32];

		snprintf(target, sizeof(target), NEWROOT "%s", mounts[i]);
		if (mount(mounts[i], target, NULL, MS_MOVE, NULL)) {
			init_say(LEVEL_WARNING, "cannot move %s to the root file system: %s",
				 mounts[i], strerror(errno));
			umount2(mounts[i], MNT_DETACH);
		}
	}

	if (chdir(NEWROOT))
		return -errno;
	free_initrd();
	if (mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		return -errno;
	return 0;
}

/* A share, where it is mounted, and what the last attempt returned */
struct modules_share {
	const char *tag, *path;
	int err;
};

static bool mount_modules_at(void *data)
{
	struct modules_share *share = data;

	share->err = mount(share->tag, share->path, VIRTIOFS, MS_SILENT | MS_RDONLY | MS_NODEV, NULL) ?
		-errno : 0;
	/* EINVAL: the share is not there yet */
	return share->err != -EINVAL;
}

/*
 * A root that is read-only cannot get the folder of this kernel. Those of other kernels, which a
 * file system in memory then hides, are of no use here.
 */
static void make_modules_folder(const char *path)
{
	mkdir(MODULES_FOLDER, 0755);
	if (!mkdir(path, 0755) || errno == EEXIST)
		return;
	if (!mount("tmpfs", MODULES_FOLDER, "tmpfs", MS_SILENT | MS_NODEV, "mode=755,size=64k"))
		mkdir(path, 0755);
}

/* Give the root file system the modules of this kernel, if it has none of them */
static void mount_modules(const struct cmdline *cmdline)
{
	char path[128], index[160];
	struct modules_share share = { .tag = cmdline->modules, .path = path };
	struct utsname kernel;

	if (!share.tag || uname(&kernel))
		return;
	snprintf(path, sizeof(path), MODULES_FOLDER "/%s", kernel.release);
	snprintf(index, sizeof(index), "%s/modules.dep", path);
	if (!access(index, F_OK))
		return;
	make_modules_folder(path);
	root_wait(mount_modules_at, &share, cmdline->root_timeout);
	if (share.err)
		init_say(LEVEL_WARNING, "the root file system has no modules for this kernel, and those of the host cannot be mounted on %s: %s",
			 path, strerror(-share.err));
	else
		init_say(LEVEL_INFO, "the modules on %s are those of the host", path);
}

/* Returns only if no init could be started. Arguments after "--" are passed on. */
static void start_init(const struct cmdline *cmdline, char *argv[])
{
	static const char *const inits[] = { "/sbin/init", "/etc/init", "/bin/init", "/bin/sh" };

	if (cmdline->init) {
		argv[0] = (char *)cmdline->init;
		execv(cmdline->init, argv);
		init_say(LEVEL_ERROR, "init=%s: cannot start it: %s", cmdline->init,
			 strerror(errno));
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(inits); i++) {
		argv[0] = (char *)inits[i];
		execv(inits[i], argv);
		if (errno != ENOENT)
			init_say(LEVEL_WARNING, "cannot start %s: %s", inits[i], strerror(errno));
	}
	init_say(LEVEL_ERROR, "the root file system has no init; name one with init=");
}

int main(int argc, char *argv[])
{
	static struct cmdline cmdline;
	int err, agent;

	(void)argc;
	if (getpid() != 1)
		return system_off();
	if (mount_all())
		return give_up();
	forbid_reset();
	err = read_cmdline(&cmdline);
	if (err) {
		init_say(LEVEL_ERROR, "cannot read /proc/cmdline: %s", strerror(-err));
		return give_up();
	}
	err = root_listen();
	if (err)
		init_say(LEVEL_WARNING, "no uevents, looking for devices from time to time: %s",
			 strerror(-err));

	init_load_list("load", &cmdline);
	/* Without it there are no devices, either */
	if (!is_safe() || mount_root(&cmdline))
		return give_up();
	take_console();
	network_start(cmdline.root_timeout);
	agent = open(AGENT, O_RDONLY | O_CLOEXEC);
	err = switch_root();
	if (err) {
		init_say(LEVEL_ERROR, "cannot switch to the root file system: %s", strerror(-err));
		return EXIT_FAILURE;	/* /sys is gone, and the module was bound */
	}
	network_servers();
	mount_modules(&cmdline);
	if (cmdline.run) {
		system_run(&cmdline, agent);
		return EXIT_FAILURE;
	}
	agent_start(agent, false);
	start_init(&cmdline, argv);
	return EXIT_FAILURE;
}
