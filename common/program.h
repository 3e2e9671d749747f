/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Programs of other projects that sigmad runs to serve a guest's devices (virtiofsd, passt):
 * find them, and test what they support. "sigmactl check" does so before a guest starts.
 */
#ifndef SIGMA_PROGRAM_H
#define SIGMA_PROGRAM_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* The environment that such a program gets, for posix_spawn(3) and execve(2) */
extern char *const program_environment[];

/**
 * program_find - find the program @name in the folders @usual (NULL-terminated), then in $PATH
 *
 * Return: 0 or -ENOENT.
 */
int program_find(char path[PATH_MAX], const char *name, const char *const *usual);

/** program_says - does the program print @text when run with @argv? Waits some seconds at most */
bool program_says(char *const *argv, const char *text);

/**
 * program_find_passt - find a passt that supports vhost-user
 * @why: out, on an error: reason and remedy, for the end of a message, @size bytes
 *
 * Return: 0 or a negative errno, explained in @why.
 */
int program_find_passt(char path[PATH_MAX], char *why, size_t size);

#endif
