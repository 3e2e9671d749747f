// SPDX-License-Identifier: GPL-2.0
/* The storage of disks: which files are taken for a raw disk, and which are refused. */
#include <fcntl.h>
#include <stdio.h>

#include "../../common/guestfile.h"
#include "capture.h"
#include "tap.h"
#include "virtio-guest.h"

#define IMAGE_SIZE	(1 << 20)

static char image[] = "/tmp/sigma-disk-XXXXXX";

static void __attribute__((constructor)) make_image(void)
{
	int fd = mkstemp(image);

	if (fd < 0) {
		perror(image);
		exit(EXIT_FAILURE);
	}
	close(fd);
}

static void __attribute__((destructor)) remove_image(void)
{
	unlink(image);
}

/* Make the image anew, with these bytes and zeros around them */
static void write_image(const void *bytes, size_t len, off_t at)
{
	int fd = open(image, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (ftruncate(fd, IMAGE_SIZE) || pwrite(fd, bytes, len, at) != (ssize_t)len)
		abort();
	close(fd);
}

static int add_format(struct guest *guest, enum guest_format format)
{
	const struct guest_disk disk = { .path = image, .format = format, .direct = true };

	return guest_add_disk(guest, &disk);
}

/* Why a guest does not get the disk; "": it does */
static const char *refusal(enum guest_format format)
{
	struct guest *guest GUEST = guest_new();
	int ret;

	capture_start();
	ret = add_format(guest, format);
	return ret < 0 ? capture_end() : (capture_end(), "");
}

struct sample {
	const char *bytes;
	size_t len;
	off_t at;
	const char *name, *remedy;
};

#define SAMPLE(bytes, ...)	{ bytes, sizeof(bytes) - 1, __VA_ARGS__ }
#define CONVERT			"'qemu-img convert -O raw'"

/* As qemu-img and the compressors make them */
static const struct sample samples[] = {
	SAMPLE("QFI\xfb\0\0\0\1", 0, "is a qcow image", CONVERT),
	SAMPLE("QFI\xfb\0\0\0\2", 0, "is a qcow2 image", CONVERT),
	SAMPLE("QFI\xfb\0\0\0\3", 0, "is a qcow2 image", CONVERT),
	SAMPLE("KDMV\1\0\0\0", 0, "is a VMDK image", CONVERT),
	SAMPLE("COWD\1\0\0\0", 0, "is a VMDK image", CONVERT),
	SAMPLE("# Disk DescriptorFile\nversion=1\n", 0, "is the descriptor of a VMDK image",
	       CONVERT),
	SAMPLE("\x7f\x10\xda\xbe\1\0\1\0", 64, "is a VDI image", CONVERT),
	SAMPLE("conectix\0\0\0\2", 0, "is a VHD image", CONVERT),
	SAMPLE("vhdxfileQ\0E\0M\0U\0", 0, "is a VHDX image", CONVERT),
	SAMPLE("\x1f\x8b\x08\x08", 0, "is a gzip file", "'gzip -d'"),
	SAMPLE("\xfd" "7zXZ\0\0\4", 0, "is an xz file", "'xz -d'"),
	SAMPLE("\x28\xb5\x2f\xfd\4\0", 0, "is a zstd file", "'zstd -d'"),
	SAMPLE("BZh91AY&SY", 0, "is a bzip2 file", "'bzip2 -d'"),
};

#define NR_SAMPLES	(sizeof(samples) / sizeof(*samples))

TEST(what_is_not_raw_is_refused)
{
	for (size_t i = 0; i < NR_SAMPLES; i++) {
		const struct sample *sample = &samples[i];
		const char *said;

		write_image(sample->bytes, sample->len, sample->at);
		said = refusal(FORMAT_AUTO);
		EXPECT_SAID(image, said);
		EXPECT_SAID(sample->name, said);
		EXPECT_SAID(sample->remedy, said);
		EXPECT_SAID("Format=raw", said);
		EXPECT_STREQ("", refusal(FORMAT_RAW));
	}
}

TEST(what_is_raw_is_not_refused)
{
	static const struct {
		const char bytes[9];
		off_t at;
	} raw[] = {
		{ "QFI", 0 },
		{ "QFI\xfb", 512 },			/* not at its start */
		{ "\x1f\x8b", 0 },
		{ "BZh9", 0 },				/* begins a text, too */
		{ "\x55\xaa", 510 },			/* MBR */
		{ "EFI PART", 512 },			/* GPT */
		{ "\x53\xef", 1080 },			/* ext4 */
		{ "\1CD001\1", 32768 },			/* ISO 9660 */
		{ "conectix", IMAGE_SIZE - 512 },	/* the footer of a fixed VHD */
	};

	for (size_t i = 0; i < sizeof(raw) / sizeof(*raw); i++) {
		write_image(raw[i].bytes, strlen(raw[i].bytes), raw[i].at);
		EXPECT_STREQ("", refusal(FORMAT_AUTO));
	}
}

/* Its size is no multiple of 512, which is not the point */
TEST(odd_size_of_a_compressed_image)
{
	write_image("\xfd" "7zXZ", 6, 0);
	if (truncate(image, 1001))
		abort();
	EXPECT_SAID("is an xz file", refusal(FORMAT_AUTO));
}

/* A guest writes the header of an image to its raw disk */
TEST(header_by_a_guest)
{
	static struct virtio_state state;
	const char *said;

	write_image("", 0, 0);
	{
		struct guest *guest GUEST = guest_new();

		virtio_bus_keep(guest->bus, &state, false);
		ASSERT_EQ(0, add_format(guest, FORMAT_AUTO));
		write_image("QFI\xfb\0\0\0\3", 8, 0);
	}
	/* The next sigmad serves the guest as before */
	{
		struct guest *guest GUEST = guest_new();

		state.device[0].device_id = 2;
		state.device[0].nr_queues = 1;
		state.device[0].doorbell = SIGMA_DOORBELL_FIRST;
		virtio_bus_keep(guest->bus, &state, true);
		EXPECT_EQ(0, add_format(guest, FORMAT_AUTO));
	}
	/* The next start says what may have happened, and what not to do */
	said = refusal(FORMAT_AUTO);
	EXPECT_SAID("or a raw disk to which a guest wrote the header of one", said);
	EXPECT_SAID("do not convert it, since the header may name files of the host", said);
}

TEST_HARNESS_MAIN
