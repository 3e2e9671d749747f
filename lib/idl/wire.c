// SPDX-License-Identifier: LGPL-2.1-or-later
/* See wire.h. */
#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "wire.h"

enum kind { STRUCT, LIST, FAR, OTHER };		/* the low two bits of a pointer */

#define COMPOSITE	7			/* sizes of the elements of a list */
#define BYTES		2

static uint64_t word(const uint64_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return le64toh(value);
}

int wire_open(struct wire_message *message, const void *bytes, size_t size,
	      struct wire_struct *root)
{
	const uint64_t *words = bytes;
	size_t left = size / 8, head;
	struct wire_struct all;
	uint32_t table[WIRE_SEGMENTS + 2];

	if (!left)
		return -1;
	message->nr_segments = (uint32_t)word(words) + 1;
	if (!message->nr_segments || message->nr_segments > WIRE_SEGMENTS)
		return -1;
	head = message->nr_segments / 2 + 1;
	if (head > left)
		return -1;
	memcpy(table, bytes, head * 8);
	left -= head;
	for (uint32_t i = 0; i < message->nr_segments; i++) {
		message->words[i] = le32toh(table[i + 1]);
		message->segment[i] = words + size / 8 - left;
		if (message->words[i] > left)
			return -1;
		left -= message->words[i];
	}
	if (!message->words[0])
		return -1;
	all = (struct wire_struct){ .message = message, .pointers = message->segment[0],
				    .nr_pointers = 1 };
	*root = wire_pointer(&all, 0);
	return 0;
}

static bool inside(const struct wire_message *message, uint32_t segment, int64_t at, uint64_t words)
{
	return at >= 0 && (uint64_t)at <= message->words[segment] &&
	       words <= message->words[segment] - (uint64_t)at;
}

/**
 * struct target - where a pointer leads, after far pointers
 * @value: the pointer that describes the object
 * @at: the object's first word in its segment
 */
struct target {
	uint64_t value;
	uint32_t segment;
	int64_t at;
};

static int32_t offset_of(uint64_t value)
{
	return (int32_t)(uint32_t)value >> 2;
}

/* Return: false, if it is NULL or not valid */
static bool follow(const struct wire_struct *in, unsigned int index, struct target *target)
{
	const struct wire_message *message = in->message;
	uint64_t pad;
	int64_t at;

	if (!message || index >= in->nr_pointers)
		return false;
	target->segment = in->segment;
	target->value = word(in->pointers + index);
	at = in->pointers + index - message->segment[in->segment];
	if ((target->value & 3) == FAR) {
		bool two_words = target->value & 4;

		at = (uint32_t)target->value >> 3;
		target->segment = target->value >> 32;
		if (target->segment >= message->nr_segments ||
		    !inside(message, target->segment, at, two_words ? 2 : 1))
			return false;
		pad = word(message->segment[target->segment] + at);
		if (two_words) {
			target->value = word(message->segment[target->segment] + at + 1);
			target->segment = pad >> 32;
			target->at = (uint32_t)pad >> 3;
			return target->segment < message->nr_segments;
		}
		target->value = pad;
	}
	target->at = at + 1 + offset_of(target->value);
	return target->value;
}

static struct wire_struct struct_at(const struct wire_message *message, uint32_t segment,
				    int64_t at, uint64_t value)
{
	struct wire_struct out = { .message = message, .segment = segment };
	uint32_t data = value >> 32 & 0xffff, pointers = value >> 48;

	if (!inside(message, segment, at, data + pointers))
		return (struct wire_struct){ };
	out.data = message->segment[segment] + at;
	out.data_words = data;
	out.pointers = out.data + data;
	out.nr_pointers = pointers;
	return out;
}

struct wire_struct wire_pointer(const struct wire_struct *in, unsigned int index)
{
	struct target target;

	if (!follow(in, index, &target) || (target.value & 3) != STRUCT)
		return (struct wire_struct){ };
	return struct_at(in->message, target.segment, target.at, target.value);
}

struct wire_list wire_list(const struct wire_struct *in, unsigned int index)
{
	struct wire_list list = { };
	struct target target;
	uint64_t tag, words;

	if (!follow(in, index, &target) || (target.value & 3) != LIST ||
	    (target.value >> 32 & 7) != COMPOSITE)
		return list;
	words = target.value >> 35;
	if (!inside(in->message, target.segment, target.at, words + 1))
		return list;
	tag = word(in->message->segment[target.segment] + target.at);
	list.step = (tag >> 32 & 0xffff) + (tag >> 48);
	list.count = (uint32_t)tag >> 2;
	if ((uint64_t)list.count * list.step > words)
		return (struct wire_list){ };
	list.first = struct_at(in->message, target.segment, target.at + 1, list.count ? tag : 0);
	return list;
}

struct wire_struct wire_element(const struct wire_list *list, uint32_t index)
{
	struct wire_struct element = list->first;

	if (index >= list->count || !element.message)
		return (struct wire_struct){ };
	element.data += (size_t)index * list->step;
	element.pointers += (size_t)index * list->step;
	return element;
}

const char *wire_text(const struct wire_struct *in, unsigned int index)
{
	struct target target;
	const char *text;
	uint64_t bytes;

	if (!follow(in, index, &target) || (target.value & 3) != LIST ||
	    (target.value >> 32 & 7) != BYTES)
		return "";
	bytes = target.value >> 35;
	if (!bytes || !inside(in->message, target.segment, target.at, (bytes + 7) / 8))
		return "";
	text = (const char *)(in->message->segment[target.segment] + target.at);
	return text[bytes - 1] ? "" : text;
}

static bool has(const struct wire_struct *in, unsigned int byte)
{
	return byte / 8 < in->data_words;
}

uint16_t wire_u16(const struct wire_struct *in, unsigned int byte)
{
	return has(in, byte) ? word(in->data + byte / 8) >> byte % 8 * 8 : 0;
}

uint32_t wire_u32(const struct wire_struct *in, unsigned int byte)
{
	return has(in, byte) ? word(in->data + byte / 8) >> byte % 8 * 8 : 0;
}

uint64_t wire_u64(const struct wire_struct *in, unsigned int byte)
{
	return has(in, byte) ? word(in->data + byte / 8) : 0;
}
