// SPDX-License-Identifier: GPL-2.0
/* sigmactl reload. sigmad reads the guest file, and tells what has become of each difference. */
#include <errno.h>
#include <string.h>

#include "../common/busnames.h"
#include "ctl.h"

#define TIMEOUT		(30 * USEC_PER_SEC)

static int print_lines(const char *name, sd_bus_message *reply)
{
	bool any = false;
	const char *line;
	int ret = sd_bus_message_enter_container(reply, 'a', "s");

	while (ret >= 0) {
		ret = sd_bus_message_read(reply, "s", &line);
		if (ret <= 0)
			break;
		printf("%s: %s\n", name, line);
		any = true;
	}
	if (!any && ret >= 0)
		printf("%s: is as its guest file says\n", name);
	return ret;
}

static int run(const struct options *options, char **args)
{
	uint64_t deadline = clock_deadline(TIMEOUT);
	sd_bus_error why = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	const char *name = args[0];
	int status, error;
	sd_bus *bus;

	status = guest_check(name);
	if (status)
		return status;
	error = client_open(&bus, name, deadline);
	if (error)
		return client_complain(EXIT_FAILED, name, error);
	error = sd_bus_call_method(bus, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, "Reload", &why,
				   &reply, NULL);
	if (error >= 0)
		error = print_lines(name, reply);
	if (error < 0)
		status = client_failed(EXIT_FAILED, bus, name, error, &why);
	sd_bus_error_free(&why);
	sd_bus_message_unref(reply);
	sd_bus_close_unref(bus);
	return status;
}

DEFINE_VERB(reload) = {
	.name = "reload",
	.args = "NAME",
	.summary = "Read a guest's file again, and change what can be changed",
	.help =
"Disks, NICs and shares that are new in the guest file are added, and those that are not in it any\n"
"more are removed, once the guest has released them. Devices that were added by 'sigmactl disk',\n"
"'net' and 'share' stay. For each other difference a line says that it takes effect when the guest\n"
"is stopped and started. A mistake in the file changes nothing.\n"
"\n"
"'systemctl reload sigma@NAME' does the same; its journal has the lines.\n"
"\n"
"Examples:\n"
"  sigmactl edit demo && sigmactl reload demo\n",
	.nr_args = 1,
	.run = run,
};
