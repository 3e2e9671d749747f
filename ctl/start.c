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

	status = sigmad_begin(args[0], name, NULL, &pid, NULL);
	if (!status && !guest_view(&view, name))
		printf("%s: started on cpu %s with %s\n", name, view.cpus,
		       text_size(size, view.memory));
	return status;
}

DEFINE_VERB(start) = {
	.name = "start",
	.args = "NAME|FILE",
	.summary = "Start a guest in the background",
	.help =
"NAME means /etc/sigma/NAME.guest. An argument with a '/' in it is the path of a guest file. The\n"
"host lends the guest's CPUs and memory now, and the guest's kernel is loaded and started. If the\n"
"file has a mistake, nothing is lent. The command returns when the guest's CPU has begun;\n"
"'sigmactl wait --state=running NAME' waits until the guest's driver is up. Ctrl-C before that\n"
"gives everything back. On a terminal, a slow start shows what it is doing, and how much memory\n"
"the guest has so far.\n"
"\n"
"Only root starts guests of a file. The group sigma may use guests that run.\n"
"\n"
"A guest file, which can be pasted as it is. All keys are optional:\n"
"\n"
GUESTFILE_SAMPLE
"\n"
"Examples:\n"
"  sigmactl start demo\n"
"  sigmactl start ./try.guest\n",
	.nr_args = 1,
	.run = run,
};
