// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of 'sigmactl check': is SIGMA installed for the running kernel, and does the kernel accept
 * the signature of sigma.ko?
 */
#include <errno.h>
#include <fcntl.h>
#include <libkmod.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../common/parse.h"
#include "../common/versions.h"
#include "finding.h"
#include "installed.h"

#define GUEST_MODULE	"sigma_guest"

#define SECURE_BOOT \
	"/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

/* Find a module as modprobe does, to be unreferenced; NULL if the running kernel has none */
static struct kmod_module *find_module(struct kmod_ctx *ctx, const char *name)
{
	struct kmod_module *module = NULL;
	struct kmod_list *list = NULL;

	if (ctx && !kmod_module_new_from_lookup(ctx, name, &list) && list)
		module = kmod_module_get_module(list);
	kmod_module_unref_list(list);
	return module;
}

static bool is_installed(const char *name)
{
	struct kmod_ctx *ctx = kmod_new(NULL, NULL);
	struct kmod_module *module = find_module(ctx, name);
	bool installed = module;

	kmod_module_unref(module);
	kmod_unref(ctx);
	return installed;
}

void installed_module(void)
{
	char why[VERSIONS_TEXT_MAX];
	struct utsname uts;

	if (!access("/sys/module/sigma", F_OK)) {
		if (versions_fit(VERSIONS_MODULE, "sigmactl", why))
			found("module", RESULT_OK, NULL, "sigma.ko is loaded");
		else
			found("module", RESULT_WARN, VERSIONS_REMEDY, "%s", why);
		return;
	}
	uname(&uts);
	if (is_installed("sigma"))
		found("module", RESULT_WARN, "as root: modprobe sigma",
		      "sigma.ko is installed for kernel %s but not loaded", uts.release);
	else
		found("module", RESULT_FAIL,
		      "install the package sigma-dkms and the kernel's headers, or build it (make && make install); then: modprobe sigma",
		      "there is no sigma.ko for the running kernel %s", uts.release);
}

void installed_initrd(void)
{
	const char *dir = getenv("SIGMA_LIBDIR");
	char path[PATH_MAX];
	struct utsname uts;

	uname(&uts);
	if (!dir || !*dir)
		dir = SIGMA_LIBDIR;

	snprintf(path, sizeof(path), "%s/guest-init", dir);
	if (access(path, R_OK))
		found("guest-init", RESULT_FAIL, "install SIGMA again, or set Initrd= in the guest file",
		      "%s, the first program of guests, cannot be read: %s", path,
		      strerror(errno));
	else
		found("guest-init", RESULT_OK, NULL, "guests begin with %s", path);

	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep.bin", uts.release);
	if (access(path, R_OK)) {
		found("drivers", RESULT_WARN,
		      "as root: depmod; or set Kernel= and Modules= in the guest file",
		      "%s, where the drivers of guests are looked up, cannot be read: %s", path,
		      strerror(errno));
		return;
	}

	snprintf(path, sizeof(path), "%s/%s/" GUEST_MODULE ".ko", dir, uts.release);
	if (!access(path, R_OK) || is_installed(GUEST_MODULE))
		found("drivers", RESULT_OK, NULL,
		      "there is a " GUEST_MODULE ".ko for guests of kernel %s", uts.release);
	else
		found("drivers", RESULT_WARN,
		      "install the package sigma-dkms and the kernel's headers, or build it (make && make install); or set Kernel= to one that has it",
		      "there is neither %s nor another " GUEST_MODULE ".ko for the running kernel",
		      path);
}

/*
 * The file with the certificate of DKMS's signing key, or NULL. The first row is for DKMS since
 * 3.0, the second one for Ubuntu.
 */
static const char *find_certificate(const char *signer)
{
	static const struct {
		const char *signer, *path;
	} known[] = {
		{ "DKMS module signing key", "/var/lib/dkms/mok.pub" },
		{ "Secure Boot Module Signature key", "/var/lib/shim-signed/mok/MOK.der" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strstr(signer, known[i].signer) && !access(known[i].path, F_OK))
			return known[i].path;
	return NULL;
}

static bool secure_boot_is_on(void)
{
	char variable[5];
	ssize_t len = -1;
	int fd;

	fd = open(SECURE_BOOT, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		/* four bytes of attributes, then the variable; 1 means on (UEFI 2.10, 3.3) */
		len = read(fd, variable, sizeof(variable));
		close(fd);
	}
	return len == sizeof(variable) && variable[4] == 1;
}

/* Does the kernel reject modules without a signature? @why: out: the reason, @size bytes */
static bool needs_signature(char *why, size_t size)
{
	char text[128];

	parse_first_line(text, sizeof(text), "/sys/kernel/security/lockdown");
	if (strstr(text, "[integrity]") || strstr(text, "[confidentiality]")) {
		snprintf(why, size, "the kernel is locked down%s",
			 secure_boot_is_on() ? " by Secure Boot" : "");
		return true;
	}
	snprintf(why, size, "module.sig_enforce is set");
	parse_first_line(text, sizeof(text), "/sys/module/module/parameters/sig_enforce");
	return *text == 'Y';
}

/* Does the kernel have the key "[ORGANIZATION: ]NAME"? Only root sees all keys */
static bool kernel_has_key(const char *name)
{
	FILE *file = fopen("/proc/keys", "re");
	char line[512], wanted[256];
	bool has = false;

	snprintf(wanted, sizeof(wanted), " %s: ", name);
	while (file && !has && fgets(line, sizeof(line), file))
		has = strstr(line, " asymmetri ") && strstr(line, wanted);
	if (file)
		fclose(file);
	return has;
}

/*
 * Find out who signed sigma.ko.
 * @signer: out: name of the key, @size bytes; "" if it is not known
 *
 * Return: 1: it is signed; 0: it is not; -ENOENT: there is no sigma.ko; another negative errno: it
 * can't be read.
 */
static int find_signer(char *signer, size_t size)
{
	struct kmod_ctx *ctx = kmod_new(NULL, NULL);
	struct kmod_module *module = find_module(ctx, "sigma");
	struct kmod_list *info = NULL, *at;
	int ret = -ENOENT;

	*signer = '\0';
	if (module)
		ret = kmod_module_get_info(module, &info);
	if (ret > 0)
		ret = 0;
	kmod_list_foreach(at, info) {
		const char *key = kmod_module_info_get_key(at);

		if (!strcmp(key, "sig_id"))
			ret = 1;
		if (!strcmp(key, "signer"))
			snprintf(signer, size, "%s", kmod_module_info_get_value(at));
	}
	kmod_module_info_free_list(info);
	kmod_module_unref(module);
	kmod_unref(ctx);
	return ret;
}

/* Will a kernel that rejects unsigned modules, because of @why, load the installed sigma.ko? */
static void check_signer(const char *why)
{
	char signer[128], remedy[256];
	int is_signed = find_signer(signer, sizeof(signer));

	if (is_signed == -ENOENT) {
		found("secureboot", RESULT_WARN, NULL, "%s: it takes signed modules only", why);
	} else if (is_signed < 0) {
		found("secureboot", RESULT_WARN, NULL,
		      "%s: cannot find out whether sigma.ko is signed: %s", why,
		      strerror(-is_signed));
	} else if (!is_signed) {
		found("secureboot", RESULT_FAIL,
		      "install the package sigma-dkms, since DKMS signs what it builds; or sign it, with scripts/sign-file of the kernel's headers",
		      "%s: it takes signed modules only, and sigma.ko has no signature", why);
	} else if (!*signer) {
		found("secureboot", RESULT_WARN, "if the kernel rejects it, sign it with an enrolled key: mokutil --list-enrolled",
		      "%s: it takes signed modules only, and the key that signed sigma.ko is not known",
		      why);
	} else if (kernel_has_key(signer)) {
		found("secureboot", RESULT_OK, NULL,
		      "%s, and has the key that sigma.ko is signed with, '%s'", why, signer);
	} else if (geteuid()) {
		found("secureboot", RESULT_WARN, "be root, and check again",
		      "%s: whether it has the key that sigma.ko is signed with, '%s', only root can see",
		      why, signer);
	} else {
		snprintf(remedy, sizeof(remedy),
			 "as root: mokutil --import %s; then restart, and choose 'Enroll MOK' in the menu that comes before the system",
			 find_certificate(signer) ?: "CERTIFICATE, that of the key");
		found("secureboot", RESULT_FAIL, remedy,
		      "%s, and does not have the key that sigma.ko is signed with, '%s'", why,
		      signer);
	}
}

void installed_signature(void)
{
	char why[64];

	if (!needs_signature(why, sizeof(why)))
		found("secureboot", RESULT_OK, NULL,
		      "Secure Boot is %s: this kernel takes modules without a signature",
		      secure_boot_is_on() ? "on, but not in force" : "off, or there is none");
	else if (!access("/sys/module/sigma", F_OK))
		found("secureboot", RESULT_OK, NULL, "%s, and accepted the signature of sigma.ko", why);
	else
		check_signer(why);
}
