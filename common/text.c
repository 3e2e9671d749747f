// SPDX-License-Identifier: GPL-2.0
/*
 * The filter of text.h. The Unicode Standard, table 3-7, defines well-formed UTF-8: no overlong
 * forms, no surrogates, nothing beyond U+10FFFF. In malformed text each maximal subpart of a
 * character becomes one '?' (ibid., "U+FFFD Substitution of Maximal Subparts").
 */
#include <stdbool.h>
#include <string.h>

#include "text.h"

/* Length in bytes of a character that begins with @lead; 0: no character begins with it */
static unsigned int length(uint8_t lead)
{
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef)
		return 3;
	if (lead >= 0xf0 && lead <= 0xf4)
		return 4;
	return 0;
}

/* Can @next follow the first @nr bytes of a character? */
static bool can_follow(const uint8_t *held, unsigned int nr, uint8_t next)
{
	uint8_t from = 0x80, to = 0xbf;

	if (nr == 1) {
		switch (held[0]) {
		case 0xe0:		/* else overlong */
			from = 0xa0;
			break;
		case 0xed:		/* else a surrogate */
			to = 0x9f;
			break;
		case 0xf0:		/* else overlong */
			from = 0x90;
			break;
		case 0xf4:		/* else beyond U+10FFFF */
			to = 0x8f;
			break;
		}
	}
	return next >= from && next <= to;
}

static bool is_control(const uint8_t *character)
{
	if (character[0] == '\n' || character[0] == '\t')
		return false;
	return character[0] < ' ' || character[0] == 0x7f ||
	       (character[0] == 0xc2 && character[1] < 0xa0);
}

size_t text_clean(struct text_filter *filter, const char *in, size_t len, char *out)
{
	char *to = out;

	for (size_t i = 0; i < len; i++) {
		uint8_t character[TEXT_HELD_MAX + 1], c = in[i];
		unsigned int nr;

		if (c == '\r')
			continue;
		if (filter->nr_held && !can_follow(filter->held, filter->nr_held, c))
			to += text_clean_end(filter, to);

		nr = filter->nr_held;
		memcpy(character, filter->held, nr);
		character[nr++] = c;
		if (nr < length(character[0])) {
			filter->held[filter->nr_held++] = c;
			continue;
		}
		filter->nr_held = 0;
		if (!length(character[0]) || is_control(character)) {
			*to++ = '?';
		} else {
			memcpy(to, character, nr);
			to += nr;
		}
	}
	return to - out;
}

size_t text_clean_end(struct text_filter *filter, char *out)
{
	if (!filter->nr_held)
		return 0;
	filter->nr_held = 0;
	*out = '?';
	return 1;
}
