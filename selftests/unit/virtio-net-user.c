// SPDX-License-Identifier: GPL-2.0
/*
 * A NIC in user mode with a real passt: the test acts as the guest's network, for one ARP request.
 * Without passt, or without namespaces for it, the tests are skipped.
 */
#include <arpa/inet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <netinet/if_ether.h>
#include <sys/stat.h>

#include "../../common/guestfile.h"
#include "capture.h"
#include "tap.h"
#include "virtio-guest.h"

#define SIZE	64
#define F(bit)	(1ULL << (bit))

static struct guest_config config = {
	.file = "web.guest",
	.net = { { .user = true, .mac = { 2, 0, 0, 0, 0, 1 }, .line = 7 } },
};
static struct ring rx, tx;
static const char *said;

struct frame {
	struct virtio_net_hdr_v1 head;
	struct ether_header ether;
	struct ether_arp arp;
} __attribute__((packed));

static int add(struct guest *guest)
{
	int error;

	config.starter = geteuid();
	capture_start();
	error = kinds_make(guest->bus, &config, GUEST_NET, 0);
	said = capture_end();
	return error;
}

static bool is_missing(void)
{
	return strstr(said, "there is no passt") || strstr(said, "does not support vhost-user");
}

/* Add a NIC that must work. Return: false when the test is over, skipped or failed */
static bool add_works(struct guest *guest)
{
	int error = add(guest);

	if (is_missing())
		SKIP(return false, "no passt that speaks vhost-user");
	if (error == -EPERM)
		SKIP(return false, "no namespaces for passt");
	if (error)
		TAP_FAIL("%s", said);
	return !error;
}

static bool bring_up(struct guest *guest)
{
	return negotiate(guest, 0, get_features(guest, 0)) &&
	       !ring_open(&rx, guest, 0, 0, SIZE) && !ring_open(&tx, guest, 0, 1, SIZE) &&
	       driver_ok(guest, 0);
}

/* Ask by ARP for an address that is not the guest's, and wait for the answer */
static bool resolve(struct guest *guest, struct frame *answer)
{
	uint64_t in = guest_alloc(guest, 4096), out = guest_alloc(guest, 4096);
	struct frame *question = at(guest, out);
	struct vring_used_elem elem;

	*question = (struct frame){
		.ether = { .ether_type = htons(ETHERTYPE_ARP) },
		.arp = {
			.arp_hrd = htons(ARPHRD_ETHER), .arp_pro = htons(ETHERTYPE_IP),
			.arp_hln = ETH_ALEN, .arp_pln = 4, .arp_op = htons(ARPOP_REQUEST),
			.arp_spa = { 198, 51, 100, 2 }, .arp_tpa = { 198, 51, 100, 1 },
		},
	};
	memset(question->ether.ether_dhost, 0xff, ETH_ALEN);
	memcpy(question->ether.ether_shost, config.net[0].mac, ETH_ALEN);
	memcpy(question->arp.arp_sha, config.net[0].mac, ETH_ALEN);
	ring_add(&rx, &(struct buffer){ in, 4096, VRING_DESC_F_WRITE }, 1);
	ring_kick(&rx);
	ring_add(&tx, &(struct buffer){ out, sizeof(*question), 0 }, 1);
	ring_kick(&tx);
	if (!ring_take(&tx, 5000, &elem) || !ring_take(&rx, 5000, &elem) ||
	    elem.len < sizeof(*answer))
		return false;
	memcpy(answer, at(guest, in), sizeof(*answer));
	return true;
}

TEST(no_passt)
{
	struct guest *guest GUEST = guest_new();
	char *path = strdup(getenv("PATH"));
	bool elsewhere;

	setenv("PATH", "/nowhere", 1);
	elsewhere = !add(guest);
	setenv("PATH", path, 1);
	free(path);
	if (elsewhere || !strstr(said, "there is no"))
		SKIP(return, "passt is installed");
	EXPECT_SAID("web.guest:7: User=yes: there is no passt; install the package passt", said);
}

/* Run add() with a passt that only writes its arguments to the file that it returns */
static FILE *passt_arguments(struct guest *guest, int *error)
{
	static const char script[] =
		"#!/bin/sh\n"
		"[ \"$2\" != --print-capabilities ] || { echo '\"net\"'; exit; }\n"
		"printf ' %%s' \"$@\" '' >%s/arguments\n";
	char dir[] = "/tmp/sigma-passt-XXXXXX", *path = strdup(getenv("PATH"));
	char program[64], arguments[64];
	FILE *file;

	if (!mkdtemp(dir))
		return NULL;
	snprintf(program, sizeof(program), "%s/passt", dir);
	snprintf(arguments, sizeof(arguments), "%s/arguments", dir);
	file = fopen(program, "w");
	fprintf(file, script, dir);
	fclose(file);
	chmod(program, 0755);
	setenv("PATH", dir, 1);
	*error = add(guest);
	setenv("PATH", path, 1);
	free(path);
	file = fopen(arguments, "r");
	unlink(program);
	unlink(arguments);
	rmdir(dir);
	return file;
}

TEST(arguments)
{
	struct guest *guest GUEST = guest_new();
	char text[512] = "";
	int error = 0;
	FILE *file;

	config.net[0].nr_forwards = 2;
	config.net[0].forward[0] = (struct guest_forward){
		.address = "::1", .host_port = 8080, .guest_port = 80,
	};
	config.net[0].forward[1] = (struct guest_forward){
		.udp = true, .host_port = 53, .guest_port = 5353,
	};
	config.net[0].mtu = 9000;
	file = passt_arguments(guest, &error);
	config.net[0].mtu = 0;
	config.net[0].nr_forwards = 0;
	if (!file && (error == -EPERM || strstr(said, "of its own")))
		SKIP(return, "no namespaces for passt");
	ASSERT_TRUE(file);
	EXPECT_TRUE(fgets(text, sizeof(text), file));
	fclose(file);
	EXPECT_SAID(" --no-map-gw ", text);
	EXPECT_SAID(" --map-guest-addr=169.254.1.2 ", text);
	EXPECT_SAID(" --dns-forward=169.254.1.1 ", text);
	EXPECT_SAID(" -t ::1/8080:80 -u 53:5353 ", text);
	EXPECT_SAID(" --mtu=9000 ", text);
}

TEST(features)
{
	struct guest *guest GUEST = guest_new();
	uint64_t features;

	if (!add_works(guest))
		return;
	EXPECT_STREQ("", said);
	features = get_features(guest, 0);
	EXPECT_TRUE(features & F(VIRTIO_F_VERSION_1) && features & F(VIRTIO_NET_F_MAC));
	/* passt sends some frames without checksums */
	EXPECT_TRUE(features & F(VIRTIO_NET_F_GUEST_CSUM));
	/* passt accepts none, and so no frames in segments */
	EXPECT_FALSE(features & F(VIRTIO_NET_F_CSUM));
}

TEST(answers)
{
	struct guest *guest GUEST = guest_new();
	struct frame answer;
	uint32_t now;

	/* Twice: the guest's next kernel gets a new passt */
	if (!add_works(guest))
		return;
	for (unsigned int i = 0; i < 2; i++) {
		ASSERT_TRUE(bring_up(guest));
		ASSERT_TRUE(resolve(guest, &answer));
		EXPECT_EQ(1, answer.head.num_buffers);
		EXPECT_EQ(0, memcmp(answer.ether.ether_dhost, config.net[0].mac, ETH_ALEN));
		EXPECT_EQ(ARPOP_REPLY, ntohs(answer.arp.arp_op));
		EXPECT_EQ(0, memcmp(answer.arp.arp_spa, "\xc6\x33\x64\x01", 4));
		ASSERT_EQ(0, set_status(guest, 0, 0, &now));
	}
}

TEST(port_in_use)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	struct guest *guest GUEST = guest_new();
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(addr);
	char port[16];
	int error;

	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&addr, len));
	ASSERT_EQ(0, listen(fd, 1));
	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)&addr, &len));
	config.net[0].nr_forwards = 1;
	config.net[0].forward[0] = (struct guest_forward){
		.address = "127.0.0.1", .host_port = ntohs(addr.sin_port), .guest_port = 22,
	};
	snprintf(port, sizeof(port), "%u", config.net[0].forward[0].host_port);
	error = add(guest);
	config.net[0].nr_forwards = 0;
	close(fd);
	if (is_missing() || error == -EPERM)
		SKIP(return, "no passt that speaks vhost-user, or no namespaces for it");
	EXPECT_NE(0, error);
	EXPECT_SAID(port, said);
}

TEST_HARNESS_MAIN
