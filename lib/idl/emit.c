// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the files that write C share: see emit.h. */
#include <err.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "emit.h"
#include "names.h"

#define COLUMNS	100
#define TAB	8

static FILE *out;

void emit_to(FILE *stream)
{
	out = stream;
}

/*
 * Where to break a line that is too long: behind the last comma or plus that fits. Return: 0:
 * nowhere
 */
static size_t fitting(const char *line)
{
	size_t column = 0, best = 0;

	for (size_t i = 0; line[i]; i++) {
		column = line[i] == '\t' ? (column / TAB + 1) * TAB : column + 1;
		if (column > COLUMNS)
			return best;
		if ((line[i] == ',' || line[i] == '+') && line[i + 1] == ' ')
			best = i + 1;
	}
	return 0;
}

static void put_line(const char *line)
{
	size_t tabs = strspn(line, "\t"), end;

	while ((end = fitting(line))) {
		fprintf(out, "%.*s\n", (int)end, line);
		line = text("%.*s%s", (int)tabs + 2, "\t\t\t\t\t\t\t\t", line + end + 1);
	}
	fputs(line, out);
}

/* A line is written when it is whole, and broken where it is too long */
void put(const char *format, ...)
{
	static char *begun = "";
	char *piece, *end;
	va_list args;

	va_start(args, format);
	if (vasprintf(&piece, format, args) < 0)
		err(EXIT_FAILURE, "memory");
	va_end(args);
	begun = text("%s%s", begun, piece);
	free(piece);
	while ((end = strchr(begun, '\n'))) {
		*end = 0;
		put_line(begun);
		fputc('\n', out);
		begun = end + 1;
	}
}

static void indent(unsigned int tabs)
{
	while (tabs--)
		put("\t");
}

void put_doc(const char *doc, const char *title, unsigned int tabs)
{
	if (!*doc) {
		indent(tabs);
		put("/* %s */\n", title);
		return;
	}
	indent(tabs);
	put("/*\n");
	indent(tabs);
	put(" * %s\n", title);
	while (*doc) {
		size_t line = strcspn(doc, "\n");

		indent(tabs);
		put(" * ");
		/* A comment of C must not end in the midst of it */
		for (size_t i = 0; i < line; i++)
			put("%c%s", doc[i], doc[i] == '*' && doc[i + 1] == '/' ? " " : "");
		put("\n");
		doc += line + !!doc[line];
	}
	indent(tabs);
	put(" */\n");
}

void put_head(const struct interface *interface, const char *what, const char *about)
{
	char *guard = upper(interface, what);

	put("/*\n * %s: %s\n *\n * Made by iosc-idl from %s. Change that file instead.\n */\n",
	    interface->label, about, interface->file);
	put("#ifndef IOSC_%s_H\n#define IOSC_%s_H\n\n", guard, guard);
}

void put_foot(void)
{
	put("#endif\n");
}

const char *type_native(const struct type *type, enum type_kind kind)
{
	switch (kind) {
	case TYPE_BOOL:
		return "bool";
	case TYPE_INTEGER:
		return text("%sint%u_t", type->is_signed ? "" : "u", type->bits);
	case TYPE_ENUM:
		return text("enum %s", type->named->name);
	case TYPE_STRUCT:
		return text("struct %s", type->named->name);
	case TYPE_HANDLE:
		return text("struct %s_id", type->named->name);
	default:
		return type->is_text ? "char" : "void";
	}
}

unsigned int bits_of(const struct type *type, enum type_kind kind)
{
	switch (kind) {
	case TYPE_BOOL:
		return 8;
	case TYPE_INTEGER:
		return type->bits;
	case TYPE_ENUM:
		return 16;
	default:
		return 32;
	}
}

const char *type_wire(const struct type *type, enum type_kind kind)
{
	unsigned int bits = bits_of(type, kind);

	if (kind == TYPE_STRUCT)
		return text("struct %s_wire", type->named->name);
	return bits == 8 ? "__u8" : text("__le%u", bits);
}

bool has_tail(const struct fields *fields)
{
	for (unsigned int i = 0; i < fields->count; i++)
		if (fields->field[i].type.kind >= TYPE_BYTES)
			return true;
	return false;
}

char *upper(const struct interface *interface, const char *part)
{
	return name_upper(text("%s%s%s", interface->name, *part ? "_" : "", part));
}

void put_load(const struct type *type, enum type_kind kind, const char *to, const char *from,
	      const char *failed, unsigned int tabs)
{
	indent(tabs);
	switch (kind) {
	case TYPE_STRUCT:
		put("if (%s_read(&%s, &%s))\n", type->named->name, to, from);
		break;
	case TYPE_HANDLE:
		put("%s.value = iosc_load32(&%s);\n", to, from);
		return;
	default:
		put("%s = iosc_load%u(&%s);\n", to, bits_of(type, kind), from);
		if (kind != TYPE_ENUM)
			return;
		indent(tabs);
		put("if ((unsigned int)%s >= %u)\n", to, type->named->nr_values);
	}
	indent(tabs + 1);
	put("%s;\n", failed);
}

void put_store(const struct type *type, enum type_kind kind, const char *to, const char *from,
	       unsigned int tabs)
{
	indent(tabs);
	if (kind == TYPE_STRUCT)
		put("%s_write(&%s, &%s);\n", type->named->name, to, from);
	else if (kind == TYPE_HANDLE)
		put("iosc_store32(&%s, %s.value);\n", to, from);
	else
		put("iosc_store%u(&%s, %s);\n", bits_of(type, kind), to, from);
}

char *handle_type(const struct interface *interface, const struct named *named)
{
	return upper(interface, text("type_%s", named->name + strlen(interface->name) + 1));
}

const char *measure(const struct field *field)
{
	return text("%s_%s", field->name, field->type.kind == TYPE_BYTES ? "length" : "count");
}

const char *bytes_of(const struct field *field, const char *count)
{
	if (field->type.kind == TYPE_BYTES)
		return count;
	return text("%s * sizeof(%s)", count, type_wire(&field->type, field->type.element));
}

const char *max_of(const struct interface *interface, const struct method *method,
		   const struct field *field)
{
	return upper(interface, text("%s_%s_max", method->name, field->name));
}

static uint32_t width(const struct field *field)
{
	if (field->type.kind == TYPE_STRUCT) {
		const struct fields *fields = &field->type.named->fields;

		return (fields->size + fields->align - 1) / fields->align * fields->align;
	}
	return bits_of(&field->type, field->type.kind) / 8;
}

void put_padding(const struct fields *fields, const char *to, unsigned int tabs)
{
	uint32_t at = 0;

	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];

		if (field->offset > at) {
			indent(tabs);
			put("memset(%s->pad%u, 0, sizeof(%s->pad%u));\n", to, at, to, at);
		}
		at = field->offset + width(field);
	}
}

void put_wire_fields(const struct fields *fields)
{
	uint32_t at = 0;

	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];
		enum type_kind kind = field->type.kind;

		if (field->offset > at)
			put("\t__u8 pad%u[%u];\n", at, field->offset - at);
		put("\t%s %s%s;\n", type_wire(&field->type, kind), field->name,
		    kind == TYPE_BYTES ? "_length" : kind == TYPE_LIST ? "_count" : "");
		at = field->offset + width(field);
	}
}
