/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing C. Each emit_...() writes one file to the stream that emit_to() has set.
 *
 * What names are used: PREFIX is the interface's name. struct PREFIX_METHOD_in and _out are the
 * fixed parts of messages, struct PREFIX_NAME a struct of the schema as programs see it, and struct
 * PREFIX_NAME_wire the same in a message.
 */
#ifndef IDL_EMIT_H
#define IDL_EMIT_H

#include <stdio.h>

#include "schema.h"

void emit_to(FILE *stream);

/** put - printf(3) to the file that is being written */
void put(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** put_doc - the schema's comment as one of C, indented by @tabs */
void put_doc(const char *doc, const char *title, unsigned int tabs);

/** put_head, put_foot - begin and end a header; @what: of its name, after "-", or "" */
void put_head(const struct interface *interface, const char *what, const char *about);
void put_foot(void);

/** type_native - of a value or an element as programs see it: "uint32_t", "struct files_point" */
const char *type_native(const struct type *type, enum type_kind kind);

/** type_wire - the same in a message: "__le32", "struct files_point_wire" */
const char *type_wire(const struct type *type, enum type_kind kind);

/** bits_of - of a value in the fixed part that is stored as a number */
unsigned int bits_of(const struct type *type, enum type_kind kind);

/** has_tail - has it text, data or lists? */
bool has_tail(const struct fields *fields);

/** upper - NAME of @interface, or NAME_PART, in capitals */
char *upper(const struct interface *interface, const char *part);

/** handle_type - the number of a handle's type: NAME_TYPE_HANDLE */
char *handle_type(const struct interface *interface, const struct named *named);

/** measure - what says how long text, data or a list is: "path_length", "list_count" */
const char *measure(const struct field *field);

/** bytes_of - the expression of its bytes behind the fixed part, where @count is its length or count */
const char *bytes_of(const struct field *field, const char *count);

/** max_of - NAME_METHOD_FIELD_MAX */
const char *max_of(const struct interface *interface, const struct method *method,
		   const struct field *field);

/** put_load - load and check the value @from into @to, whose type programs see; @failed: what to do
 * where it is wrong
 */
void put_load(const struct type *type, enum type_kind kind, const char *to, const char *from,
	      const char *failed, unsigned int tabs);

/** put_store - store @from, as programs see it, to @to in a message */
void put_store(const struct type *type, enum type_kind kind, const char *to, const char *from,
	       unsigned int tabs);

/** put_padding - clear the padding of the struct to which @to points */
void put_padding(const struct fields *fields, const char *to, unsigned int tabs);

/** put_wire_fields - the fields of the fixed part, with padding where C would have some, too */
void put_wire_fields(const struct fields *fields);

/* Who a list of parameters is for */
enum side {
	SENDER,	  /* values, and what pointers lead to, are copied to a message */
	REPLIER,  /* likewise, handles are objects */
	SERVER,	  /* from a message: pointers lead into the ring, handles are objects */
	LISTENER, /* likewise, handles are numbers */
};

/** put_params - ", TYPE NAME" for each field */
void put_params(const struct fields *fields, enum side side);

/** put_result_params - ", TYPE *NAME" for where a server's function writes its results */
void put_result_params(const struct fields *fields);

/** put_names - ", NAME" for each of these parameters */
void put_names(const struct fields *fields);

/** put_limits - in a sender: return -EMSGSIZE where something is longer than its maximum */
void put_limits(const struct interface *interface, const struct method *method,
		const struct fields *fields);

/** put_length - in a sender: the expression of the message's length; @way: "in" or "out" */
void put_length(const struct interface *interface, const struct method *method,
		const struct fields *fields, const char *way);

/**
 * put_stores - in a sender: store all fields to "fixed" and behind it; a REPLIER has given handles
 */
void put_stores(const struct interface *interface, const struct method *method,
		const struct fields *fields, const char *way, enum side side);

/**
 * put_fixed, put_rest - in a receiver of "in", which has its own version's size: where the fixed part is,
 * @way: "in" or "out"; and where text, data and lists begin, and how many bytes there are
 */
void put_fixed(const struct interface *interface, const struct method *method, const char *way);
void put_rest(const char *in, const char *size);

/** put_fits - return where @count is more than the maximum, or than there is; @last: nothing follows */
void put_fits(const struct interface *interface, const struct method *method,
	      const struct field *field, const char *count, bool last);

/** put_next - go on behind it */
void put_next(const struct field *field, const char *count);

/**
 * put_decode - in a receiver: declare and load the arguments. Returns from it where they are wrong
 */
void put_decode(const struct interface *interface, const struct method *method, enum side side);

void emit_types(const struct interface *interface);
void emit_client(const struct interface *interface);
void emit_server(const struct interface *interface);
void emit_fuzz(const struct interface *interface);

#endif
