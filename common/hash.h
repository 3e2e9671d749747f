/* SPDX-License-Identifier: GPL-2.0 */
/* The 64-bit FNV-1a hash, which makes stable numbers from names. It is not cryptographic. */
#ifndef SIGMA_HASH_H
#define SIGMA_HASH_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t hash_byte(uint64_t hash, uint8_t byte)
{
	const uint64_t prime = 0x100000001b3;

	return (hash ^ byte) * prime;
}

static inline uint64_t hash_text(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325;	/* the offset basis */

	while (*text)
		hash = hash_byte(hash, *text++);
	return hash;
}

static inline uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	while (len--)
		hash = hash_byte(hash, *at++);
	return hash;
}

#endif
