/* SPDX-License-Identifier: GPL-2.0 */
/* The findings of 'sigmactl check': printed for people, or collected as JSON. */
#ifndef SIGMACTL_FINDING_H
#define SIGMACTL_FINDING_H

#include <stdbool.h>

enum result { RESULT_OK, RESULT_WARN, RESULT_FAIL };

/** findings_begin - @json: collect them, for programs; otherwise they are printed at once */
void findings_begin(bool json);

/**
 * found - report a finding
 * @check: what was looked at, in a word
 * @remedy: what to do about it, or NULL
 */
__attribute__((format(printf, 4, 5)))
void found(const char *check, enum result result, const char *remedy, const char *fmt, ...);

/** findings_end - print the JSON, or a @legend. Return: the number of RESULT_FAIL */
unsigned int findings_end(bool legend);

#endif
