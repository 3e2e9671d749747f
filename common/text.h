/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Text of a guest on its way to a person's terminal. What could control the terminal, C0, DEL
 * and C1, and whatever isn't well-formed UTF-8 becomes '?', so that terminals of every
 * encoding are safe; newline and tab stay, and '\r', of a serial console's line ends, goes.
 */
#ifndef SIGMA_TEXT_H
#define SIGMA_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define TEXT_HELD_MAX 3		/* bytes of a character that is not complete yet */

/**
 * struct text_filter - where a stream of text is; zeros: at its start
 * @held: the first @nr_held bytes of a character that goes on in the next piece
 */
struct text_filter {
	uint8_t held[TEXT_HELD_MAX];
	uint8_t nr_held;
};

/**
 * text_clean - filter the next piece of a stream
 * @out: room for @len + TEXT_HELD_MAX bytes; not @in
 *
 * Return: how many bytes are in @out.
 */
size_t text_clean(struct text_filter *filter, const char *in, size_t len, char *out);

/** text_clean_end - the stream ends: 1 and '?' in @out when that was within a character, or 0 */
size_t text_clean_end(struct text_filter *filter, char *out);

#endif
