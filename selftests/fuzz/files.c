// SPDX-License-Identifier: GPL-2.0
/*
 * Files that people give to sigmad: guest files, keys of a device that is added, files of the pool,
 * kernel images and initrds, images of disks. The first byte of an input says which, and the rest is the file. Of an
 * image only what differs from a good one is there: places and bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../common/guestfile.h"
#include "../../common/pool.h"
#include "../../daemon/load/load.h"
#include "../../daemon/virtio/format.h"
#include "../unit/image.h"
#include "fuzz.h"

FUZZ_TARGET(1000);

enum file { FILE_GUEST, FILE_KEYS, FILE_POOL, FILE_IMAGE, FILE_KERNEL, FILE_INITRD, FILE_DISK,
	    NR_FILES };

#define GUEST	"\0"
#define KEYS	"\1"		/* and the kind of device */
#define POOL	"\2"
#define IMAGE	3
#define KERNEL	4
#define INITRD	"\5"
#define DISK	"\6"

#define TEXT_MAX	8192
#define LOAD_MAX	(64UL << 20)	/* of kernels that are loaded here */
#define UNPACKED_MAX	(1UL << 20)

static char dir[] = "/tmp/sigma-fuzz-XXXXXX", path[sizeof(dir) + 16];

static void remove_dir(void)
{
	unlink(path);
	rmdir(dir);
}

static void write_file(const void *bytes, size_t size)
{
	int fd;

	if (!*path) {
		FUZZ_CHECK(mkdtemp(dir));
		setenv("SIGMA_CACHEDIR", "/proc", 1);	/* no unpacked kernel is kept */
		snprintf(path, sizeof(path), "%s/web.guest", dir);
		atexit(remove_dir);
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FUZZ_CHECK(fd >= 0 && write(fd, bytes, size) == (ssize_t)size && !close(fd));
}

static void check_keys(const struct guest_config *config)
{
	for (unsigned int kind = GUEST_NO_DEVICE + 1; kind < GUEST_DEVICE_KINDS; kind++)
		for (unsigned int i = 0; i < guestfile_slots(config, kind); i++) {
			const char *keys = guestfile_keys(config, kind, i);

			FUZZ_CHECK(!keys || strlen(keys) < GUEST_KEYS_MAX);
		}
}

/* What sigmad makes of the file at a start, and the next sigmad of the text that it finds in the state */
static void read_guest(const void *bytes, size_t size)
{
	struct guest_config config = {};

	write_file(bytes, size);
	if (!guestfile_load(&config, path)) {
		check_keys(&config);
		guestfile_free(&config);
	}
	config = (struct guest_config){};
	if (!guestfile_parse(&config, path, bytes, size))
		guestfile_free(&config);
}

static void add_keys(struct input *in)
{
	static const char guest[] = "[Guest]\nKernel=/bin/sh\nMemory=256M\n";
	struct guest_config config = {};
	enum guest_device kind = take8(in) % (GUEST_DEVICE_KINDS - 1) + 1;
	char text[TEXT_MAX + 1] = "";
	int slot;

	take(in, text, in->left < TEXT_MAX ? in->left : TEXT_MAX);
	FUZZ_CHECK(!guestfile_parse(&config, "web", guest, strlen(guest)));
	for (int i = -1; i < 1; i++) {
		slot = guestfile_add(&config, kind, i, 0, text);
		if (slot < 0)
			continue;
		check_keys(&config);
		guestfile_drop(&config, kind, slot);
	}
	guestfile_free(&config);
}

static int take_range(void *data, const char *where, const struct pool_range *range)
{
	FUZZ_CHECK(range->size && range->phys + range->size - 1 >= range->phys);
	return 0;
}

static void open_kernel(const void *bytes, size_t size)
{
	struct kernel kernel = {};
	uint8_t *to;

	write_file(bytes, size);
	if (kernel_open(&kernel, path))
		return;
	FUZZ_CHECK(kernel.nr_segments && kernel.nr_segments <= KERNEL_SEGMENTS_MAX);
	FUZZ_CHECK(kernel.alignment && !(kernel.alignment & (kernel.alignment - 1)));
	FUZZ_CHECK(kernel.entry < kernel.init_size);
	if (vmlinux_matches(&kernel))
		kaslr_find(&kernel, path);
	to = kernel.init_size <= LOAD_MAX ? calloc(1, kernel.init_size) : NULL;
	if (to) {
		kernel_copy(&kernel, to);
		kaslr_move(&kernel, to, kaslr_choose(&kernel));
	}
	free(to);
	kernel_lists_bsp(&kernel);
	kernel_close(&kernel);
}

static void open_image(struct input *in)
{
	uint8_t image[IMAGE_SIZE];
	size_t size = sizeof(image);

	image_make(image, "6.1.0-50-amd64");
	while (in->left) {
		size_t at = take16(in) % (sizeof(image) + 1), len = take8(in) % 9;

		if (len > sizeof(image) - at)
			size = at;
		else
			take(in, image + at, len);
	}
	open_kernel(image, size);
}

static void open_disk(const void *bytes, size_t size)
{
	const struct format *format;
	int fd;

	write_file(bytes, size);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	FUZZ_CHECK(fd >= 0);
	format = format_recognise(fd);
	FUZZ_CHECK(!format || (*format->name && *format->remedy));
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	fuzz_begin();
	fuzz_any_bytes = true;
	switch (take8(&in) % NR_FILES) {
	case FILE_GUEST:
		read_guest(in.at, in.left);
		break;
	case FILE_KEYS:
		add_keys(&in);
		break;
	case FILE_POOL:
		write_file(in.at, in.left);
		pool_read(path, take_range, NULL);
		break;
	case FILE_IMAGE:
		open_image(&in);
		break;
	case FILE_KERNEL:
		open_kernel(in.at, in.left);
		break;
	case FILE_INITRD:
		initrd_unpacked(in.at, in.left, UNPACKED_MAX);
		break;
	case FILE_DISK:
		open_disk(in.at, in.left);
		break;
	}
	fuzz_end();
	return 0;
}

CASE(guest, GUEST "[Guest]\nCPUs=cpu1,cpu2-3\nMemory=1G\nKernel=/bin/sh\nInitrd=/bin/sh\n"
	"CommandLine=root=/dev/vda \"a=b c\" \\\n ro\nGuard=memory\nNUMANode=0\n")
CASE(devices, GUEST "[Guest]\nKernel=/bin/sh\n[Disk]\nPath=/bin/sh\nReadOnly=yes\nSerial=a-1\n"
	"[Disk]\nSocket=/run/x\n[Network]\nAddress=10.0.0.1/24 fd09::1/64\nMTU=1400\n"
	"MACAddress=52:54:00:a1:b2:c3\nGuestAddress=10.0.0.2/24\nGateway=10.0.0.1\nDNS=10.0.0.1\n"
	"[Network]\nUser=yes\nForward=tcp:127.0.0.1:80:8080\n[Share]\nPath=/tmp\nTag=t\nXattr=yes\n"
	"[Channel]\nName=log\nNumber=3\n")
CASE(structure, GUEST "# comment\n\n[Guest\nCPUs\n=\n[]\n[Guest]\n[Guest]\nCPUs=0\nMemory=99999999999999999999G\n")
CASE(no_end, GUEST "[Guest]\nCommandLine=\"")
CASE(bytes, GUEST "[Guest]\nKernel=\xff\xfe\0/x\n")
CASE(disk, KEYS "\0Path=/bin/sh\nFormat=qcow2\nReadOnly=yes\n")
CASE(net, KEYS "\1Bridge=br0\nMTU=9000\nMACAddress=52:54:00:a1:b2:c3\n")
CASE(share, KEYS "\2Path=/tmp\nTag=stuff\nReadOnly=yes\n")
CASE(pool, POOL "# all of it\n64M@0x10000000\n 1G@4G # more\n18446744073709551615@1\n0@0\n1M@\n@1M\n")
CASE(image, IMAGE)
CASE(image_setup, IMAGE, B16(0x1f1), 1, 0xff)
CASE(image_sizes, IMAGE, B16(0x260), 4, 0xff, 0xff, 0xff, 0xff, B16(0x258), 8, 0, 0, 0, 0xff, 0xff, 0xff,
	0xff, 0xff)
CASE(image_alignment, IMAGE, B16(0x230), 4, 1, 0, 0, 0)
CASE(image_payload, IMAGE, B16(0x248), 8, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f)
CASE(image_version, IMAGE, B16(0x20e), 2, 0xff, 0xff)
CASE(image_short, IMAGE, B16(0x240), 8, 0)
CASE(elf, KERNEL, 0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 62, 0, 1, 0, 0, 0,
	0, 0, 0, 1, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 56, 0,
	1, 0, 0, 0, 0, 0, 0, 0,
	1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x81, 0xff, 0xff, 0xff, 0xff,
	0, 0, 0, 1, 0, 0, 0, 0, 0x78, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0,
	'L', 'i', 'n', 'u', 'x', ' ', 'v', 'e', 'r', 's', 'i', 'o', 'n', ' ', '6', '.', '1', '.', '0', ' ', 0)
/* No section headers, and two lists behind the file: the last word names no place in the kernel */
CASE(elf_relocations, KERNEL, 0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 62, 0, 1, 0, 0, 0,
	0, 0, 0, 1, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0x8d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 56, 0,
	1, 0, 64, 0, 0, 0, 0, 0,
	1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x81, 0xff, 0xff, 0xff, 0xff,
	0, 0, 0, 1, 0, 0, 0, 0, 0x78, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0,
	'L', 'i', 'n', 'u', 'x', ' ', 'v', 'e', 'r', 's', 'i', 'o', 'n', ' ', '6', '.', '1', '.', '0', ' ', 0,
	0, 0, 0, 0, 8, 0, 0, 0x81, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)
CASE(qcow2, DISK "QFI\xfb\0\0\0\3\0\0\0\0\0\0\0\x70\0\0\0\5/a/b")
CASE(vmdk, DISK "KDMV\1\0\0\0")
CASE(vhdx, DISK "vhdxfile")
CASE(gzip, DISK "\x1f\x8b\x08")
CASE(iso, DISK "CD001")
CASE(cpio, INITRD "0707010000000100000000000000000000000000000000000000000000000500000000000000000000"
	"0000000000000000000200000000a\0\0\0hello\0\0\0\0\0\x1f\x8b\x08\0\0\0\0\0\0\3")
CASE(cpio_sizes, INITRD "07070100000001000000000000000000000000000000000000000000ffffffff00000000000000"
	"000000000000000000ffffffff00000000a\0\0\0")
