// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Reading a CodeGeneratorRequest, which is how "capnp compile" tells plugins what is in a file: see
 * schema.capnp of Cap'n Proto. The numbers below are the places of its fields, as "capnp compile
 * -ocapnp schema.capnp" prints them.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "schema.h"
#include "wire.h"

enum { REQUEST_NODES = 0, REQUEST_FILES = 1, REQUEST_SOURCES = 3 };
enum {
	NODE_ID = 0, NODE_PREFIX = 8, NODE_TAG = 12, NODE_SCOPE = 16, NODE_DISCRIMINANTS = 30,
	NODE_GENERIC = 36, NODE_NAME = 0, NODE_ANNOTATIONS = 2, NODE_MEMBERS = 3, NODE_SUPERS = 4,
};
enum node_tag { NODE_FILE, NODE_STRUCT, NODE_ENUM, NODE_INTERFACE };
enum {
	FIELD_TAG = 8, FIELD_FLAGS = 16, FIELD_NAME = 0, FIELD_ANNOTATIONS = 1, FIELD_TYPE = 2,
};
enum {
	METHOD_IN = 8,
	METHOD_OUT = 16,
	METHOD_NAME = 0,
	METHOD_ANNOTATIONS = 1,
	METHOD_GENERIC = 4
};
enum { TYPE_TAG = 0, TYPE_ID = 8, TYPE_ELEMENT = 0 };
enum type_tag {
	TAG_VOID,
	TAG_BOOL,
	TAG_INT8,
	TAG_UINT8 = 6,
	TAG_FLOAT32 = 10,
	TAG_FLOAT64,
	TAG_TEXT,
	TAG_DATA,
	TAG_LIST,
	TAG_ENUM,
	TAG_STRUCT,
	TAG_INTERFACE
};
enum { ANNOTATION_ID = 0, ANNOTATION_VALUE = 0, VALUE_UINT32 = 4 };

/* iosc.capnp */
#define ANNOTATE_MAX	0xb1c0ffee00000001
#define ANNOTATE_ONEWAY	0xb1c0ffee00000002
#define ANNOTATE_EVENT	0xb1c0ffee00000003
#define ANNOTATE_ERRORS	0xb1c0ffee00000004
#define ANNOTATE_CLOSES	0xb1c0ffee00000005

struct reader {
	struct interface *interface;
	struct wire_list nodes, sources;
};

static bool mistakes;

void mistake(const char *file, const char *where, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "%s: %s: ", file, where);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	mistakes = true;
}

bool had_mistakes(void)
{
	return mistakes;
}

/* Nodes */

static struct wire_struct node_of(const struct reader *reader, uint64_t id)
{
	for (uint32_t i = 0; i < reader->nodes.count; i++) {
		struct wire_struct node = wire_element(&reader->nodes, i);

		if (wire_u64(&node, NODE_ID) == id)
			return node;
	}
	return (struct wire_struct){ };
}

/* "Files.Point", of "files.capnp:Files.Point" */
static const char *label_of(const struct wire_struct *node)
{
	const char *name = wire_text(node, NODE_NAME), *colon = strrchr(name, ':');

	return colon ? colon + 1 : name;
}

static const char *own_name(const struct wire_struct *node)
{
	const char *name = wire_text(node, NODE_NAME);
	uint32_t prefix = wire_u32(node, NODE_PREFIX);

	return prefix < strlen(name) ? name + prefix : name;
}

/* The comment below a declaration; @member: of its member, -1: its own */
static const char *doc_of(const struct reader *reader, uint64_t id, int member)
{
	for (uint32_t i = 0; i < reader->sources.count; i++) {
		struct wire_struct source = wire_element(&reader->sources, i);
		struct wire_list members = wire_list(&source, 1);
		struct wire_struct one;

		if (wire_u64(&source, 0) != id)
			continue;
		if (member < 0)
			return wire_text(&source, 0);
		one = wire_element(&members, member);
		return wire_text(&one, 0);
	}
	return "";
}

static bool annotated(const struct wire_struct *in, unsigned int annotations, uint64_t id,
		      uint32_t *value)
{
	struct wire_list list = wire_list(in, annotations);

	for (uint32_t i = 0; i < list.count; i++) {
		struct wire_struct one = wire_element(&list, i);
		struct wire_struct seen = wire_pointer(&one, ANNOTATION_VALUE);

		if (wire_u64(&one, ANNOTATION_ID) != id)
			continue;
		if (value)
			*value = wire_u32(&seen, VALUE_UINT32);
		return true;
	}
	return false;
}

/* Names of C */

static void check_name(struct reader *reader, const char *where, const char *name, bool is_method)
{
	const char *why = name_taken(name, is_method);

	if (why)
		mistake(reader->interface->file, where, "\"%s\" is %s; give it another name", name,
			why);
}

/* Types */

static void read_fields(struct reader *reader, struct fields *out, const struct wire_struct *node,
			const char *where);

static void read_enum(struct reader *reader, struct named *named, const struct wire_struct *node)
{
	struct wire_list values = wire_list(node, NODE_MEMBERS);

	named->nr_values = values.count;
	named->value = keep(values.count * sizeof(*named->value));
	for (uint32_t i = 0; i < values.count; i++) {
		struct wire_struct value = wire_element(&values, i);
		char *name = name_snake(wire_text(&value, 0));

		named->value[i] = name_upper(text("%s_%s", named->name, name));
	}
}

static struct named *named_of(struct reader *reader, uint64_t id, enum type_kind kind)
{
	struct interface *interface = reader->interface;
	struct named **at = &interface->named;
	struct wire_struct node = node_of(reader, id);
	struct named *named;
	char *name = name_snake(own_name(&node));

	name = text("%s_%s", interface->name, name);
	for (; *at; at = &(*at)->next) {
		if ((*at)->id == id)
			return *at;
		if (!strcmp((*at)->name, name))
			mistake(interface->file, label_of(&node),
				"its name in C, %s, is that of %s; give one of them another name",
				name, (*at)->label);
	}
	named = keep(sizeof(*named));
	named->id = id;
	named->name = name;
	named->label = label_of(&node);
	named->doc = doc_of(reader, id, -1);
	named->kind = kind;
	*at = named;
	if (kind == TYPE_HANDLE) {
		named->number = ++interface->nr_handles;
		if (wire_list(&node, NODE_MEMBERS).count)
			mistake(interface->file, named->label,
				"a handle's interface has methods; make them methods of %s that take the handle",
				interface->label);
	} else if (kind == TYPE_ENUM) {
		read_enum(reader, named, &node);
	} else {
		read_fields(reader, &named->fields, &node, named->label);
	}
	/* What a struct has comes before it */
	for (at = &interface->named; *at != named; at = &(*at)->next)
		;
	*at = named->next;
	for (; *at; at = &(*at)->next)
		;
	named->next = NULL;
	*at = named;
	return named;
}

static void read_type(struct reader *reader, struct type *type, const struct wire_struct *in)
{
	static const unsigned int bits[] = { 8, 16, 32, 64 };
	unsigned int tag = wire_u16(in, TYPE_TAG);
	uint64_t id = wire_u64(in, TYPE_ID);

	switch (tag) {
	case TAG_BOOL:
		type->kind = TYPE_BOOL;
		break;
	case TAG_INT8 ... TAG_FLOAT32 - 1:
		type->kind = TYPE_INTEGER;
		type->is_signed = tag < TAG_UINT8;
		type->bits = bits[(tag - TAG_INT8) % 4];
		break;
	case TAG_TEXT:
	case TAG_DATA:
		type->kind = TYPE_BYTES;
		type->is_text = tag == TAG_TEXT;
		break;
	case TAG_ENUM:
		type->kind = TYPE_ENUM;
		type->named = named_of(reader, id, TYPE_ENUM);
		break;
	case TAG_STRUCT:
		type->kind = TYPE_STRUCT;
		type->named = named_of(reader, id, TYPE_STRUCT);
		break;
	case TAG_INTERFACE:
		type->kind = TYPE_HANDLE;
		type->named = named_of(reader, id, TYPE_HANDLE);
		break;
	case TAG_FLOAT32:
	case TAG_FLOAT64:
		type->why =
			"is a floating-point number, which kernels have not; use an integer of a smaller unit";
		break;
	case TAG_VOID:
		type->why = "is Void; leave it out, or use Bool";
		break;
	default:
		type->why = "is AnyPointer or generic; use Data, or a type of its own";
	}
}

static void read_list(struct reader *reader, struct type *type, const struct wire_struct *in)
{
	struct wire_struct element = wire_pointer(in, TYPE_ELEMENT);

	read_type(reader, type, &element);
	type->element = type->kind;
	if (type->kind == TYPE_BYTES || type->kind == TYPE_HANDLE ||
	    wire_u16(&element, 0) == TAG_LIST) {
		type->kind = TYPE_NONE;
		type->why =
			"is a list of texts, data, lists or handles; use a list of structs or numbers, or one call for each";
	} else if (type->kind != TYPE_NONE) {
		type->kind = TYPE_LIST;
	}
}

static void read_field(struct reader *reader, struct field *field, const struct wire_struct *in,
		       const char *where)
{
	struct wire_struct type = wire_pointer(in, FIELD_TYPE);
	const char *file = reader->interface->file;

	field->label = wire_text(in, FIELD_NAME);
	field->name = name_snake(field->label);
	where = text("%s: %s", where, field->label);
	check_name(reader, where, field->name, false);
	if (wire_u16(in, FIELD_TAG)) {
		mistake(file, where, "is a group; make it a struct of its own");
		return;
	}
	if (wire_u16(&type, TYPE_TAG) == TAG_LIST)
		read_list(reader, &field->type, &type);
	else
		read_type(reader, &field->type, &type);
	if (field->type.why)
		mistake(file, where, "%s", field->type.why);
	if (wire_u16(in, FIELD_FLAGS) & 1)
		mistake(file, where,
			"has a default; leave it out, since what an older program does not send is 0");
	if (annotated(in, FIELD_ANNOTATIONS, ANNOTATE_MAX, &field->max)) {
		if (field->type.kind < TYPE_BYTES)
			mistake(file, where, "$max is for text, data and lists; take it out");
		else if (!field->max)
			mistake(file, where,
				"$max(0) leaves no room; give the most bytes or elements");
	} else if (field->type.kind >= TYPE_BYTES) {
		mistake(file, where,
			"has no maximum; say $Iosc.max(N), with the most bytes or elements");
	}
	field->closes = annotated(in, FIELD_ANNOTATIONS, ANNOTATE_CLOSES, NULL);
	if (field->closes && field->type.kind != TYPE_HANDLE)
		mistake(file, where, "$closes is for handles; take it out");
}

static void read_fields(struct reader *reader, struct fields *out, const struct wire_struct *node,
			const char *where)
{
	struct wire_list fields = wire_list(node, NODE_MEMBERS);

	if (wire_u16(node, NODE_DISCRIMINANTS))
		mistake(reader->interface->file, where,
			"has a union; use an enum and the fields of all cases, or a method for each");
	out->field = keep(fields.count * sizeof(*out->field));
	out->count = fields.count;
	for (uint32_t i = 0; i < fields.count; i++) {
		struct wire_struct field = wire_element(&fields, i);

		read_field(reader, &out->field[i], &field, where);
	}
}

/* Methods */

static void read_method(struct reader *reader, struct method *method, const struct wire_struct *in)
{
	struct wire_struct params = node_of(reader, wire_u64(in, METHOD_IN));
	struct wire_struct results = node_of(reader, wire_u64(in, METHOD_OUT));
	const char *file = reader->interface->file, *where;
	bool oneway = annotated(in, METHOD_ANNOTATIONS, ANNOTATE_ONEWAY, NULL);
	bool event = annotated(in, METHOD_ANNOTATIONS, ANNOTATE_EVENT, NULL);

	method->label = wire_text(in, METHOD_NAME);
	method->name = name_snake(method->label);
	where = text("%s.%s", reader->interface->label, method->label);
	check_name(reader, where, method->name, true);
	if (wire_list(in, METHOD_GENERIC).count)
		mistake(file, where, "is generic; give its arguments types");
	read_fields(reader, &method->in, &params, where);
	read_fields(reader, &method->out, &results, where);
	method->kind = event ? METHOD_EVENT : oneway ? METHOD_ONEWAY : METHOD_CALL;
	if (event && oneway)
		mistake(file, where,
			"is both $oneway and $event; an event goes from the server to the client");
	if (method->kind != METHOD_CALL && method->out.count)
		mistake(file, where, "has results, but %s gets no reply; take one of them away",
			event ? "an event" : "a one-way message");
	for (unsigned int i = 0; i < method->in.count; i++)
		for (unsigned int k = 0; k < method->out.count; k++)
			if (!strcmp(method->in.field[i].name, method->out.field[k].name))
				mistake(file, where,
					"%s: an argument and a result have this name; give one of them another",
					method->in.field[i].label);
	for (unsigned int i = 0; event && i < method->in.count; i++)
		if (method->in.field[i].closes)
			mistake(file, where, "%s: an event closes no handle; take $closes out",
				method->in.field[i].label);
}

static void read_errors(struct reader *reader)
{
	struct interface *interface = reader->interface;

	for (uint32_t i = 0; i < reader->nodes.count; i++) {
		struct wire_struct node = wire_element(&reader->nodes, i);
		struct named *named;

		if (wire_u16(&node, NODE_TAG) != NODE_ENUM ||
		    wire_u64(&node, NODE_SCOPE) != interface->id ||
		    !annotated(&node, NODE_ANNOTATIONS, ANNOTATE_ERRORS, NULL))
			continue;
		named = named_of(reader, wire_u64(&node, NODE_ID), TYPE_ENUM);
		named->is_errors = true;
		if (interface->errors)
			mistake(interface->file, named->label,
				"is the second enum of errors after %s; keep one",
				interface->errors->label);
		interface->errors = named;
	}
}

static void read_interface(struct reader *reader, const struct wire_struct *node)
{
	struct interface *interface = reader->interface;
	struct wire_list methods = wire_list(node, NODE_MEMBERS);

	interface->id = wire_u64(node, NODE_ID);
	interface->label = own_name(node);
	interface->name = name_snake(interface->label);
	interface->doc = doc_of(reader, interface->id, -1);
	if (wire_list(node, NODE_SUPERS).count)
		mistake(interface->file, interface->label,
			"extends another interface; copy its methods");
	if (wire_u32(node, NODE_GENERIC) & 1)
		mistake(interface->file, interface->label, "is generic; give its methods types");
	interface->nr_methods = methods.count;
	interface->method = keep(methods.count * sizeof(*interface->method));
	read_errors(reader);
	for (uint32_t i = 0; i < methods.count; i++) {
		struct wire_struct method = wire_element(&methods, i);

		interface->method[i].ordinal = i;
		interface->method[i].doc = doc_of(reader, interface->id, i);
		read_method(reader, &interface->method[i], &method);
	}
}

struct interface *schema_read(const char *file, const void *bytes, size_t size)
{
	struct interface *interface = keep(sizeof(*interface));
	struct reader reader = { .interface = interface };
	struct wire_message *message = keep(sizeof(*message));
	struct wire_struct request, requested, found = { };
	struct wire_list files;

	interface->file = file;
	mistakes = false;
	if (wire_open(message, bytes, size, &request)) {
		mistake(file, "capnp", "its output is not a schema; which program is \"capnp\"?");
		return NULL;
	}
	reader.nodes = wire_list(&request, REQUEST_NODES);
	reader.sources = wire_list(&request, REQUEST_SOURCES);
	files = wire_list(&request, REQUEST_FILES);
	requested = wire_element(&files, 0);
	for (uint32_t i = 0; i < reader.nodes.count; i++) {
		struct wire_struct node = wire_element(&reader.nodes, i);

		if (wire_u16(&node, NODE_TAG) != NODE_INTERFACE ||
		    !wire_list(&node, NODE_MEMBERS).count ||
		    wire_u64(&node, NODE_SCOPE) != wire_u64(&requested, 0))
			continue;
		if (found.message)
			mistake(file, label_of(&node),
				"is the second interface after %s; give it a file of its own",
				label_of(&found));
		found = node;
	}
	if (!found.message) {
		mistake(file, "interface",
			"there is none with methods; declare one at the top level of the file");
		return NULL;
	}
	read_interface(&reader, &found);
	if (!mistakes)
		layout(interface);
	return mistakes ? NULL : interface;
}
