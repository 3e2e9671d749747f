// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * NAME-fuzz.c: a fuzz target for the stubs of an interface. Its messages are in memory of their
 * exact size, so that a sanitizer sees each byte that a stub reads beyond them, and its functions
 * touch all that they are given.
 */
#include <string.h>

#include "emit.h"

static void put_touch(const struct fields *fields, enum side side)
{
	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];
		const struct type *type = &field->type;

		if (type->kind == TYPE_BYTES)
			put("\ttouch(%s, %s_length);\n", field->name, field->name);
		else if (type->kind == TYPE_LIST)
			put("\ttouch(%s, %s_count * sizeof(*%s));\n", field->name, field->name,
			    field->name);
		else if (type->kind == TYPE_STRUCT)
			put("\ttouch(%s, sizeof(*%s));\n", field->name, field->name);
		else if (type->kind == TYPE_ENUM)
			put("\tif ((unsigned int)%s >= %u)\n\t\tabort();\n", field->name,
			    type->named->nr_values);
		else if (type->kind != TYPE_HANDLE || side == SERVER)
			put("\ttouch(&%s, sizeof(%s));\n", field->name, field->name);
	}
}

static void put_fill(const struct interface *interface, const struct method *method)
{
	for (unsigned int i = 0; i < method->out.count; i++) {
		const struct field *field = &method->out.field[i];
		const char *max = upper(interface, text("%s_%s_max", method->name, field->name));

		if (field->type.kind == TYPE_BYTES)
			put("\t*%s_length = drawn %% (%s + 1);\n\tmemset(%s, 0x55, *%s_length);\n",
			    field->name, max, field->name, field->name);
		else if (field->type.kind == TYPE_LIST)
			put("\t*%s_count = drawn %% (%s + 1);\n\tmemset(%s, 0, *%s_count * sizeof(*%s));\n",
			    field->name, max, field->name, field->name, field->name);
		else if (field->type.kind == TYPE_HANDLE)
			put("\t*%s = &the_%s;\n", field->name, field->type.named->name);
	}
}

static void put_function(const struct interface *interface, const struct method *method)
{
	put("static int serve_%s(struct iosc_request *request", method->name);
	put_params(&method->in, SERVER);
	put_result_params(&method->out);
	put(")\n{\n");
	put_touch(&method->in, SERVER);
	put_fill(interface, method);
	put("\treturn drawn %% 5 ? 0 : -EIO;\n}\n\n");
}

static void put_listener(const struct interface *interface, const struct method *method)
{
	put("static void hear_%s(void *context", method->name);
	put_params(&method->in, LISTENER);
	put(")\n{\n");
	put_touch(&method->in, LISTENER);
	put("}\n\n");
}

static void put_takes(const struct interface *interface)
{
	put("/* The client's stubs take the message for the reply to each call */\n");
	put("static void take_replies(const struct iosc_incoming *whole, uint8_t *copy)\n{\n");
	for (unsigned int i = 0; i < interface->nr_methods; i++) {
		const struct method *method = &interface->method[i];
		const struct fields *out = &method->out;

		if (method->kind != METHOD_CALL)
			continue;
		put("\t{\n\t\tstruct %s_%s_call call = { };\n\t\tstruct iosc_incoming in = *whole;\n\n",
		    interface->name, method->name);
		for (unsigned int k = 0; k < out->count; k++) {
			const struct field *field = &out->field[k];

			if (field->type.kind < TYPE_BYTES)
				continue;
			put("\t\tcall.%s_size = drawn %% (%s + 1);\n", field->name,
			    upper(interface, text("%s_%s_max", method->name, field->name)));
			put("\t\tcall.%s = malloc(call.%s_size * %s + 1);\n", field->name,
			    field->name,
			    field->type.kind == TYPE_BYTES ? "1"
							   : text("sizeof(*call.%s)", field->name));
		}
		put("\t\tif (in.size == %s || !iosc_other_version(&in, copy, %s, false))\n\t\t\t%s_%s_take(&call.call, &in);\n",
		    upper(interface, text("%s_out_size", method->name)),
		    upper(interface, text("%s_out_size", method->name)), interface->name, method->name);
		for (unsigned int k = 0; k < out->count; k++)
			if (out->field[k].type.kind >= TYPE_BYTES)
				put("\t\tfree(call.%s);\n", out->field[k].name);
		put("\t}\n");
	}
	put("}\n\n");
}

static void put_tables(const struct interface *interface, bool *events)
{
	put("static const struct %s_server server = {\n", interface->name);
	for (unsigned int i = 0; i < interface->nr_methods; i++) {
		if (interface->method[i].kind == METHOD_EVENT)
			*events = true;
		else
			put("\t.%s = serve_%s,\n", interface->method[i].name,
			    interface->method[i].name);
	}
	put("};\n\n");
	if (!*events)
		return;
	put("static const struct %s_events events = {\n", interface->name);
	for (unsigned int i = 0; i < interface->nr_methods; i++)
		if (interface->method[i].kind == METHOD_EVENT)
			put("\t.%s = hear_%s,\n", interface->method[i].name,
			    interface->method[i].name);
	put("};\n\n");
}

static void put_entry(const struct interface *interface)
{
	put("/* An input is messages: two bytes for the length, one to draw from, and the message */\n");
	put("int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)\n{\n");
	put("\tstruct iosc *ends[2];\n\tstruct iosc_client *client;\n\n");
	put("\tif (iosc_pair(ends))\n\t\tabort();\n");
	put("\tclient = iosc_client_new(ends[0], &%s_service, &server, NULL);\n", interface->name);
	put("\twhile (client && size > 3) {\n");
	put("\t\tsize_t length = (data[0] | data[1] << 8) %% (IOSC_MESSAGE_MAX + 1);\n\n");
	put("\t\tdrawn = data[2] * 41;\n\t\tdata += 3;\n\t\tsize -= 3;\n");
	put("\t\tlength = length < size ? length : size;\n");
	put("\t\tone_message(client, ends, data, length);\n\t\tdata += length;\n\t\tsize -= length;\n\t}\n");
	put("\tiosc_client_free(client);\n\tiosc_close(ends[0]);\n\tiosc_close(ends[1]);\n\treturn 0;\n}\n");
}

static void put_hear(const struct interface *interface)
{
	put("static void hear(struct iosc_incoming *in, uint8_t *copy)\n{\n");
	put("\tconst struct iosc_hear *hear = %s_hear + in->method;\n\n", interface->name);
	put("\tif (in->method >= %s_listener.methods || !hear->take)\n\t\treturn;\n", interface->name);
	put("\tif (in->size == hear->size || !iosc_other_version(in, copy, hear->size, false))\n");
	put("\t\thear->take(&events, NULL, in);\n}\n\n");
}

static void put_one(const struct interface *interface, bool events)
{
	put("static void one_message(struct iosc_client *client, struct iosc *ends[2], const uint8_t *data,\n");
	put("\t\t\tsize_t length)\n{\n");
	put("\tstruct iosc_serving serving = { .request = {\n\t\t.client = client, .handles = iosc_client_handles(client), .id = 1,\n\t}, .table = &server };\n");
	put("\tuint8_t reply[IOSC_MESSAGE_MAX] __attribute__((aligned(8))), *bytes = malloc(length + 1);\n");
	put("\tuint8_t copy[IOSC_OTHER_MAX] __attribute__((aligned(8)));\n");
	put("\tstruct iosc_message *head = (void *)bytes;\n\tstruct iosc_incoming in = { };\n\n");
	put("\tif (!bytes)\n\t\tabort();\n");
	put("\tmemcpy(bytes, data, length);\n");
	put("\t/* Most inputs are to come further than to the check of this */\n");
	put("\tif (length >= sizeof(*head) && drawn %% 7)\n");
	put("\t\thead->interface = htole32(%s);\n", upper(interface, "interface"));
	put("\tif (length && !iosc_send(ends[1], bytes, length, IOSC_DONTWAIT))\n");
	put("\t\tserve_all(client, ends[1], reply);\n");
	put("\tbytes = realloc(bytes, length ? length : 1);\n\thead = (void *)bytes;\n");
	put("\tif (length >= sizeof(*head)) {\n");
	put("\t\tin.bytes = bytes;\n\t\tin.length = length;\n\t\tin.kind = head->kind;\n");
	put("\t\tin.method = le16toh(head->method);\n\t\tin.size = le16toh(head->size);\n");
	put("\t}\n");
	put("\tif (in.bytes && iosc_tail(in.size) <= length) {\n");
	put("\t\tserving.in = in;\n\t\tserving.answer.room = reply + sizeof(*head);\n");
	put("\t\tiosc_serve(&%s_service, &serving, copy);\n", interface->name);
	put("\t\ttake_replies(&in, copy);\n");
	if (events)
		put("\t\thear(&in, copy);\n");
	put("\t}\n\tfree(bytes);\n}\n\n");
}

void emit_fuzz(const struct interface *interface)
{
	bool events = false;

	put("/*\n * %s: a fuzz target for the stubs: what a hostile peer may send to a server, and to a client.\n",
	    interface->label);
	put(" *\n * Made by iosc-idl from %s. Change that file instead.\n */\n", interface->file);
	put("#include <stdlib.h>\n#include <iosc.h>\n\n#include \"%s-client.h\"\n#include \"%s-server.h\"\n\n",
	    interface->name, interface->name);
	put("static unsigned int drawn;\n\nstatic void touch(const void *bytes, size_t length)\n{\n");
	put("\tfor (size_t i = 0; i < length; i++)\n\t\t(void)*((const volatile uint8_t *)bytes + i);\n}\n\n");
	for (const struct named *named = interface->named; named; named = named->next)
		if (named->kind == TYPE_HANDLE)
			put("struct %s {\n\tint unused;\n} the_%s;\n\n", named->name, named->name);
	for (unsigned int i = 0; i < interface->nr_methods; i++) {
		if (interface->method[i].kind == METHOD_EVENT)
			put_listener(interface, &interface->method[i]);
		else
			put_function(interface, &interface->method[i]);
	}
	put_tables(interface, &events);
	put_takes(interface);
	put("static void serve_all(struct iosc_client *client, struct iosc *peer, uint8_t *reply)\n{\n");
	put("\tiosc_client_serve(client, 2);\n");
	put("\twhile (iosc_recv(peer, reply, IOSC_MESSAGE_MAX, IOSC_DONTWAIT) > 0)\n\t\t;\n}\n\n");
	if (events)
		put_hear(interface);
	put_one(interface, events);
	put_entry(interface);
}
