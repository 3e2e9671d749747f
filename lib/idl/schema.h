/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An interface as iosc-idl sees it: read from what "capnp compile" says about a file (schema.c),
 * checked, and laid out (layout.c). The other files write C from it.
 */
#ifndef IDL_SCHEMA_H
#define IDL_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory.h"

/* Kinds of types. What is before TYPE_BYTES is in the fixed part of a message with all its bytes */
enum type_kind {
	TYPE_NONE,		/* the language has it, iosc-idl has not */
	TYPE_BOOL,
	TYPE_INTEGER,
	TYPE_ENUM,
	TYPE_STRUCT,
	TYPE_HANDLE,
	TYPE_BYTES,		/* Text and Data */
	TYPE_LIST,
};

/**
 * struct type - the type of a field
 * @kind: of a list: TYPE_LIST, and the rest is about its elements, but for @element
 * @element: of a list: kind of its elements
 * @bits: of an integer
 * @is_signed: of an integer
 * @is_text: of bytes
 * @named: enum, struct, or interface of a handle
 * @why: of TYPE_NONE: why not, and what to write instead
 */
struct type {
	enum type_kind kind, element;
	unsigned int bits;
	bool is_signed, is_text;
	struct named *named;
	const char *why;
};

/**
 * struct field - of a struct, or an argument or a result of a method
 * @name: in C
 * @max: of text, data and lists
 * @closes: the handle is closed
 * @offset: in the fixed part, of the value, of the length or of the count
 */
struct field {
	char *name;
	const char *label;	/* in the schema */
	struct type type;
	uint32_t max;
	bool closes, has_default;
	uint32_t offset;
};

/**
 * struct fields - a struct, or arguments or results
 * @size: bytes up to the end of the last field
 * @align: the strictest alignment of a field
 * @longest: bytes of the longest message, header included
 */
struct fields {
	struct field *field;
	unsigned int count;
	uint32_t size, align, longest;
};

/**
 * struct named - an enum, a struct, or an interface whose handles are passed
 * @name: in C, with the prefix of the interface around it
 * @value: of an enum: names of its values in C
 * @is_errors: the enum of the interface's errors
 * @number: of a handle's type: from 1
 * @placed: layout() has placed its fields
 */
struct named {
	uint64_t id;
	char *name;
	const char *label;
	const char *doc;
	enum type_kind kind;
	char **value;
	unsigned int nr_values;
	bool is_errors, placed;
	unsigned int number;
	struct fields fields;
	struct named *next;
};

enum method_kind { METHOD_CALL, METHOD_ONEWAY, METHOD_EVENT };

struct method {
	char *name;
	const char *label;
	const char *doc;
	unsigned int ordinal;
	enum method_kind kind;
	struct fields in, out;
};

/**
 * struct interface - what one set of headers is made of
 * @file: as it was given
 * @name: in C
 * @longest: bytes of the longest reply, header included
 */
struct interface {
	const char *file;
	char *name;
	const char *label;
	const char *doc;
	uint64_t id;
	struct method *method;
	unsigned int nr_methods;
	struct named *named;
	const struct named *errors;
	unsigned int nr_handles;
	uint32_t longest;
};

/**
 * schema_read - read what "capnp compile -o-" wrote
 * @file: name for messages
 *
 * Each mistake is a message on the standard error. Return: the interface, or NULL.
 */
struct interface *schema_read(const char *file, const void *bytes, size_t size);

/** mistake - print "FILE: WHERE: ..." and remember that there was one */
void mistake(const char *file, const char *where, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool had_mistakes(void);

/** layout - place all fields, and check what a message can hold */
void layout(struct interface *interface);

#endif
