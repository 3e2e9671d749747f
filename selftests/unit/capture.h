/* SPDX-License-Identifier: GPL-2.0 */
/* Captures what the code under test writes to stderr, so that messages can be tested. */
#ifndef SIGMA_TEST_CAPTURE_H
#define SIGMA_TEST_CAPTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int capture_file = -1, capture_stderr = -1;
static char capture_buffer[1 << 14];

static inline void capture_start(void)
{
	capture_file = memfd_create("stderr", MFD_CLOEXEC);
	capture_stderr = dup(STDERR_FILENO);
	if (capture_file < 0 || capture_stderr < 0 || dup2(capture_file, STDERR_FILENO) < 0) {
		perror("cannot catch stderr");
		exit(EXIT_FAILURE);
	}
}

/** capture_peek - what was written since capture_start(); valid until the next call of these */
static inline const char *capture_peek(void)
{
	ssize_t len = pread(capture_file, capture_buffer, sizeof(capture_buffer) - 1, 0);

	capture_buffer[len > 0 ? len : 0] = '\0';
	return capture_buffer;
}

/** capture_end - the same, and end the capture */
static inline const char *capture_end(void)
{
	dup2(capture_stderr, STDERR_FILENO);
	close(capture_stderr);
	capture_peek();
	close(capture_file);
	return capture_buffer;
}

#define EXPECT_SAID(text, said) do {					\
	if (!strstr(said, text))					\
		TAP_FAIL("\"%s\" is not in: %s", text, said);		\
} while (0)

#endif
