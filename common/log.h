/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages of sigmad for people: what happened, to what, why, what to do. They go to
 * stderr as "sigmad: NAME: text", with an sd-daemon(3) "<N>" level in front where stderr
 * is the journal. In sigmactl they begin with "sigmactl" instead: see log_as().
 */
#ifndef SIGMA_LOG_H
#define SIGMA_LOG_H

#include <stdarg.h>
#include <stdio.h>

/** log_open - set the guest's name for all further messages; NULL is allowed */
void log_open(const char *guest);

/** log_as - messages are those of @program, not of sigmad */
void log_as(const char *program);

/**
 * log_to_file - send stderr, and with it all further messages, to a file
 *
 * The file is its owner's alone, and bounded: when it is full it becomes PATH.1 and a new one is
 * begun, with the group and mode that it has then.
 * Return: 0 or -errno, not reported; stderr is as it was then.
 */
int log_to_file(const char *path);

/** log_collect - write errors of this thread, one a line, to @file, too; NULL: no more */
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
