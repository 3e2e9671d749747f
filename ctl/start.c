// SPDX-License-Identifier: GPL-2.0
/* sigmactl start. */
#include "ctl.h"
#include "sample.h"

static int run(const struct options *options, char **args)
{
	char name[SIGMA_NAME_MAX], size[32];
	struct guest_view view;
	pid_t pid;
	int status;

	status = sigmad_begin(args[0], name, &pid, NULL);
	if (!status && !guest_view(&view, name))
		printf("%s: started on cpu %s with %s\n", name, view.cpus,
		       text_size(size, view.memory));
	return status;
}

const struct verb verb_start = {
	.name = "start",
	.args = "NAME|FILE",
	.summary = "Start a guest in the background",
	.help =
"NAME means /etc/sigma/NAME.guest; anything with a '/' in it is a file of that kind. The\n"
"guest's CPUs and memory are taken from the host now, its kernel is loaded and started.\n"
"On any mistake in the file nothing is taken. It returns when the guest's CPU has begun;\n"
"'sigmactl wait --state=running NAME' waits until the guest's driver is up. Ctrl-C before it\n"
"returns gives everything back. On a terminal it says meanwhile what takes so long, and how much\n"
"memory there is so far.\n"
"\n"
"Only root starts guests. The group sigma may use those that run.\n"
"\n"
"A guest file, all of it optional, as it can be pasted:\n"
"\n"
GUESTFILE_SAMPLE
"\n"
"Examples:\n"
"  sigmactl start demo\n"
"  sigmactl start ./try.guest\n",
	.nr_args = 1,
	.run = run,
};
