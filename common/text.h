/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A filter for text of a guest that a person's terminal will show. Control characters (C0, DEL,
 * C1) and malformed UTF-8 become '?', so that terminals of every encoding are safe. Newline and tab
 * stay. '\r' is removed, which is part of a serial console's line ends.
 */
#ifndef SIGMA_TEXT_H
#define SIGMA_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define TEXT_HELD_MAX 3		/* bytes of a character that is not complete yet */

/**
 * struct text_filter - state of a stream of text; zeros: at its start
 * @held: the first @nr_held bytes of a character whose other bytes are in the next piece
 */
struct text_filter {
	uint8_t held[TEXT_HELD_MAX];
	uint8_t nr_held;
};

/**
 * text_clean - filter the next piece of a stream
 * @out: room for @len + TEXT_HELD_MAX bytes; must not overlap @in
 *
 * Return: the number of bytes in @out.
 */
size_t text_clean(struct text_filter *filter, const char *in, size_t len, char *out);

/** text_clean_end - end a stream: 1, with '?' in @out, if that is within a character; else 0 */
size_t text_clean_end(struct text_filter *filter, char *out);

#endif
