// SPDX-License-Identifier: LGPL-2.1-or-later
/* Parameters: their declarations, sending them, and taking arguments out of a message. */
#include "emit.h"

void put_params(const struct fields *fields, enum side side)
{
	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];
		const struct type *type = &field->type;

		switch (type->kind) {
		case TYPE_STRUCT:
			put(", const %s *%s", type_native(type, type->kind), field->name);
			break;
		case TYPE_HANDLE:
			if (side == SERVER || side == REPLIER)
				put(", struct %s *%s", type->named->name, field->name);
			else
				put(", %s %s", type_native(type, type->kind), field->name);
			break;
		case TYPE_BYTES:
			put(", const %s *%s, size_t %s_length", type_native(type, type->kind),
			    field->name, field->name);
			break;
		case TYPE_LIST:
			put(", const %s *%s, size_t %s_count", side <= REPLIER ?
			    type_native(type, type->element) : type_wire(type, type->element),
			    field->name, field->name);
			break;
		default:
			put(", %s %s", type_native(type, type->kind), field->name);
		}
	}
}

void put_names(const struct fields *fields)
{
	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];

		put(", %s", field->name);
		if (field->type.kind >= TYPE_BYTES)
			put(", %s_%s", field->name,
			    field->type.kind == TYPE_BYTES ? "length" : "count");
	}
}

void put_limits(const struct interface *interface, const struct method *method,
		const struct fields *fields)
{
	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];

		if (field->type.kind >= TYPE_BYTES)
			put("\tif (%s > %s)\n\t\treturn -EMSGSIZE;\n", measure(field),
			    max_of(interface, method, field));
	}
}

void put_length(const struct interface *interface, const struct method *method,
		const struct fields *fields, const char *way)
{
	put("iosc_tail(%s)", upper(interface, text("%s_%s_size", method->name, way)));
	for (unsigned int i = 0; i < fields->count; i++)
		if (fields->field[i].type.kind >= TYPE_BYTES)
			put(" + iosc_round(%s)", bytes_of(&fields->field[i], measure(&fields->field[i])));
}

static void put_tail_store(const struct field *field, bool last)
{
	const struct type *type = &field->type;

	if (type->kind == TYPE_BYTES) {
		put("\tiosc_copy(at, %s, %s);\n", field->name, measure(field));
	} else {
		put("\tfor (size_t i = 0; i < %s; i++) {\n", measure(field));
		put("\t\t%s *element = (void *)at;\n\n\t\telement += i;\n",
		    type_wire(type, type->element));
		put_store(type, type->element, "(*element)", text("%s[i]", field->name), 2);
		put("\t}\n");
	}
	if (!last)
		put("\tat += iosc_round(%s);\n", bytes_of(field, measure(field)));
}

void put_stores(const struct interface *interface, const struct method *method,
		const struct fields *fields, const char *way, enum side side)
{
	unsigned int tails = 0;

	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];
		const struct type *type = &field->type;

		if (type->kind >= TYPE_BYTES) {
			put("\tiosc_store32(&fixed->%s, %s);\n", measure(field), measure(field));
			tails++;
		} else if (type->kind == TYPE_HANDLE && side == REPLIER) {
			put("\tiosc_store32(&fixed->%s, %s_handle ? %s_handle->number : 0);\n",
			    field->name, field->name, field->name);
		} else {
			put_store(type, type->kind, text("fixed->%s", field->name),
				  type->kind == TYPE_STRUCT ? text("(*%s)", field->name)
							    : field->name,
				  1);
		}
	}
	put_padding(fields, "fixed", 1);
	if (tails)
		put("\tat = (__u8 *)fixed + iosc_round(%s);\n",
		    upper(interface, text("%s_%s_size", method->name, way)));
	for (unsigned int i = 0; i < fields->count; i++)
		if (fields->field[i].type.kind >= TYPE_BYTES)
			put_tail_store(&fields->field[i], !--tails);
}

void put_result_params(const struct fields *fields)
{
	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];
		const struct type *type = &field->type;

		if (type->kind == TYPE_BYTES)
			put(", %s *%s, size_t *%s", type_native(type, type->kind), field->name,
			    measure(field));
		else if (type->kind == TYPE_LIST)
			put(", %s *%s, size_t *%s", type_wire(type, type->element), field->name,
			    measure(field));
		else if (type->kind == TYPE_HANDLE)
			put(", struct %s **%s", type->named->name, field->name);
		else
			put(", %s *%s", type_native(type, type->kind), field->name);
	}
}

static void put_declarations(const struct fields *fields, enum side side)
{
	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];
		const struct type *type = &field->type;

		switch (type->kind) {
		case TYPE_STRUCT:
			put("\t%s %s_copy, *%s = &%s_copy;\n", type_native(type, type->kind),
			    field->name, field->name, field->name);
			break;
		case TYPE_HANDLE:
			if (side == SERVER && !field->closes)
				put("\tconst struct iosc_handle *%s_at;\n", field->name);
			if (side == SERVER)
				put("\tstruct %s *%s;\n", type->named->name, field->name);
			else
				put("\t%s %s;\n", type_native(type, type->kind), field->name);
			break;
		case TYPE_BYTES:
			put("\tconst %s *%s;\n\t__u32 %s;\n", type_native(type, type->kind),
			    field->name, measure(field));
			break;
		case TYPE_LIST:
			put("\tconst %s *%s;\n\t__u32 %s;\n", type_wire(type, type->element),
			    field->name, measure(field));
			break;
		default:
			put("\t%s %s;\n", type_native(type, type->kind), field->name);
		}
	}
}

void put_rest(const char *in, const char *size)
{
	put("\tconst __u8 *at = %s->bytes + iosc_tail(%s);\n\t__u32 rest = %s->length - iosc_tail(%s);\n",
	    in, size, in, size);
}

void put_fits(const struct interface *interface, const struct method *method,
	      const struct field *field, const char *count, bool last)
{
	const char *bytes = bytes_of(field, count);

	put("\tif (%s > %s ||\n\t    %s > rest)\n\t\treturn -EBADMSG;\n", count,
	    max_of(interface, method, field), last ? bytes : text("iosc_round(%s)", bytes));
}

void put_next(const struct field *field, const char *count)
{
	put("\tat += iosc_round(%s);\n", bytes_of(field, count));
	put("\trest -= iosc_round(%s);\n", bytes_of(field, count));
}

static void put_tail_load(const struct interface *interface, const struct method *method,
			  const struct field *field, bool last)
{
	put("\t%s = iosc_load32(&fixed->%s);\n", measure(field), measure(field));
	put_fits(interface, method, field, measure(field), last);
	put("\t%s = (const void *)at;\n", field->name);
	if (!last)
		put_next(field, measure(field));
}

/* When all else is right, since closing a handle cannot be undone */
static void put_handles(const struct interface *interface, const struct fields *fields, bool closes)
{
	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];

		if (field->type.kind != TYPE_HANDLE || field->closes != closes)
			continue;
		put("\t%s%s = iosc_handle_%s(serving->request.handles, %s, iosc_load32(&fixed->%s));\n",
		    field->name, closes ? "" : "_at", closes ? "close" : "at",
		    handle_type(interface, field->type.named), field->name);
		put("\tif (!%s%s)\n\t\treturn -EBADF;\n", field->name, closes ? "" : "_at");
		if (!closes)
			put("\t%s = %s_at->object;\n", field->name, field->name);
	}
}

void put_fixed(const struct interface *interface, const struct method *method, const char *way)
{
	const struct fields *fields = *way == 'i' ? &method->in : &method->out;

	if (fields->count)
		put("\tconst struct %s_%s_%s *fixed = (const void *)(in->bytes + sizeof(struct iosc_message));\n",
		    interface->name, method->name, way);
}

void put_decode(const struct interface *interface, const struct method *method, enum side side)
{
	const struct fields *fields = &method->in;
	const char *size = upper(interface, text("%s_in_size", method->name));
	unsigned int tails = 0;

	put_fixed(interface, method, "in");
	put_declarations(fields, side);
	for (unsigned int i = 0; i < fields->count; i++)
		tails += fields->field[i].type.kind >= TYPE_BYTES;
	if (tails)
		put_rest("in", size);
	put(side == SERVER ? "\tint result;\n\n" : "\n");
	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];
		enum type_kind kind = field->type.kind;

		if (kind >= TYPE_BYTES)
			put_tail_load(interface, method, field, !--tails);
		else if (kind != TYPE_HANDLE || side == LISTENER)
			put_load(&field->type, kind,
				 kind == TYPE_STRUCT ? text("%s_copy", field->name) : field->name,
				 text("fixed->%s", field->name), "return -EBADMSG", 1);
	}
	if (side != SERVER)
		return;
	put("\tif (!server->%s)\n\t\treturn -ENOSYS;\n", method->name);
	put_handles(interface, fields, false);
	put_handles(interface, fields, true);
}
