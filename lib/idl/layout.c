// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Where each field of a message is. The fixed part has the fields in the order of their ordinals,
 * each at a multiple of its own size, so that the compiler's layout of the same struct is this one,
 * and so that a field that is added at the end moves no other. Text, data and lists have their
 * length or count there, and their bytes behind the fixed part, each at a multiple of 8.
 */
#include "../iosc.h"
#include "../iosc_call.h"
#include "schema.h"

static uint32_t round_up(uint32_t value, uint32_t align)
{
	return (value + align - 1) / align * align;
}

/* Of a value in the fixed part, or of an element of a list */
static uint32_t size_of(enum type_kind kind, const struct type *type, uint32_t *align)
{
	uint32_t size = 4;

	switch (kind) {
	case TYPE_BOOL:
		size = 1;
		break;
	case TYPE_INTEGER:
		size = type->bits / 8;
		break;
	case TYPE_ENUM:
		size = 2;
		break;
	case TYPE_STRUCT:
		*align = type->named->fields.align;
		return round_up(type->named->fields.size, *align);
	default:		/* handles, lengths and counts */
		break;
	}
	*align = size;
	return size;
}

static void place(struct fields *fields)
{
	uint32_t at = 0;
	uint64_t tail = 0;

	fields->align = 1;
	for (unsigned int i = 0; i < fields->count; i++) {
		struct field *field = &fields->field[i];
		uint32_t align, size = size_of(field->type.kind, &field->type, &align);
		uint64_t bytes = field->max;

		at = round_up(at, align);
		field->offset = at;
		at += size;
		fields->align = align > fields->align ? align : fields->align;
		if (field->type.kind == TYPE_LIST)
			bytes *= size_of(field->type.element, &field->type, &align);
		if (field->type.kind >= TYPE_BYTES)
			tail += (bytes + 7) / 8 * 8;
	}
	fields->size = at;
	tail += iosc_tail(at);
	fields->longest = tail < UINT32_MAX ? tail : UINT32_MAX;
}

static void place_struct(struct interface *interface, struct named *named)
{
	for (unsigned int i = 0; i < named->fields.count; i++) {
		const struct field *field = &named->fields.field[i];

		if (field->type.kind >= TYPE_HANDLE)
			mistake(interface->file, named->label,
				"%s: a struct has no handles, texts, data and lists; make it an argument or a result of the method",
				field->label);
		if (field->type.kind == TYPE_STRUCT && !field->type.named->placed) {
			mistake(interface->file, named->label,
				"%s: a struct cannot contain itself; name the other one by a number",
				field->label);
			return;
		}
	}
	if (!named->fields.count)
		mistake(interface->file, named->label, "is empty; give it a field, or take it out");
	place(&named->fields);
	named->placed = true;
}

static void check_length(struct interface *interface, const struct method *method,
			 const struct fields *fields, const char *what)
{
	if (fields->longest > IOSC_MESSAGE_MAX)
		mistake(interface->file, text("%s.%s", interface->label, method->label),
			"%s can be %u bytes long, and a message has at most %u; lower a maximum",
			what, fields->longest, IOSC_MESSAGE_MAX);
}

void layout(struct interface *interface)
{
	interface->longest = sizeof(struct iosc_message);
	for (struct named *named = interface->named; named; named = named->next)
		if (named->kind == TYPE_STRUCT)
			place_struct(interface, named);
	for (unsigned int i = 0; i < interface->nr_methods; i++) {
		struct method *method = &interface->method[i];

		for (unsigned int k = 0; method->kind == METHOD_EVENT && k < method->in.count; k++)
			if (method->in.field[k].type.kind == TYPE_HANDLE)
				mistake(interface->file,
					text("%s.%s", interface->label, method->label),
					"%s: an event has no handles; send a number that a method has returned",
					method->in.field[k].label);
		place(&method->in);
		place(&method->out);
		check_length(interface, method, &method->in, "its message");
		check_length(interface, method, &method->out, "its reply");
		if (method->out.longest > interface->longest)
			interface->longest = method->out.longest;
	}
}
