// SPDX-License-Identifier: GPL-2.0
/* The guest on D-Bus: properties, methods, and what clients do to each other. See bus-guest.h. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "../../ctl/ctl.h"
#include "bus-guest.h"

/* The power event that reached the guest, or 0 */
static uint32_t power_event(void)
{
	struct {
		struct sigma_msg msg;
		struct sigma_bus_event_power power;
	} event = {};

	if (recv(device, &event, sizeof(event), 0) != sizeof(event) ||
	    event.msg.flags != SIGMA_MSG_BUS || event.msg.id != SIGMA_BUS_EVENT_POWER)
		return 0;
	return le32toh(event.power.action);
}

static bool server_ended(void)
{
	int status;

	return waitpid(server, &status, 0) == server && WIFEXITED(status) &&
	       !WEXITSTATUS(status);
}

static char *get_string(const char *property)
{
	static char text[128];
	char *value = NULL;

	if (sd_bus_get_property_string(client, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE,
				       property, NULL, &value) < 0)
		return "(none)";
	snprintf(text, sizeof(text), "%s", value);
	free(value);
	return text;
}

static uint64_t get_number(const char *property)
{
	uint64_t value = 0;

	sd_bus_get_property_trivial(client, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, property,
				    NULL, 't', &value);
	return value;
}

TEST(properties)
{
	sd_bus_message *reply = NULL;
	const uint32_t *cpus;
	size_t size;

	ASSERT_TRUE(begin());
	EXPECT_STREQ("demo", get_string("Name"));
	EXPECT_STREQ("running", get_string("State"));
	EXPECT_EQ(0, strncmp("/dev/pts/", get_string("Console"), 9));
	EXPECT_STREQ("/boot/k", get_string("Image"));
	EXPECT_STREQ("6.1.0?[2J", get_string("Kernel"));
	EXPECT_EQ(512 << 20, get_number("Memory"));
	EXPECT_EQ(99, get_number("Heartbeat"));
	EXPECT_EQ(42, get_number("StartedUSec"));
	EXPECT_EQ(0, get_number("WakesAtUSec"));
	EXPECT_STREQ("memory", get_string("Guard"));
	EXPECT_STREQ("", get_string("Panic"));
	ASSERT_TRUE(sd_bus_get_property(client, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE,
					"CPUs", NULL, &reply, "au") >= 0);
	EXPECT_TRUE(sd_bus_message_read_array(reply, 'u', (const void **)&cpus, &size) >= 0);
	EXPECT_EQ(8, size);
	EXPECT_EQ(3, cpus[1]);
	sd_bus_message_unref(reply);
	end();
}

TEST(panic)
{
	guest_state = SIGMA_STATE_PANICKED;
	ASSERT_TRUE(begin());
	EXPECT_STREQ("panicked", get_string("State"));
	EXPECT_STREQ("VFS:?[2J no root", get_string("Panic"));
	EXPECT_EQ(-EHOSTDOWN, call("OpenAgent"));
	end();
	guest_state = SIGMA_STATE_RUNNING;
}

static int call_sleep(bool keep_cpus)
{
	return sd_bus_call_method(client, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, "Sleep",
				  NULL, NULL, "bt", keep_cpus, SECOND);
}

/* The supervisor's own test has those that can */
TEST(guests_that_cannot_sleep_or_wake)
{
	ASSERT_TRUE(begin());
	EXPECT_EQ(-EOPNOTSUPP, call_sleep(false));
	EXPECT_TRUE(call("Wake") < 0);
	end();
	guest_state = SIGMA_STATE_ASLEEP;
	ASSERT_TRUE(begin());
	EXPECT_STREQ("asleep", get_string("State"));
	EXPECT_EQ(-EPIPE, call_sleep(true));
	EXPECT_EQ(-EHOSTDOWN, call("OpenAgent"));
	end();
	guest_state = SIGMA_STATE_RUNNING;
}

/* sigmactl looks for the socket in /run/sigma */
int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	const struct sockaddr_un *wanted = (const void *)addr;
	struct sockaddr_un ours = { .sun_family = AF_UNIX };

	if (addr->sa_family != AF_UNIX || strcmp(wanted->sun_path, RUNDIR "/demo/bus"))
		return syscall(SYS_connect, fd, addr, len);
	strcpy(ours.sun_path, path);
	return syscall(SYS_connect, fd, &ours, sizeof(ours));
}

/* There is no traffic here, but each device must be listed */
TEST(counters)
{
	static const char *const expected[] = { "console", "rng" };
	sd_bus_message *reply = NULL;
	uint64_t requests, from, to;
	const char *type;
	uint32_t id;

	ASSERT_TRUE(begin());
	ASSERT_TRUE(sd_bus_get_property(client, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE,
					"Counters", NULL, &reply, SIGMA_BUS_COUNTERS) >= 0);
	ASSERT_TRUE(sd_bus_message_enter_container(reply, 'a', "(usttt)") > 0);
	for (uint32_t i = 0; i < 2; i++) {
		ASSERT_TRUE(sd_bus_message_read(reply, "(usttt)", &id, &type, &requests, &from,
						&to) > 0);
		EXPECT_EQ(i, id);
		EXPECT_STREQ(expected[i], type);
		EXPECT_EQ(0, requests + from + to);
	}
	EXPECT_EQ(1, sd_bus_message_at_end(reply, false));
	sd_bus_message_unref(reply);
	end();
}

static int on_changed(sd_bus_message *m, void *data, sd_bus_error *error)
{
	const char *interface, *property;
	bool *seen = data;

	if (sd_bus_message_read(m, "s", &interface) > 0 &&
	    sd_bus_message_enter_container(m, 'a', "{sv}") > 0 &&
	    sd_bus_message_enter_container(m, 'e', "sv") > 0 &&
	    sd_bus_message_read(m, "s", &property) > 0)
		*seen |= !strcmp(property, "Devices");
	return 0;
}

static int add(const char *method, const char *key, const char *why, uint32_t *id);

/* The signal has the new list of devices */
TEST(change_of_devices_is_told)
{
	char key[96], file[64];
	bool seen = false;
	uint32_t id;

	ASSERT_TRUE(begin());
	snprintf(file, sizeof(file), "%s/told.img", dir);
	ASSERT_EQ(0, close(creat(file, 0600)) | truncate(file, 4096));
	snprintf(key, sizeof(key), "Path=%s", file);
	ASSERT_TRUE(sd_bus_add_match(client, NULL,
				     "type='signal',member='PropertiesChanged'", on_changed,
				     &seen) >= 0);
	EXPECT_EQ(0, add("AddDisk", key, NULL, &id));
	do
		while (sd_bus_process(client, NULL) > 0)
			;
	while (!seen && sd_bus_wait(client, SECOND) > 0);
	EXPECT_TRUE(seen);
	end();
	unlink(file);
}

TEST(client_of_a_bus_daemon)
{
	sd_bus *other = NULL;

	ASSERT_TRUE(begin());
	ASSERT_TRUE(sd_bus_new(&other) >= 0);
	EXPECT_TRUE(sd_bus_set_address(other, address) >= 0);
	EXPECT_TRUE(sd_bus_set_bus_client(other, true) >= 0);
	EXPECT_TRUE(sd_bus_start(other) >= 0);
	EXPECT_TRUE(sd_bus_call_method(other, "org.sigma", SIGMA_BUS_OBJECT,
				       "org.freedesktop.DBus.Introspectable", "Introspect", NULL,
				       NULL, NULL) >= 0);
	sd_bus_flush_close_unref(other);
	EXPECT_STREQ("demo", get_string("Name"));	/* the first client still works */
	end();
}

TEST(reboot)
{
	ASSERT_TRUE(begin());
	EXPECT_TRUE(call("Reboot") >= 0);
	EXPECT_EQ(SIGMA_POWER_REBOOT, power_event());
	EXPECT_STREQ("running", get_string("State"));
	end();
}

TEST(power_off_ends_in_any_case)
{
	ASSERT_TRUE(begin());
	EXPECT_TRUE(call("PowerOff") >= 0);
	EXPECT_EQ(SIGMA_POWER_OFF, power_event());
	EXPECT_TRUE(server_ended());	/* the guest ignores the event, so the timeout ends it */
	end();
}

TEST(stop_with_a_timeout)
{
	ASSERT_TRUE(begin());
	EXPECT_TRUE(sd_bus_call_method(client, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, "Stop",
				       NULL, NULL, "t", SECOND / 20) >= 0);
	EXPECT_EQ(SIGMA_POWER_OFF, power_event());
	EXPECT_TRUE(server_ended());
	end();
}

TEST(stop_without_a_timeout)
{
	ASSERT_TRUE(begin());
	EXPECT_TRUE(sd_bus_call_method(client, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, "Stop",
				       NULL, NULL, "t", UINT64_MAX) >= 0);
	EXPECT_EQ(SIGMA_POWER_OFF, power_event());
	EXPECT_STREQ("running", get_string("State"));
	EXPECT_TRUE(call("Kill") >= 0);
	EXPECT_TRUE(server_ended());
	end();
}

/* A client that sends nothing and one that reads nothing must not delay the end */
TEST(clients_that_hang)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const int small = 1;
	int silent, deaf;

	ASSERT_TRUE(begin());
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	silent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	deaf = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, connect(silent, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_EQ(0, setsockopt(deaf, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)));
	ASSERT_EQ(0, connect(deaf, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_TRUE(dprintf(deaf, "%cAUTH ANONYMOUS\r\nBEGIN\r\n", '\0') > 0);
	EXPECT_STREQ("demo", get_string("Name"));
	EXPECT_TRUE(call("Kill") >= 0);
	EXPECT_TRUE(server_ended());
	close(silent);
	close(deaf);
	end();
}

TEST(kill_asks_nobody)
{
	ASSERT_TRUE(begin());
	EXPECT_TRUE(call("Kill") >= 0);
	EXPECT_EQ(0, power_event());
	EXPECT_TRUE(server_ended());
	end();
}

TEST(guest_that_cannot_be_asked)
{
	ASSERT_TRUE(begin());
	close(device);
	device = -1;
	EXPECT_TRUE(call("Reboot") < 0);
	EXPECT_TRUE(call("PowerOff") >= 0);
	EXPECT_TRUE(server_ended());
	end();
}

static char image[80];

/* Return: 0 and the device's number in @id, or -errno where the error must contain @why */
static int add(const char *method, const char *key, const char *why, uint32_t *id)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	const char *name;
	int ret;

	ret = sd_bus_call_method(client, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, method,
				 &error, &reply, "as", 1, key);
	if (ret >= 0)
		ret = sd_bus_message_read(reply, "us", id, &name) < 0 ? -EBADMSG : 0;
	else if (!why || !error.message || !strstr(error.message, why))
		ret = -EBADMSG;
	sd_bus_message_unref(reply);
	sd_bus_error_free(&error);
	return ret;
}

static int remove_disk(const char *what)
{
	return sd_bus_call_method(client, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE,
				  "RemoveDisk", NULL, NULL, "sb", what, 0);
}

/* Return: the disk's new size, or a negative errno */
static int64_t resize_disk(const char *what, uint64_t size)
{
	sd_bus_message *reply = NULL;
	int ret = sd_bus_call_method(client, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE,
				     "ResizeDisk", NULL, &reply, "st", what, size);

	if (ret >= 0)
		ret = sd_bus_message_read(reply, "t", &size);
	sd_bus_message_unref(reply);
	return ret < 0 ? ret : (int64_t)size;
}

/* Return: the number of devices; the last one's kind and name go to @last */
static int devices(char last[80])
{
	sd_bus_message *reply = NULL;
	const char *kind, *name;
	char **keys = NULL;
	int leaving, nr = 0;
	uint32_t id;

	if (sd_bus_get_property(client, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, "Devices",
				NULL, &reply, SIGMA_BUS_DEVICES) < 0 ||
	    sd_bus_message_enter_container(reply, 'a', "(ussasb)") < 0)
		return -1;
	while (sd_bus_message_enter_container(reply, 'r', "ussasb") > 0 &&
	       sd_bus_message_read(reply, "uss", &id, &kind, &name) > 0 &&
	       sd_bus_message_read_strv(reply, &keys) >= 0 &&
	       sd_bus_message_read(reply, "b", &leaving) > 0 &&
	       sd_bus_message_exit_container(reply) >= 0) {
		snprintf(last, 80, "%s %s", kind, name);
		for (char **key = keys; key && *key; key++)
			free(*key);
		free(keys);
		keys = NULL;
		nr++;
	}
	sd_bus_message_unref(reply);
	return nr;
}

/* This guest has no driver, so devices are released at once */
TEST(devices_come_and_go)
{
	char key[96], last[80] = "", expected[96];
	uint32_t id = 99;

	ASSERT_TRUE(begin());
	snprintf(image, sizeof(image), "%s/a.img", dir);
	ASSERT_EQ(0, close(creat(image, 0600)) | truncate(image, 4096));
	snprintf(key, sizeof(key), "Path=%s", image);
	snprintf(expected, sizeof(expected), "disk %s", image);
	EXPECT_EQ(0, devices(last));
	EXPECT_EQ(0, add("AddDisk", key, NULL, &id));
	EXPECT_EQ(2, id);		/* after console and entropy device */
	EXPECT_EQ(1, devices(last));
	EXPECT_STREQ(expected, last);

	EXPECT_EQ(-EBUSY, add("AddDisk", key, "has the disk", &id));
	EXPECT_EQ(-ENOENT, add("AddDisk", "Path=/nowhere/a.img", "Path=/nowhere/a.img: No such", &id));
	EXPECT_EQ(-EINVAL, add("AddDisk", "Path=/\n[Guest]", "control character", &id));
	EXPECT_EQ(-EINVAL, add("AddDisk", "Path", "no Key=value", &id));
	EXPECT_EQ(-EINVAL, add("AddShare", key, "not a folder", &id));
	EXPECT_EQ(-EINVAL, add("AddNetwork", "Address=10.0.0.0/24", "first address", &id));
	EXPECT_EQ(-ENODEV, remove_disk("0"));
	EXPECT_EQ(-ENODEV, remove_disk("/nowhere/a.img"));
	EXPECT_EQ(1, devices(last));

	EXPECT_EQ(8192, resize_disk("2", 8192));
	EXPECT_EQ(8192, resize_disk(image, 0));
	EXPECT_EQ(-EINVAL, resize_disk("2", 4096));
	EXPECT_EQ(-ENODEV, resize_disk("0", 0));

	EXPECT_TRUE(remove_disk("2") >= 0);
	EXPECT_EQ(0, devices(last));
	EXPECT_EQ(0, add("AddDisk", key, NULL, &id));
	EXPECT_EQ(2, id);
	EXPECT_TRUE(remove_disk(image) >= 0);
	EXPECT_EQ(0, devices(last));
	EXPECT_TRUE(call("Kill") >= 0);
	EXPECT_TRUE(server_ended());
	end();
	unlink(image);
}

/* Write the guest file, and have it read again. Return: the lines of the answer, or of the error */
static const char *reload(const char *text)
{
	static char said[512];
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	FILE *file = fopen(guest_file, "we");
	const char *line;

	fputs(text, file);
	fclose(file);
	*said = '\0';
	if (sd_bus_call_method(client, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, "Reload", &error,
			       &reply, NULL) < 0)
		snprintf(said, sizeof(said), "error: %s", error.message);
	else if (sd_bus_message_enter_container(reply, 'a', "s") > 0)
		while (sd_bus_message_read(reply, "s", &line) > 0)
			snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s\n", line);
	sd_bus_error_free(&error);
	sd_bus_message_unref(reply);
	return said;
}

TEST(guest_file_is_read_again)
{
	char key[96], text[400], last[80] = "", expected[500], other[80];
	static const char same[] = "[Guest]\nMemory=256M\nKernel=/bin/sh\n";
	uint32_t id;

	ASSERT_TRUE(*path);	/* begin() has made the folder for another test */
	snprintf(guest_file, sizeof(guest_file), "%s/demo.guest", dir);
	ASSERT_TRUE(begin());
	snprintf(image, sizeof(image), "%s/a.img", dir);
	snprintf(other, sizeof(other), "%s/b.img", dir);
	ASSERT_EQ(0, close(creat(image, 0600)) | truncate(image, 4096));
	ASSERT_EQ(0, close(creat(other, 0600)) | truncate(other, 4096));
	EXPECT_STREQ("", reload(same));

	/* A section that is new becomes a disk, once */
	snprintf(text, sizeof(text), "%s[Disk]\nPath=%s\n", same, image);
	snprintf(expected, sizeof(expected), "disk %s: was added\n", image);
	EXPECT_STREQ(expected, reload(text));
	EXPECT_EQ(1, devices(last));
	EXPECT_STREQ("", reload(text));

	/* What needs another start */
	snprintf(text, sizeof(text), "[Guest]\nKernel=/bin/sh\nMemory=128M\nCommandLine=quiet\nWakeOn=vsock\n"
		 "[Disk]\nPath=%s\nReadOnly=yes\n[Channel]\nNumber=3\n", image);
	snprintf(expected, sizeof(expected),
		 "Memory=: takes effect when the guest is stopped and started\n"
		 "CommandLine=: takes effect when the guest is stopped and started\n"
		 "WakeOn=: takes effect when the guest is stopped and started\n"
		 "[Channel]: takes effect when the guest is stopped and started\n"
		 "disk %s: has other keys now, which takes effect when the guest is stopped and started\n",
		 image);
	EXPECT_STREQ(expected, reload(text));
	EXPECT_EQ(1, devices(last));

	/* A mistake changes nothing */
	EXPECT_TRUE(strstr(reload("[Guest]\nMemory=much\n"), "demo.guest:2: Memory=much"));
	EXPECT_EQ(1, devices(last));

	/* A disk that somebody has added stays; one that has lost its section goes */
	snprintf(key, sizeof(key), "Path=%s", other);
	EXPECT_EQ(0, add("AddDisk", key, NULL, &id));
	snprintf(expected, sizeof(expected), "disk %s: goes, once the guest has released it\n", image);
	EXPECT_STREQ(expected, reload(same));
	snprintf(expected, sizeof(expected), "disk %s", other);
	EXPECT_EQ(1, devices(last));
	EXPECT_STREQ(expected, last);

	/* Once it has a section, it is a disk of the file */
	snprintf(text, sizeof(text), "%s[Disk]\nPath=%s\n", same, other);
	EXPECT_STREQ("", reload(text));
	EXPECT_TRUE(*reload(same));
	EXPECT_EQ(0, devices(last));

	/* Several at once */
	snprintf(text, sizeof(text), "%s[Disk]\nPath=%s\n[Disk]\nPath=%s\n", same, image, other);
	EXPECT_EQ(2, (reload(text), devices(last)));
	end();
	unlink(image);
	unlink(other);
	unlink(guest_file);
	*guest_file = '\0';
}

TEST(sigmactl_reads_all)
{
	char key[96];
	struct served *served = calloc(1, sizeof(*served));
	uint32_t id = 99;

	ASSERT_TRUE(begin());
	served_read(served, "other");
	EXPECT_EQ(SIGMAD_GONE, served->sigmad);
	served_free(served);

	snprintf(image, sizeof(image), "%s/b.img", dir);
	ASSERT_EQ(0, close(creat(image, 0600)) | truncate(image, 4096));
	snprintf(key, sizeof(key), "Path=%s", image);
	ASSERT_EQ(0, add("AddDisk", key, NULL, &id));
	served_read(served, "demo");
	EXPECT_EQ(SIGMAD_SERVES, served->sigmad);
	EXPECT_STREQ("running", served->state);
	EXPECT_STREQ("/boot/k", served->image);
	EXPECT_EQ(server, served->pid);
	EXPECT_EQ(42, served->started_usec);
	ASSERT_EQ(1, served->nr_devices);
	EXPECT_EQ(id, served->device[0].id);
	EXPECT_STREQ("disk", served->device[0].kind);
	EXPECT_STREQ(image, served->device[0].name);
	EXPECT_STREQ(key, served->device[0].keys[0]);
	EXPECT_TRUE(!served->device[0].keys[1]);
	EXPECT_FALSE(served->device[0].leaving);
	EXPECT_TRUE(!served->device[0].stopped);
	ASSERT_EQ(3, served->nr_counters);
	EXPECT_STREQ("console", served->counters[0].type);
	EXPECT_STREQ("rng", served->counters[1].type);
	EXPECT_EQ(id, served->counters[2].id);
	EXPECT_STREQ("blk", served->counters[2].type);
	served_free(served);
	free(served);
	end();
	unlink(image);
}

TEST(no_kernel_log)
{
	ASSERT_TRUE(begin());
	EXPECT_EQ(-ENOENT, call("ReadKernelLog"));
	EXPECT_EQ(-EBADR, call("NoSuchMethod"));
	end();
	rmdir(dir);
}

TEST_HARNESS_MAIN
