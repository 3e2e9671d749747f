/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Programs of others that sigmad runs to serve devices of a guest: where they are and what they can
 * do. "sigmactl check" tells the same beforehand.
 */
#ifndef SIGMA_PROGRAM_H
#define SIGMA_PROGRAM_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* The environment that such a program gets, for posix_spawn(3) and execve(2) */
extern char *const program_environment[];

/**
 * program_find - the program @name in one of the folders @usual, NULL-terminated, or $PATH
 *
 * Return: 0 or -ENOENT.
 */
int program_find(char path[PATH_MAX], const char *name, const char *const *usual);

/** program_says - does it say @text, within some seconds, when run with these arguments? */
bool program_says(char *const *argv, const char *text);

/**
 * program_find_passt - a passt that speaks vhost-user
 * @why: out: what is wrong and what to do, in the middle of a sentence, @size bytes
 *
 * Return: 0, or a negative errno, explained.
 */
int program_find_passt(char path[PATH_MAX], char *why, size_t size);

#endif
