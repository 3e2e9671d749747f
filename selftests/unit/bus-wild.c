// SPDX-License-Identifier: GPL-2.0
/*
 * Clients of a guest's bus that know no manners: each method with arguments that are wrong or odd, all
 * properties, and bytes that are no D-Bus at all. sigmad goes on, and answers others.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/un.h>

#include "bus-guest.h"

#define CALLS		600
#define CONNECTIONS	60
#define LONG		9000		/* bytes; more than the keys of a device may have */
#define ARGUMENTS	4

static unsigned int seed = 1;

static unsigned int draw(unsigned int n)
{
	return rand_r(&seed) % n;
}

static const char *odd_text(void)
{
	static char filler[LONG + 1];
	static const char *const texts[] = {
		"", "0", "-1", "2", "4294967295", "18446744073709551616", "/", "../..", "%s%n%x", "=", "Path=",
		"Path=/nowhere/a.img", "Path=/proc/self/mem", "Path=/\x1b[2J", "Path=/a\nReadOnly=yes", "Colour=red",
		"Socket=/nowhere/s", "Bridge=no-such-bridge", "MTU=99999999999", "MACAddress=zz", "Tag=\x7f",
		"Address=10.0.0.300/24", "Format=vmdk", "[Guest]", "\xc3\xbc=\xe2\x82\xac",
	};
	unsigned int which = draw(sizeof(texts) / sizeof(*texts) + 1);

	if (which < sizeof(texts) / sizeof(*texts))
		return texts[which];
	memset(filler, 'x', LONG);
	memcpy(filler, "Path=/", 6);
	return filler;
}

/* @type: of D-Bus, or 'a' for some strings, 'e' for none of them, 'd' for a dictionary */
static int append_odd(sd_bus_message *m, char type)
{
	const uint64_t number = draw(2) ? UINT64_MAX << draw(64) : draw(5);

	switch (type) {
	case 's':
		return sd_bus_message_append(m, "s", odd_text());
	case 'b':
		return sd_bus_message_append(m, "b", (int)draw(2));
	case 't':
		return sd_bus_message_append(m, "t", number);
	case 'a':
		return sd_bus_message_append(m, "as", 2, odd_text(), odd_text());
	case 'e':
		return sd_bus_message_append(m, "as", 0);
	case 'v':
		return sd_bus_message_append(m, "v", "s", odd_text());
	case 'h':
		return sd_bus_message_append(m, "h", STDIN_FILENO);
	default:
		return sd_bus_message_append(m, "a{sv}", 1, odd_text(), "t", number);
	}
}

/* What ends the guest gets an argument too many at least */
static int call_oddly(void)
{
	static const struct {
		/* @good: the types that it takes; NULL: it would end the guest */
		const char *interface, *name, *good;
	} methods[] = {
		{ SIGMA_BUS_INTERFACE, "AddDisk", "a" }, { SIGMA_BUS_INTERFACE, "AddNetwork", "a" },
		{ SIGMA_BUS_INTERFACE, "AddShare", "a" }, { SIGMA_BUS_INTERFACE, "RemoveDisk", "sb" },
		{ SIGMA_BUS_INTERFACE, "RemoveNetwork", "sb" },
		{ SIGMA_BUS_INTERFACE, "RemoveShare", "sb" },
		{ SIGMA_BUS_INTERFACE, "ResizeDisk", "st" }, { SIGMA_BUS_INTERFACE, "Reload", "" },
		{ SIGMA_BUS_INTERFACE, "ReadKernelLog", "" }, { SIGMA_BUS_INTERFACE, "OpenAgent", "" },
		{ SIGMA_BUS_INTERFACE, "Stop", NULL }, { SIGMA_BUS_INTERFACE, "Kill", NULL },
		{ SIGMA_BUS_INTERFACE, "PowerOff", NULL }, { SIGMA_BUS_INTERFACE, "NoSuchMethod", "" },
		{ "org.freedesktop.DBus.Properties", "Get", "ss" },
		{ "org.freedesktop.DBus.Properties", "GetAll", "s" },
		{ "org.freedesktop.DBus.Properties", "Set", "ssv" },
		{ "org.freedesktop.DBus", "AddMatch", "s" }, { "org.freedesktop.DBus", "Hello", "" },
		{ "org.freedesktop.DBus.Peer", "GetMachineId", "" },
	};
	const unsigned int i = draw(sizeof(methods) / sizeof(*methods)), nr = draw(ARGUMENTS);
	const char *types = methods[i].good;
	const bool good = types && draw(2);
	sd_bus_message *m = NULL, *reply = NULL;
	int ret;

	ret = sd_bus_message_new_method_call(client, &m, NULL, draw(8) ? SIGMA_BUS_OBJECT : "/",
					     methods[i].interface, methods[i].name);
	for (const char *type = types; good && *type && ret >= 0; type++)
		ret = append_odd(m, *type);
	for (unsigned int k = 0; !good && k < nr + (types ? 0 : 2) && ret >= 0; k++)
		ret = append_odd(m, "sbtaevhd"[draw(8)]);
	ret = ret >= 0 ? sd_bus_call(client, m, 20 * SECOND, NULL, &reply) : ret;
	sd_bus_message_unref(m);
	sd_bus_message_unref(reply);
	return ret;
}

TEST(odd_calls)
{
	unsigned int answered = 0;
	int ret;

	ASSERT_TRUE(begin());
	for (unsigned int i = 0; i < CALLS; i++) {
		ret = call_oddly();
		ASSERT_TRUE(ret != -ETIMEDOUT && ret != -ENOTCONN && ret != -ECONNRESET);
		answered += ret >= 0;
	}
	EXPECT_TRUE(answered > 0);
	EXPECT_TRUE(sd_bus_call_method(client, NULL, SIGMA_BUS_OBJECT, SIGMA_BUS_INTERFACE, "Kill", NULL,
				       NULL, NULL) >= 0);
	end();
}

/* Also in the midst of a message that begins well */
TEST(bytes)
{
	static const char auth[] = "\0AUTH ANONYMOUS\r\nBEGIN\r\n";
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	uint8_t noise[256] = { 'l', 1, 0, 1 };
	int fd;

	ASSERT_TRUE(begin());
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	for (unsigned int i = 0; i < CONNECTIONS; i++) {
		const unsigned int known = draw(3) * 4;

		for (unsigned int k = known; k < sizeof(noise); k++)
			noise[k] = draw(256);
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		ASSERT_EQ(0, connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
		if (draw(4))
			EXPECT_TRUE(send(fd, auth, sizeof(auth) - 1, MSG_NOSIGNAL) > 0);
		send(fd, noise, draw(sizeof(noise)) + 1, MSG_NOSIGNAL);
		if (draw(2))
			shutdown(fd, SHUT_WR);
		EXPECT_TRUE(sd_bus_call_method(client, NULL, SIGMA_BUS_OBJECT,
					       "org.freedesktop.DBus.Peer", "Ping", NULL, NULL, NULL) >= 0);
		close(fd);
	}
	end();
	rmdir(dir);
}

TEST_HARNESS_MAIN
