/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Standard output, as a program of people and scripts treats it: what was not written is an error.
 *
 * main() begins with output_open() and ends with output_close(), so verbs print and need not check.
 * A verb that prints as things happen calls output_flush() after each of them, and ends when the
 * output fails. Code that writes to STDOUT_FILENO without stdio reports a failure by output_fail().
 */
#ifndef SIGMA_OUTPUT_H
#define SIGMA_OUTPUT_H

#include <stdbool.h>

/**
 * output_open - to be called before any file is opened
 *
 * A program may be started without standard streams (">&-"). The first file that it opens would
 * then become one of them, and would get its messages.
 */
void output_open(void);

/** output_flush - write what stdio holds for stdout; false if that, or anything before, failed */
bool output_flush(void);

/** output_works - has nothing failed so far? */
bool output_works(void);

/** output_fail - note that a write to stdout failed with @error, an errno; the first one counts */
void output_fail(int error);

/**
 * output_close - write and close stdout, and report what failed
 * @status: the exit status if nothing failed
 *
 * Return: the exit status: if @status is 0 and output was lost, 1. If it was lost because its
 * reader has ended, as in "sigmactl list | head -n 1", that is no mistake: there is no message, and
 * unless @status says more, the process ends by SIGPIPE, also if its parent ignores this signal.
 */
int output_close(int status);

#endif
