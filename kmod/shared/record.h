/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/*
 * Records in a channel's ring (uapi/channel.h): finding the next one, and placing a new one. Used
 * by both kernels and by libiosc.
 *
 * A hostile peer may have written everything in the ring and both indices. Each word is read once,
 * and whatever its value, the result lies within the ring.
 */
#ifndef _SIGMA_RECORD_H
#define _SIGMA_RECORD_H

#ifdef __KERNEL__
#include <linux/errno.h>
#include <asm/byteorder.h>
#else
#include <endian.h>
#include <errno.h>
#define le32_to_cpu(value)	le32toh(value)
#define cpu_to_le32(value)	htole32(value)
#endif

#include "../uapi/channel.h"

/**
 * struct sigma_record - a message's place in the ring
 * @offset: of its first byte in the ring
 * @length: bytes, 1..SIGMA_CHANNEL_MSG_MAX
 * @next: index after the record
 */
struct sigma_record {
	__u32 offset;
	__u32 length;
	__u32 next;
};

/** sigma_record_size - bytes of the record of a message of @length bytes, header included */
static inline __u32 sigma_record_size(__u32 length)
{
	return sizeof(struct sigma_record_header) +
	       ((length + SIGMA_RECORD_ALIGN - 1) & ~(SIGMA_RECORD_ALIGN - 1U));
}

/** sigma_record_used - bytes in the ring, or -EPROTO where the indices are invalid */
static inline int sigma_record_used(__u32 produced, __u32 consumed)
{
	__u32 used = produced - consumed;

	if (used > SIGMA_CHANNEL_RING || (produced | consumed) & (SIGMA_RECORD_ALIGN - 1))
		return -EPROTO;
	return used;
}

/** sigma_record_need - bytes that a message of @length takes at @produced, padding included */
static inline __u32 sigma_record_need(__u32 produced, __u32 length)
{
	__u32 rest = SIGMA_CHANNEL_RING - (produced & (SIGMA_CHANNEL_RING - 1));
	__u32 size = sigma_record_size(length);

	return size > rest ? rest + size : size;
}

/**
 * sigma_record_find - find the oldest message
 * @data: the ring
 * @record: out
 *
 * Return: 1, 0 when there is none, -EPROTO when the ring has no valid record there.
 */
static inline int sigma_record_find(const __u8 *data, __u32 produced, __u32 consumed,
				    struct sigma_record *record)
{
	int used = sigma_record_used(produced, consumed);

	while (used > 0) {
		__u32 at = consumed & (SIGMA_CHANNEL_RING - 1), rest = SIGMA_CHANNEL_RING - at;
		const volatile struct sigma_record_header *header = (const void *)(data + at);
		__u32 length = le32_to_cpu(header->length);

		if (length == SIGMA_RECORD_PAD) {
			/* Padding never fills the whole ring, and a record always follows it */
			if (!at || rest >= (__u32)used)
				return -EPROTO;
			consumed += rest;
			used -= rest;
			continue;
		}
		if (!length || length > SIGMA_CHANNEL_MSG_MAX)
			return -EPROTO;
		if (sigma_record_size(length) > rest || sigma_record_size(length) > (__u32)used)
			return -EPROTO;
		record->offset = at + sizeof(*header);
		record->length = length;
		record->next = consumed + sigma_record_size(length);
		return 1;
	}
	return used;
}

/**
 * sigma_record_place - find a place for a message
 * @length: 1..SIGMA_CHANNEL_MSG_MAX
 * @record: out
 *
 * Return: 0, -ENOSPC when there is no room, -EPROTO when the indices are invalid.
 */
static inline int sigma_record_place(__u32 produced, __u32 consumed, __u32 length,
				     struct sigma_record *record)
{
	int used = sigma_record_used(produced, consumed);
	__u32 need = sigma_record_need(produced, length);

	if (used < 0)
		return used;
	if (need > SIGMA_CHANNEL_RING - (__u32)used)
		return -ENOSPC;
	record->next = produced + need;
	record->offset = ((record->next - sigma_record_size(length)) & (SIGMA_CHANNEL_RING - 1)) +
			 sizeof(struct sigma_record_header);
	record->length = length;
	return 0;
}

/** sigma_record_head - write the header, and padding, of a record that was placed at @produced */
static inline void sigma_record_head(__u8 *data, __u32 produced, const struct sigma_record *record)
{
	__u32 at = produced & (SIGMA_CHANNEL_RING - 1);
	struct sigma_record_header *header = (void *)(data + at);

	if (record->offset != at + sizeof(*header)) {
		header->length = cpu_to_le32(SIGMA_RECORD_PAD);
		header->reserved = 0;
		header = (void *)(data + record->offset - sizeof(*header));
	}
	header->length = cpu_to_le32(record->length);
	header->reserved = 0;
}

#endif
