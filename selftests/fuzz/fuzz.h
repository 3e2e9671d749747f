/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by all fuzz targets: reading an input piece by piece, cases with names, and checks that
 * call abort() when they fail. main.c runs a target where there is no libFuzzer.
 */
#ifndef SIGMA_FUZZ_H
#define SIGMA_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition) do {					\
	if (!(condition)) {						\
		fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
		abort();						\
	}								\
} while (0)

/**
 * struct fuzz_case - an input that was written by hand
 *
 * Cases are tests by themselves, and generated inputs are derived from them.
 */
struct fuzz_case {
	const char *name;
	const uint8_t *data;
	size_t size;
	const struct fuzz_case *next;
};

extern const struct fuzz_case *fuzz_cases;	/* the target's cases */
extern const unsigned int fuzz_inputs;		/* number of generated inputs in a test run */

/* Each target has one */
#define FUZZ_TARGET(inputs)						\
	const struct fuzz_case *fuzz_cases;				\
	const unsigned int fuzz_inputs = inputs

#define CASE(case_name, ...)						\
	static const uint8_t case_name##_data[] = { __VA_ARGS__ };	\
	static struct fuzz_case case_name = {				\
		.name = #case_name, .data = case_name##_data,		\
		.size = sizeof(case_name##_data),			\
	};								\
	static void __attribute__((constructor)) add_##case_name(void)	\
	{								\
		const struct fuzz_case **last = &fuzz_cases;		\
									\
		while (*last)						\
			last = (void *)&(*last)->next;			\
		*last = &case_name;					\
	}

/* The input is followed by zeroes */

struct input {
	const uint8_t *at;
	size_t left;
};

static inline void take(struct input *in, void *to, size_t len)
{
	size_t part = len < in->left ? len : in->left;

	memset(to, 0, len);
	if (part)
		memcpy(to, in->at, part);
	in->at += part;
	in->left -= part;
}

static inline uint8_t take8(struct input *in)
{
	uint8_t value;

	take(in, &value, sizeof(value));
	return value;
}

static inline uint16_t take16(struct input *in)
{
	uint16_t value;

	take(in, &value, sizeof(value));
	return value;
}

#define B16(value)	((value) & 0xff), ((value) >> 8 & 0xff)	/* the bytes that take16() reads */

/* common.c */

/** fuzz_begin, fuzz_end - around each input */
void fuzz_begin(void);
void fuzz_end(void);

/* Messages may quote what is no ASCII: common/log.c, which is not linked, takes control characters out */
extern bool fuzz_any_bytes;

/** fuzz_messages - number of sigmad's messages since fuzz_begin(); shown when $FUZZ_LOG is set */
unsigned int fuzz_messages(void);

/** fuzz_check_messages - there were no more messages than so many rate limits let through */
void fuzz_check_messages(unsigned int limits);

#endif
