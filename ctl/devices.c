// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl disk, net and share: hotplug and hot-unplug of devices, and disks that grow. sigmad
 * parses the keys as it parses those of a guest file. sigmactl prints sigmad's messages.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/busnames.h"
#include "../common/parse.h"
#include "ctl.h"
#include "json.h"

#define ADD_TIMEOUT	(30 * USEC_PER_SEC)	/* for sigmad */
#define RESIZE_TIMEOUT	ADD_TIMEOUT
#define REMOVE_TIMEOUT	(30 * USEC_PER_SEC)	/* for the guest */
#define KEYS_MAX	32

struct kind {
	const char *word;
	const char *add, *remove;	/* methods */
	bool has_path;			/* PATH may follow NAME */
	bool has_tag;			/* TAG may follow PATH */
	bool grows;
};

static const struct kind disks = { "disk", "AddDisk", "RemoveDisk", true, false, true };
static const struct kind nets = { "net", "AddNetwork", "RemoveNetwork", false, false, false };
static const struct kind shares = { "share", "AddShare", "RemoveShare", true, true, false };

/* Make a path absolute, since sigmad may have another working directory; 0 or a reported -errno */
static int make_absolute(char absolute[PATH_MAX], const char *path)
{
	char *folder = *path == '/' ? NULL : getcwd(NULL, 0);
	int len;

	if (!folder && *path != '/')
		return complain(-errno, "%s: cannot tell the working directory: %s", path,
				strerror(errno));
	while (!strncmp(path, "./", 2))
		path += 2;
	len = snprintf(absolute, PATH_MAX, "%s%s%s", folder ?: "", folder ? "/" : "", path);
	free(folder);
	return len < PATH_MAX ? 0 : complain(-ENAMETOOLONG, "%s: too long for a path", path);
}

static bool is_key(const char *arg)
{
	return *arg != '/' && *arg != '.' && strchr(arg, '=');
}

/* struct request - a method call to the sigmad of a guest */
struct request {
	const char *name;		/* of the guest */
	uint64_t deadline;
	sd_bus *bus;
	sd_bus_message *call, *reply;
};

static void request_end(struct request *request)
{
	sd_bus_message_unref(request->reply);
	sd_bus_message_unref(request->call);
	sd_bus_close_unref(request->bus);
}

static int cannot_ask(const struct request *request, int error)
{
	return complain(EXIT_FAILED, "%s: cannot ask its sigmad: %s", request->name,
			strerror(-error));
}

/* Return: EXIT_OK, and request_end() has to follow; or a reported exit status */
static int request_begin(struct request *request, const char *name, const char *method,
			 uint64_t timeout)
{
	int error;

	*request = (struct request){ .name = name, .deadline = clock_deadline(timeout) };
	error = client_open(&request->bus, name, request->deadline);
	if (error)
		return client_complain(EXIT_FAILED, name, error);
	error = sd_bus_message_new_method_call(request->bus, &request->call, NULL, SIGMA_BUS_OBJECT,
					       SIGMA_BUS_INTERFACE, method);
	if (error >= 0)
		return EXIT_OK;
	request_end(request);
	return cannot_ask(request, error);
}

/*
 * Send the call, and wait for the reply. @appended: what appending the arguments returned. Return:
 * an exit status; all errors but EXIT_TIMEOUT are reported.
 */
static int request_send(struct request *request, int appended)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int ret, status;

	if (appended < 0)
		return cannot_ask(request, appended);
	ret = sd_bus_call(request->bus, request->call, 0, &error, &request->reply);
	if (ret >= 0)
		return EXIT_OK;
	if (clock_now(CLOCK_MONOTONIC) >= request->deadline) {
		status = EXIT_TIMEOUT;
	} else if (sd_bus_is_open(request->bus) <= 0) {
		status = client_complain(EXIT_FAILED, request->name, -ECONNRESET);
	} else if (sd_bus_error_is_set(&error)) {
		status = client_refused(EXIT_FAILED, request->bus, request->name, &error);
	} else {
		status = cannot_ask(request, ret);
	}
	sd_bus_error_free(&error);
	return status;
}

static void print_added(const struct options *options, const struct kind *kind,
			const char *name, uint32_t id, const char *device)
{
	struct json_object *object;

	if (!(options->given & OPT_JSON)) {
		printf("%s: %s %" PRIu32 ": %s\n", name, kind->word, id, device);
		return;
	}
	object = json_object_new_object();
	json_add_number(object, "id", id);
	json_add_string(object, "kind", kind->word);
	json_add_string(object, "name", device);
	json_print(object);
}

static int send_add(const struct options *options, const struct kind *kind, const char *name,
		    char **keys)
{
	struct request request;
	const char *device;
	uint32_t id;
	int status;

	status = request_begin(&request, name, kind->add, ADD_TIMEOUT);
	if (status)
		return status;
	status = request_send(&request, sd_bus_message_append_strv(request.call, keys));
	if (status == EXIT_TIMEOUT)
		client_complain(status, name, -ETIMEDOUT);
	else if (!status && sd_bus_message_read(request.reply, "us", &id, &device) >= 0)
		print_added(options, kind, name, id, device);
	request_end(&request);
	return status;
}

/* Turn PATH, TAG and --read-only into keys ("Path=..."), and send them with the other keys */
static int add(const struct options *options, const struct kind *kind, const char *name,
	       char **args)
{
	char path[PATH_MAX], path_key[PATH_MAX + 8], tag_key[PATH_MAX + 8];
	char *keys[KEYS_MAX + 1] = {};
	unsigned int nr = 0;

	if (kind->has_path && *args && !is_key(*args)) {
		if (make_absolute(path, *args++))
			return EXIT_FAILED;
		snprintf(path_key, sizeof(path_key), "Path=%s", path);
		keys[nr++] = path_key;
		if (kind->has_tag && *args && !is_key(*args)) {
			snprintf(tag_key, sizeof(tag_key), "Tag=%s", *args++);
			keys[nr++] = tag_key;
		}
	}
	if (options->given & OPT_READ_ONLY)
		keys[nr++] = "ReadOnly=yes";
	for (; *args; args++) {
		if (nr == KEYS_MAX || !is_key(*args))
			return complain(EXIT_USAGE, "%s: no KEY=VALUE; see 'sigmactl %s --help'",
					*args, kind->word);
		keys[nr++] = *args;
	}
	if (!nr)
		return complain(EXIT_USAGE, "say which %s; see 'sigmactl %s --help'", kind->word,
				kind->word);
	return send_add(options, kind, name, keys);
}

static int send_remove(const struct kind *kind, const char *name, const char *device, bool force,
		       uint64_t timeout)
{
	struct request request;
	int status;

	status = request_begin(&request, name, kind->remove, timeout);
	if (status)
		return status;
	status = request_send(&request, sd_bus_message_append(request.call, "sb", device, force));
	request_end(&request);
	if (status == EXIT_TIMEOUT)
		complain(0, "%s: has not released %s in time; the unplug stays pending, as 'sigmactl status %s' shows",
			 name, device, name);
	return status;
}

/*
 * A path becomes absolute, as "add" makes it. A word without a slash may be a tag, a serial number
 * or an ID; for a disk it is a path if there is such a file. @path: room for it. Return: the device
 * as sigmad knows it, or NULL after an error that was reported.
 */
static const char *find_device(const struct kind *kind, const char *device, char path[PATH_MAX])
{
	if (!kind->has_path ||
	    (!strchr(device, '/') && (kind->has_tag || access(device, F_OK))))
		return device;
	return make_absolute(path, device) ? NULL : path;
}

static int remove_device(const struct options *options, const struct kind *kind,
			 const char *name, char **args)
{
	char path[PATH_MAX];
	const char *device;

	if (!args[0] || args[1])
		return complain(EXIT_USAGE, "say which %s, and no more; see 'sigmactl %s --help'",
				kind->word, kind->word);
	device = find_device(kind, args[0], path);
	if (!device)
		return EXIT_FAILED;
	return send_remove(kind, name, device, options->given & OPT_FORCE,
			   options->given & OPT_TIMEOUT ? options->timeout : REMOVE_TIMEOUT);
}

static void print_resized(const struct options *options, const char *name, const char *device,
			  uint64_t size)
{
	struct json_object *object;
	char text[32];

	if (!(options->given & OPT_JSON)) {
		printf("%s: %s: %s\n", name, device, text_size(text, size));
		return;
	}
	object = json_object_new_object();
	json_add_number(object, "bytes", size);
	json_print(object);
}

static int send_resize(const struct options *options, const char *name, const char *device,
		       uint64_t size)
{
	struct request request;
	int status;

	status = request_begin(&request, name, "ResizeDisk", RESIZE_TIMEOUT);
	if (status)
		return status;
	status = request_send(&request, sd_bus_message_append(request.call, "st", device, size));
	if (status == EXIT_TIMEOUT)
		client_complain(status, name, -ETIMEDOUT);
	else if (!status && sd_bus_message_read(request.reply, "t", &size) >= 0)
		print_resized(options, name, device, size);
	request_end(&request);
	return status;
}

static int resize(const struct options *options, const struct kind *kind, const char *name,
		  char **args)
{
	char path[PATH_MAX];
	const char *device;
	char *end;
	uint64_t size = 0;

	if (!args[0] || (args[1] && args[2]))
		return complain(EXIT_USAGE, "say which %s, and at most its new size; see 'sigmactl %s --help'",
				kind->word, kind->word);
	if (args[1] && (parse_size(args[1], &end, &size) || *end || !size || size > INT64_MAX))
		return complain(EXIT_USAGE, "%s: not the size of a disk; write it like 512M or 20G",
				args[1]);
	device = find_device(kind, args[0], path);
	return device ? send_resize(options, name, device, size) : EXIT_FAILED;
}

static const struct {
	const char *word;
	unsigned int accepts;
	int (*run)(const struct options *options, const struct kind *kind, const char *name,
		   char **args);
} actions[] = {
	{ "add", OPT_JSON | OPT_READ_ONLY, add },
	{ "rm", OPT_FORCE | OPT_TIMEOUT, remove_device },
	{ "resize", OPT_JSON, resize },		/* of a kind that grows */
};

#define NR_ACTIONS	(sizeof(actions) / sizeof(*actions))

static int run(const struct options *options, const struct kind *kind, char **args)
{
	size_t nr = kind->grows ? NR_ACTIONS : NR_ACTIONS - 1, i = 0;
	int status;

	while (i < nr && strcmp(args[0], actions[i].word))
		i++;
	if (i == nr)
		return complain(EXIT_USAGE, "%s %s: %s; see 'sigmactl %s --help'", kind->word,
				args[0], kind->grows ? "none of add, rm and resize" :
				"neither add nor rm", kind->word);
	if (options->given & (OPT_JSON | OPT_READ_ONLY | OPT_FORCE | OPT_TIMEOUT) &
	    ~actions[i].accepts)
		return complain(EXIT_USAGE, "%s %s takes no such option; see 'sigmactl %s --help'",
				kind->word, args[0], kind->word);
	status = guest_check(args[1]);
	return status ?: actions[i].run(options, kind, args[1], args + 2);
}

static int run_disk(const struct options *options, char **args)
{
	return run(options, &disks, args);
}

static int run_net(const struct options *options, char **args)
{
	return run(options, &nets, args);
}

static int run_share(const struct options *options, char **args)
{
	return run(options, &shares, args);
}

#define LIFETIME \
"A device that was added stays until it is removed or the guest is stopped, also when the guest\n" \
"restarts. Write it into the guest's file to have it at each start.\n"

DEFINE_VERB(disk) = {
	.name = "disk",
	.args = "add|rm|resize NAME ...",
	.summary = "Add a disk to a running guest, remove one, or let one grow",
	.help =
"  add NAME PATH [KEY=VALUE]...  PATH is a file or block device. KEYs are those of [Disk] in a\n"
"                                guest file: Format=, Backing=, DirectIO=, BlockSize=, Serial=;\n"
"                                or Socket= and no PATH\n"
"  rm NAME PATH|SERIAL|ID        'sigmactl status NAME' shows the IDs\n"
"  resize NAME PATH|SERIAL|ID [SIZE]\n"
"                                make the file or qcow2 image that large, like 20G, and show it;\n"
"                                without SIZE, the size that PATH has now\n"
"\n"
"A new disk appears in the guest a moment later, as the next free /dev/vdX and as\n"
"/dev/disk/by-id/virtio-SERIAL. 'add' prints its ID.\n"
"\n"
"'rm' asks the guest to release the disk. When it returns, all data are in PATH, and other\n"
"programs may use it. A disk that is mounted or otherwise open in the guest is removed with\n"
"--force only: the guest then writes its cached data, and later accesses get I/O errors. If the\n"
"guest does not release the disk before the timeout (30 s), the unplug stays pending.\n"
"\n"
"A disk only grows. Make a block device larger by its own tool, such as lvextend, and a disk with\n"
"Socket= by the program that serves it. The guest sees by itself what other programs of this machine\n"
"have made larger. In the guest, growpart or resize2fs puts the new space to use.\n"
"\n"
LIFETIME
"\n"
"Examples:\n"
"  sigmactl disk add demo /srv/data.img Serial=data\n"
"  sigmactl disk add demo --read-only /dev/sdb\n"
"  sigmactl disk resize demo /srv/data.img 20G\n"
"  sigmactl disk rm demo /srv/data.img\n",
	.accepts = OPT_JSON | OPT_READ_ONLY | OPT_FORCE | OPT_TIMEOUT,
	.nr_args = 2,
	.more_args = true,
	.run = run_disk,
};

DEFINE_VERB(net) = {
	.name = "net",
	.args = "add|rm NAME ...",
	.summary = "Add a NIC to a running guest, or remove one",
	.help =
"  add NAME KEY=VALUE...  KEYs are those of [Network] in a guest file: Bridge=, Address= or\n"
"                         User=yes with Forward=; MACAddress=, MTU=, VHost=\n"
"  rm NAME INTERFACE|ID   'sigmactl status NAME' shows the host's interface and the ID\n"
"\n"
"A new NIC appears in the guest a moment later, as ethX or as the guest names it. 'add' prints its\n"
"ID and the host's interface. 'rm' asks the guest to release the NIC, whether or not it is up. If\n"
"the guest does not do so before the timeout (30 s), the unplug stays pending.\n"
"\n"
LIFETIME
"\n"
"Examples:\n"
"  sigmactl net add demo bridge=br0\n"
"  sigmactl net add demo address=10.0.7.1/24\n"
"  sigmactl net rm demo sg-demo-1\n",
	.accepts = OPT_JSON | OPT_FORCE | OPT_TIMEOUT,
	.nr_args = 2,
	.more_args = true,
	.run = run_net,
};

DEFINE_VERB(share) = {
	.name = "share",
	.args = "add|rm NAME ...",
	.summary = "Share a folder with a running guest, or end that",
	.help =
"  add NAME PATH [TAG]  PATH is a folder. TAG is the folder's name by default\n"
"  rm NAME TAG|PATH|ID  'sigmactl status NAME' shows the IDs\n"
"\n"
"In the guest: mount -t virtiofs TAG /mnt. In the folder the guest has the rights of the user who\n"
"started it. Unmount it in the guest before 'rm', since later accesses get errors. If the guest\n"
"does not release the share before the timeout (30 s), the unplug stays pending.\n"
"\n"
LIFETIME
"\n"
"Examples:\n"
"  sigmactl share add demo ~/project\n"
"  sigmactl share add demo --read-only /usr/share/doc doc\n"
"  sigmactl share rm demo project\n",
	.accepts = OPT_JSON | OPT_READ_ONLY | OPT_FORCE | OPT_TIMEOUT,
	.nr_args = 2,
	.more_args = true,
	.run = run_share,
};
