// SPDX-License-Identifier: GPL-2.0
/* Kernel images: a good one that is made here, and one with each possible fault. */
#include <errno.h>

#include "image.h"
#include "kernelfile.h"

static uint8_t file[IMAGE_SIZE];
static struct setup_header *hdr = (struct setup_header *)(file + IMAGE_HEADER_AT);

static void good(void)
{
	image_make(file, "6.1.0-50-amd64");
}

TEST(a_good_one)
{
	good();
	ASSERT_EQ(0, open_bytes(file, sizeof(file)));
	EXPECT_SAID("its code unpacks the kernel in the guest", said);
	EXPECT_EQ(1, image.nr_segments);
	EXPECT_EQ(IMAGE_SETUP_SIZE, image.segment[0].from);
	EXPECT_EQ(IMAGE_CODE_SIZE, image.segment[0].size);
	EXPECT_EQ(0, image.segment[0].to);
	EXPECT_EQ(IMAGE_ENTRY_64, image.entry);
	EXPECT_EQ(0x90, image.data[image.segment[0].from]);
	EXPECT_EQ(0x3000000, image.init_size);
	EXPECT_EQ(0x1000000, image.pref_address);
	EXPECT_EQ(0x200000, image.alignment);
	EXPECT_EQ(2047, image.cmdline_max);
	EXPECT_STREQ("6.1.0-50-amd64", image.version);
	EXPECT_EQ(6, image.major);
	EXPECT_EQ(1, image.minor);
	kernel_close(&image);
}

TEST(other_files)
{
	static const struct {
		const char *start, *what;
	} others[] = {
		{ "\x1f\x8b\x08", "gzip data" },
		{ "\xfd" "7zXZ", "xz data" },
		{ "\x28\xb5\x2f\xfd", "zstd data" },
		{ "070701", "a cpio archive" },
		{ "MZ", "an EFI program without a Linux header" },
		{ "#!/bin/sh\n", "not a Linux kernel image" },
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		memset(file, 0, sizeof(file));
		strcpy((char *)file, others[i].start);
		EXPECT_BAD(others[i].what);
	}
	memset(file, 0, sizeof(file));
	memcpy(file + 56, "ARM\x64", 4);
	EXPECT_BAD("an arm64 kernel");
}

TEST(short_files)
{
	good();
	EXPECT_EQ(-EINVAL, open_bytes(file, 0));
	EXPECT_SAID("0 bytes cannot be a kernel", said);
	for (size_t size = 1; size < 0x264; size += 7)
		EXPECT_EQ(-EINVAL, open_bytes(file, size));
	EXPECT_EQ(-EINVAL, open_bytes(file, IMAGE_SETUP_SIZE));
	EXPECT_SAID("truncated: 2048 bytes, 6144 are expected", said);
	EXPECT_EQ(-EINVAL, open_bytes(file, sizeof(file) - 1));
	EXPECT_SAID("truncated", said);
}

TEST(kernels_that_cannot_be_guests)
{
	good();
	hdr->version = 0x20b;
	EXPECT_BAD("boot protocol 2.11, at least 2.12");
	good();
	hdr->xloadflags = 0;
	EXPECT_BAD("a 32-bit kernel");
	good();
	hdr->xloadflags = XLF_KERNEL_64;
	EXPECT_BAD("cannot be loaded above 4 GiB");
	good();
	hdr->relocatable_kernel = 0;
	EXPECT_BAD("one fixed address");
	good();
	strcpy((char *)file + IMAGE_VERSION_AT, "5.10.0-30-amd64 (x) #1");
	EXPECT_BAD("Linux 5.10.0-30-amd64 is too old for a guest; use 6.1 or newer");
	good();
	strcpy((char *)file + IMAGE_VERSION_AT, "6.0.19");
	EXPECT_BAD("too old");
}

TEST(damaged_ones)
{
	good();
	hdr->boot_flag = 0;
	EXPECT_BAD("not a bzImage but an EFI program");
	good();
	hdr->setup_sects = 0xff;
	EXPECT_BAD("truncated");
	good();
	hdr->syssize = 0xffffffff;
	EXPECT_BAD("truncated");
	good();
	hdr->syssize = 0;
	EXPECT_BAD("contradicts itself");
	good();
	hdr->init_size = 1;
	EXPECT_BAD("contradicts itself");
	good();
	hdr->kernel_alignment = 0x300000;
	EXPECT_BAD("contradicts itself");
	good();
	hdr->kernel_alignment = 0;
	EXPECT_BAD("contradicts itself");
	good();
	hdr->kernel_version = 0;
	EXPECT_BAD("which kernel version");
	good();
	hdr->kernel_version = 0xffff;
	EXPECT_BAD("which kernel version");
	good();
	strcpy((char *)file + IMAGE_VERSION_AT, "../../etc");
	EXPECT_BAD("no kernel version");
	good();
	memset(file + IMAGE_VERSION_AT, '6', IMAGE_SETUP_SIZE - IMAGE_VERSION_AT);
	EXPECT_BAD("no kernel version");
}

TEST(no_file)
{
	capture_start();
	EXPECT_EQ(-ENOENT, kernel_open(&image, "/tmp/no/such/vmlinuz"));
	EXPECT_SAID("/tmp/no/such/vmlinuz: cannot open the kernel: No such file", capture_end());
	capture_start();
	EXPECT_EQ(-EINVAL, kernel_open(&image, "/tmp"));
	EXPECT_SAID("not a regular file", capture_end());
}

TEST_HARNESS_MAIN
