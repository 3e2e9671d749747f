/* SPDX-License-Identifier: GPL-2.0 */
/* Values that people write in files and on command lines, and that the kernel has in sysfs. */
#ifndef SIGMA_PARSE_H
#define SIGMA_PARSE_H

#include <stddef.h>
#include <stdint.h>

/**
 * parse_size - read a number with an optional K, M, G or T (1024 times, and so on), of either case
 * @end: out: behind what was read. The caller checks what follows
 * @size: out: bytes
 *
 * The number is decimal, or hexadecimal after "0x".
 *
 * Return: 0; -EINVAL: it does not begin with a digit; -ERANGE: it is too large.
 */
int parse_size(const char *text, char **end, uint64_t *size);

/**
 * parse_first_line - read the first line of a file
 * @line: out: the line without its newline, cut to @size - 1 bytes; "" on an error
 * @format: the file's path, as for printf()
 *
 * Return: 0, or a negative errno, not reported; -EIO: the file is empty.
 */
int parse_first_line(char *line, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
