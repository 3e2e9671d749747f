/* SPDX-License-Identifier: GPL-2.0 */
/* Reads text from a stream: what a program wrote to a pipe or a terminal. */
#ifndef SIGMA_TEST_STREAM_H
#define SIGMA_TEST_STREAM_H

#include <string.h>
#include <unistd.h>

/**
 * stream_read - all that comes until the end of the stream, or until @until is there
 * @until: text, or NULL
 *
 * Return: the text, valid until the next call.
 */
static inline const char *stream_read(int fd, const char *until)
{
	static char text[1 << 16];
	size_t len = 0;
	ssize_t got;

	*text = '\0';
	while (len < sizeof(text) - 1 && !(until && strstr(text, until))) {
		got = read(fd, text + len, sizeof(text) - 1 - len);
		if (got <= 0)
			break;
		len += got;
		text[len] = '\0';
	}
	return text;
}

#endif
