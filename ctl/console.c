// SPDX-License-Identifier: GPL-2.0
/* sigmactl console. */
#include <unistd.h>

#include "ctl.h"

static int run(const struct options *options, char **args)
{
	int console, status = guest_check(args[0]);

	if (status)
		return status;
	console = terminal_open(args[0]);
	if (console < 0)
		return EXIT_FAILED;
	terminal_talk(args[0], console, options->escape, NULL);
	close(console);
	return EXIT_OK;
}

DEFINE_VERB(console) = {
	.name = "console",
	.args = "NAME",
	.summary = "Connect this terminal to a guest's console",
	.help =
"The console is hvc0 in the guest. Ctrl-] leaves it, and the guest goes on. One person at a time\n"
"can be connected.\n"
"\n"
ESCAPE_HELP
"\n"
"The input need not be a terminal. Then all of it goes to the guest, whatever it contains, and its\n"
"end ends the connection.\n"
"\n"
"Examples:\n"
"  sigmactl console demo\n"
"  sigmactl console --escape=^A demo             Ctrl-] goes to the guest, and Ctrl-A leaves\n"
"  (echo uname -r; sleep 1) | sigmactl console demo\n",
	.accepts = OPT_ESCAPE,
	.nr_args = 1,
	.run = run,
};
