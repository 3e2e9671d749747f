/* SPDX-License-Identifier: GPL-2.0 */
/* An empty qcow2 image of 1 MiB: header, refcounts and a table without entries, 64 KiB each. */
#ifndef SIGMA_TEST_QCOW2_H
#define SIGMA_TEST_QCOW2_H

#include <endian.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QCOW2_SIZE	(1 << 20)
#define QCOW2_CLUSTER	0x10000

struct qcow2_image {
	uint32_t magic, version;
	uint64_t backing_offset;
	uint32_t backing_size, cluster_bits;
	uint64_t size;
	uint32_t crypt_method, l1_size;
	uint64_t l1_offset, refcount_offset;
	uint32_t refcount_clusters, nr_snapshots;
	uint64_t snapshots_offset, incompatible, compatible, autoclear;
	uint32_t refcount_order, header_length;
	uint64_t end_of_extensions;
	char backing[64];
} __attribute__((packed));

/* @backing: NULL, or the name of the file that the header says the image is based on */
static inline void qcow2_make(const char *path, const char *backing, uint64_t incompatible)
{
	struct qcow2_image head = {
		.magic = htobe32(0x514649fb), .version = htobe32(3),
		.cluster_bits = htobe32(16), .size = htobe64(QCOW2_SIZE), .l1_size = htobe32(1),
		.l1_offset = htobe64(3 * QCOW2_CLUSTER),
		.refcount_offset = htobe64(QCOW2_CLUSTER), .refcount_clusters = htobe32(1),
		.incompatible = htobe64(incompatible), .refcount_order = htobe32(4),
		.header_length = htobe32(offsetof(struct qcow2_image, end_of_extensions)),
	};
	const uint64_t table = htobe64(2 * QCOW2_CLUSTER);
	const uint16_t counts[] = { htobe16(1), htobe16(1), htobe16(1), htobe16(1) };
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (backing) {
		head.backing_offset = htobe64(offsetof(struct qcow2_image, backing));
		head.backing_size = htobe32(strlen(backing));
		strncpy(head.backing, backing, sizeof(head.backing) - 1);
	}
	if (ftruncate(fd, 4 * QCOW2_CLUSTER) ||
	    pwrite(fd, &head, sizeof(head), 0) != sizeof(head) ||
	    pwrite(fd, &table, sizeof(table), QCOW2_CLUSTER) != sizeof(table) ||
	    pwrite(fd, counts, sizeof(counts), 2 * QCOW2_CLUSTER) != sizeof(counts))
		abort();
	close(fd);
}

#endif
