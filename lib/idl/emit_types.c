// SPDX-License-Identifier: LGPL-2.1-or-later
/* NAME.h: the types of an interface, and the layout of its messages. */
#include "emit.h"
#include "names.h"

static void put_enum(const struct named *named)
{
	put_doc(named->doc, named->label, 0);
	put("enum %s {\n", named->name);
	for (unsigned int i = 0; i < named->nr_values; i++)
		put("\t%s = %u,\n", named->value[i], i);
	put("};\n\n");
}

static void put_struct(const struct named *named)
{
	const struct fields *fields = &named->fields;

	put_doc(named->doc, named->label, 0);
	put("struct %s {\n", named->name);
	for (unsigned int i = 0; i < fields->count; i++)
		put("\t%s %s;\n", type_native(&fields->field[i].type, fields->field[i].type.kind),
		    fields->field[i].name);
	put("};\n\n/* The same in a message */\nstruct %s_wire {\n", named->name);
	put_wire_fields(fields);
	if (fields->size % fields->align)
		put("\t__u8 pad%u[%u];\n", fields->size,
		    fields->align - fields->size % fields->align);
	put("};\n\nstatic_assert(sizeof(struct %s_wire) == %u, \"layout\");\n\n", named->name,
	    (fields->size + fields->align - 1) / fields->align * fields->align);

	put("/* Load each field once, and check it. Return: 0 or -EBADMSG */\n");
	put("static inline int %s_read(struct %s *to, const struct %s_wire *from)\n{\n",
	    named->name, named->name, named->name);
	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];

		put_load(&field->type, field->type.kind, text("to->%s", field->name),
			 text("from->%s", field->name), "return -EBADMSG", 1);
	}
	put("\treturn 0;\n}\n\n");
	put("static inline void %s_write(struct %s_wire *to, const struct %s *from)\n{\n",
	    named->name, named->name, named->name);
	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];

		put_store(&field->type, field->type.kind, text("to->%s", field->name),
			  text("from->%s", field->name), 1);
	}
	put_padding(fields, "to", 1);
	if (fields->size % fields->align)
		put("\tmemset(to->pad%u, 0, sizeof(to->pad%u));\n", fields->size, fields->size);
	put("}\n\n");
}

static void put_handle(const struct interface *interface, const struct named *named)
{
	put_doc(named->doc, text("%s: a handle, which the server has given; 0: none", named->label),
		0);
	put("struct %s_id {\n\tuint32_t value;\n};\n\n#define %s %u\n\n", named->name,
	    handle_type(interface, named), named->number);
}

static void put_message(const struct interface *interface, const struct method *method,
			const struct fields *fields, const char *way)
{
	char *size = upper(interface, text("%s_%s_size", method->name, way));

	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];

		if (field->type.kind >= TYPE_BYTES)
			put("#define %s %u\n",
			    upper(interface, text("%s_%s_max", method->name, field->name)),
			    field->max);
	}
	if (fields->count) {
		put("struct %s_%s_%s {\n", interface->name, method->name, way);
		put_wire_fields(fields);
		put("};\n\n");
	}
	put("#define %s %u\n", size, fields->size);
	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];

		put("static_assert(offsetof(struct %s_%s_%s, %s%s) == %u, \"layout\");\n",
		    interface->name, method->name, way, field->name,
		    field->type.kind == TYPE_BYTES  ? "_length"
		    : field->type.kind == TYPE_LIST ? "_count"
						    : "",
		    field->offset);
	}
	put("\n");
}

void emit_types(const struct interface *interface)
{
	put_head(interface, "", "types, and the layout of messages");
	put("#include <iosc_call.h>\n\n");
	put_doc(interface->doc, text("%s, interface 0x%016jx", interface->label,
				     (uintmax_t)interface->id), 0);
	put("#define %s 0x%08xU\n", upper(interface, "interface"), (uint32_t)interface->id);
	put("#define %s %u\n\n", upper(interface, "errors"),
	    interface->errors ? interface->errors->nr_values - 1 : 0);
	put("enum %s_method {\n", interface->name);
	for (unsigned int i = 0; i < interface->nr_methods; i++)
		put("\t%s = %u,\n", upper(interface, text("method_%s", interface->method[i].name)),
		    i);
	put("};\n\n");
	for (const struct named *named = interface->named; named; named = named->next) {
		if (named->kind == TYPE_ENUM)
			put_enum(named);
		else if (named->kind == TYPE_STRUCT)
			put_struct(named);
		else
			put_handle(interface, named);
	}
	for (unsigned int i = 0; i < interface->nr_methods; i++) {
		const struct method *method = &interface->method[i];

		put("/* %s: the fixed part of its message%s */\n\n", method->label,
		    method->kind == METHOD_CALL ? ", and of its reply" : "");
		put_message(interface, method, &method->in, "in");
		if (method->kind == METHOD_CALL)
			put_message(interface, method, &method->out, "out");
	}
	put_foot();
}
