/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages for people: what happened, to what, why, what to do. They go to stderr as
 * "sigmad: NAME: text". If stderr is the journal, an sd-daemon(3) "<N>" level stands in front.
 * sigmactl replaces the program's name by log_as().
 */
#ifndef SIGMA_LOG_H
#define SIGMA_LOG_H

#include <stdarg.h>
#include <stdio.h>

/** log_open - set the guest's name for all further messages (NULL: none), and look at stderr */
void log_open(const char *guest);

/** log_as - set the program's name for all further messages; it is "sigmad" at first */
void log_as(const char *program);

/**
 * log_to_file - send stderr, and with it all further messages, to a file
 *
 * Only its owner may read the file at first. Its size is bounded: a full file is renamed to PATH.1,
 * and a new one begins with the group and mode that the full one had.
 * Return: 0; or -errno, not reported, and stderr is as it was.
 */
int log_to_file(const char *path);

/** log_brief - only warnings and errors, until log_to_file() */
void log_brief(void);

/** log_collect - also write this thread's errors to @file, one per line; NULL ends that */
void log_collect(FILE *file);

void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * log_error - say what went wrong
 * @error: a negative errno, not added to the text
 *
 * Return: @error, so that a caller can write "return log_error(-EINVAL, ...)".
 */
int log_error(int error, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
