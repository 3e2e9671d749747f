/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading a message in Cap'n Proto's encoding: structs, lists and texts. The encoding is described
 * at https://capnproto.org/encoding.html. Whatever the message says, nothing outside of it is read:
 * what is not there, or is not valid, reads as 0 or as empty.
 */
#ifndef IDL_WIRE_H
#define IDL_WIRE_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct wire_struct - a struct in a message
 * @data: its data section of @data_words words
 * @pointers: its pointer section of @nr_pointers words
 */
struct wire_struct {
	const struct wire_message *message;
	uint32_t segment;
	const uint64_t *data, *pointers;
	uint32_t data_words, nr_pointers;
};

/** struct wire_list - a list of structs, as wire_element() gets them */
struct wire_list {
	struct wire_struct first;
	uint32_t count, step;
};

#define WIRE_SEGMENTS	64

/** struct wire_message - where the segments of a message are */
struct wire_message {
	uint32_t nr_segments;
	const uint64_t *segment[WIRE_SEGMENTS];
	uint32_t words[WIRE_SEGMENTS];
};

/**
 * wire_open - find the segments in @size bytes, and the message's root. Return: 0; -1: not valid
 */
int wire_open(struct wire_message *message, const void *bytes, size_t size,
	      struct wire_struct *root);

/** wire_u16, wire_u32, wire_u64 - a number at @byte of the data section, which is aligned */
uint16_t wire_u16(const struct wire_struct *in, unsigned int byte);
uint32_t wire_u32(const struct wire_struct *in, unsigned int byte);
uint64_t wire_u64(const struct wire_struct *in, unsigned int byte);

/** wire_pointer - the struct to which pointer @index points */
struct wire_struct wire_pointer(const struct wire_struct *in, unsigned int index);

/** wire_list - likewise the list of structs */
struct wire_list wire_list(const struct wire_struct *in, unsigned int index);
struct wire_struct wire_element(const struct wire_list *list, uint32_t index);

/** wire_text - likewise the text. It lives as long as the message */
const char *wire_text(const struct wire_struct *in, unsigned int index);

#endif
