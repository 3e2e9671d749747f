// SPDX-License-Identifier: GPL-2.0
/* sigmactl enable and disable. */
#include <string.h>

#include "ctl.h"

static int run(const char *verb, const char *name, bool needs_file)
{
	if (!guestfile_name_valid(name, strlen(name)))
		return guest_check(name);
	if (needs_file && !guest_has_file(name))
		return complain(EXIT_NO_GUEST, "%s: there is no " GUEST_FILES "/%s" GUEST_SUFFIX "; 'sigmactl edit %s' writes one",
				name, name, name);
	return systemctl(verb, "--", name, "without systemd, make the machine run 'sigmactl start' at boot");
}

static int run_enable(const struct options *options, char **args)
{
	return run("enable", args[0], true);
}

static int run_disable(const struct options *options, char **args)
{
	return run("disable", args[0], false);
}

DEFINE_VERB(enable) = {
	.name = "enable",
	.args = "NAME",
	.summary = "Make systemd start a guest when the machine boots",
	.help =
"The guest's unit is sigma@NAME.service. It is not started now: 'sigmactl start NAME' does that.\n"
"\n"
"Examples:\n"
"  sigmactl enable demo\n",
	.nr_args = 1,
	.run = run_enable,
};

DEFINE_VERB(disable) = {
	.name = "disable",
	.args = "NAME",
	.summary = "Undo 'enable'",
	.help =
"systemd no longer starts the guest when the machine boots. A guest that runs goes on: 'sigmactl\n"
"stop NAME' ends it.\n"
"\n"
"Examples:\n"
"  sigmactl disable demo\n",
	.nr_args = 1,
	.run = run_disable,
};
