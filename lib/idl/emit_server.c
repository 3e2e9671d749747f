// SPDX-License-Identifier: LGPL-2.1-or-later
/* NAME-server.h: the table of functions that a server has, and what calls them. */
#include <string.h>

#include "emit.h"

static void put_table(const struct interface *interface)
{
	for (const struct named *named = interface->named; named; named = named->next)
		if (named->kind == TYPE_HANDLE)
			put("struct %s;\n", named->name);
	put("\n/*\n * The functions of a server. Each returns 0, an error of the interface, a negative errno, or\n");
	put(" * IOSC_LATER, and then somebody calls NAME_reply(). NULL: the client gets -ENOSYS. Pointers to\n");
	put(" * arguments lead into the ring: the client can change what is there at any time, and it is gone\n");
	put(" * when the function returns. Elements of lists are taken out by iosc_load32() and its like, structs\n");
	put(" * by NAME_read(), which checks them. Results that are text, data or lists have room for their\n");
	put(" * maximum.\n */\n");
	put("struct %s_server {\n", interface->name);
	for (unsigned int i = 0; i < interface->nr_methods; i++) {
		const struct method *method = &interface->method[i];

		if (method->kind == METHOD_EVENT)
			continue;
		put_doc(method->doc, method->label, 1);
		put("\tint (*%s)(struct iosc_request *request", method->name);
		put_params(&method->in, SERVER);
		put_result_params(&method->out);
		put(");\n");
	}
	for (const struct named *named = interface->named; named; named = named->next) {
		if (named->kind != TYPE_HANDLE)
			continue;
		put("\t/* A client that had a handle to it has gone, or could not get one */\n");
		put("\tvoid (*%s_gone)(void *context, struct %s *%s);\n",
		    named->name + strlen(interface->name) + 1, named->name,
		    named->name + strlen(interface->name) + 1);
	}
	put("\t/* It has gone: neither it nor its requests may be used any more */\n");
	put("\tvoid (*left)(void *context, struct iosc_client *client);\n");
	put("\t/* It reads again, after NAME_reply() or NAME_send() had failed with -EAGAIN */\n");
	put("\tvoid (*room)(void *context, struct iosc_client *client);\n");
	put("\t/* The client wants no reply to the call request->id any more, which came or comes later */\n");
	put("\tvoid (*cancelled)(const struct iosc_request *request);\n};\n\n");
}

/*
 * Give the client a handle to each object: to all or to none. In a reply that comes later objects
 * stay the program's where that fails; else they are gone.
 */
static void put_give(const struct interface *interface, const struct fields *fields, bool later)
{
	const char *any = "";

	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];
		const char *name = field->name;

		if (field->type.kind != TYPE_HANDLE)
			continue;
		put("\t%s_handle = %s ? iosc_handle_new(%s, %s, %s) : NULL;\n", name, name,
		    later ? "request->handles" : "serving->request.handles",
		    handle_type(interface, field->type.named), name);
		any = text("%s%s(%s && !%s_handle)", any, *any ? " || " : "", name, name);
	}
	if (!*any)
		return;
	put("\tif (%s) {\n", any);
	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];
		const struct named *named = field->type.named;

		if (field->type.kind != TYPE_HANDLE)
			continue;
		put("\t\tif (%s_handle)\n\t\t\tiosc_handle_close(%s, %s, %s_handle->number);\n",
		    field->name, later ? "request->handles" : "serving->request.handles",
		    handle_type(interface, named), field->name);
		if (!later)
			put("\t\tif (%s && server->%s_gone)\n\t\t\tserver->%s_gone(serving->request.context, %s);\n",
			    field->name, named->name + strlen(interface->name) + 1,
			    named->name + strlen(interface->name) + 1, field->name);
	}
	if (later)
		put("\t\tiosc_reply_send(request, &answer, -EMFILE);\n");
	put("\t\treturn -EMFILE;\n\t}\n");
}

static void put_result_locals(const struct fields *fields)
{
	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];
		const struct type *type = &field->type;

		if (type->kind == TYPE_BYTES)
			put("\t%s *%s;\n\tsize_t %s = 0;\n", type_native(type, type->kind),
			    field->name, measure(field));
		else if (type->kind == TYPE_LIST)
			put("\t%s *%s;\n\tsize_t %s = 0;\n", type_wire(type, type->element),
			    field->name, measure(field));
		else if (type->kind == TYPE_HANDLE)
			put("\tstruct %s *%s = NULL;\n\tconst struct iosc_handle *%s_handle;\n",
			    type->named->name, field->name, field->name);
		else if (type->kind == TYPE_STRUCT)
			put("\t%s %s = { 0 };\n", type_native(type, type->kind), field->name);
		else
			put("\t%s %s = 0;\n", type_native(type, type->kind), field->name);
	}
}

static void put_result_names(const struct fields *fields)
{
	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];

		if (field->type.kind >= TYPE_BYTES)
			put(", %s, &%s", field->name, measure(field));
		else
			put(", &%s", field->name);
	}
}

/*
 * Before the function is called: where text, data and lists go, each behind the most of those
 * before
 */
static void put_lend(const struct interface *interface, const struct method *method)
{
	const struct fields *out = &method->out;

	put("\tserving->answer.lent = true;\n\tfixed_out = serving->answer.room;\n");
	put("\tat_out = (__u8 *)fixed_out + iosc_round(%s);\n",
	    upper(interface, text("%s_out_size", method->name)));
	for (unsigned int i = 0; i < out->count; i++) {
		const struct field *field = &out->field[i];

		if (field->type.kind < TYPE_BYTES)
			continue;
		put("\t%s = (void *)at_out;\n", field->name);
		put("\tat_out += iosc_round(%s);\n",
		    bytes_of(field, max_of(interface, method, field)));
	}
}

/* After it: the second one and those after it move up to where the one before them ends */
static void put_settle(const struct interface *interface, const struct method *method)
{
	const struct fields *out = &method->out;
	unsigned int seen = 0;

	for (unsigned int i = 0; i < out->count; i++)
		if (out->field[i].type.kind >= TYPE_BYTES)
			put("\tif (%s > %s)\n\t\treturn -EMSGSIZE;\n", measure(&out->field[i]),
			    max_of(interface, method, &out->field[i]));
	put("\tat_out = (__u8 *)fixed_out + iosc_round(%s);\n",
	    upper(interface, text("%s_out_size", method->name)));
	for (unsigned int i = 0; i < out->count; i++) {
		const struct field *field = &out->field[i];

		if (field->type.kind < TYPE_BYTES)
			continue;
		if (seen++)
			put("\tmemmove(at_out, %s, %s);\n", field->name,
			    bytes_of(field, measure(field)));
		put("\tat_out += iosc_round(%s);\n", bytes_of(field, measure(field)));
	}
}

static void put_result_stores(const struct fields *out)
{
	for (unsigned int i = 0; i < out->count; i++) {
		const struct field *field = &out->field[i];
		enum type_kind kind = field->type.kind;

		if (kind >= TYPE_BYTES)
			put("\tiosc_store32(&fixed_out->%s, %s);\n", measure(field),
			    measure(field));
		else if (kind == TYPE_HANDLE)
			put("\tiosc_store32(&fixed_out->%s, %s_handle ? %s_handle->number : 0);\n",
			    field->name, field->name, field->name);
		else
			put_store(&field->type, kind, text("fixed_out->%s", field->name),
				  field->name, 1);
	}
	put_padding(out, "fixed_out", 1);
}

static void put_serve(const struct interface *interface, const struct method *method)
{
	const char *prefix = text("%s_%s", interface->name, method->name);
	const char *size = upper(interface, text("%s_out_size", method->name));
	const struct fields *out = &method->out;
	bool tail = has_tail(out);

	put("static inline int %s_serve_%s(struct iosc_serving *serving)\n{\n", interface->name,
	    method->name);
	put("\tconst struct %s_server *server = serving->table;\n", interface->name);
	if (method->in.count)
		put("\tconst struct iosc_incoming *in = &serving->in;\n");
	put_result_locals(out);
	if (out->count)
		put("\tstruct %s_out *fixed_out;\n", prefix);
	if (tail)
		put("\t__u8 *at_out;\n");
	put_decode(interface, method, SERVER);
	if (tail)
		put_lend(interface, method);
	put("\tresult = server->%s(&serving->request", method->name);
	put_names(&method->in);
	put_result_names(out);
	put(");\n");
	if (out->count) {
		put("\tif (result)\n\t\treturn result;\n");
		if (tail)
			put_settle(interface, method);
		else
			put("\tfixed_out = serving->answer.room;\n\tif (!fixed_out)\n\t\tfixed_out = iosc_answer_begin(serving, iosc_tail(%s));\n",
			    size);
		put_give(interface, out, false);
		put_result_stores(out);
		put("\tserving->answer.size = %s;\n", size);
		if (tail)
			put("\tserving->answer.length = sizeof(struct iosc_message) + (at_out - (__u8 *)fixed_out);\n");
		else
			put("\tserving->answer.length = iosc_tail(%s);\n", size);
	}
	put("\treturn %s;\n}\n\n", out->count ? "0" : "result");
}

static void put_reply(const struct interface *interface, const struct method *method)
{
	const char *prefix = text("%s_%s", interface->name, method->name);
	const struct fields *out = &method->out;

	put("/* Answer a call of %s later: see iosc_reply_begin() for errors */\n", method->label);
	put("static inline int %s_reply(const struct iosc_request *request, int result", prefix);
	put_params(out, REPLIER);
	put(")\n{\n\tstruct iosc_answer answer;\n");
	if (out->count)
		put("\tstruct %s_out *fixed;\n", prefix);
	if (has_tail(out))
		put("\t__u8 *at;\n");
	for (unsigned int i = 0; i < out->count; i++)
		if (out->field[i].type.kind == TYPE_HANDLE)
			put("\tconst struct iosc_handle *%s_handle;\n", out->field[i].name);
	put("\tint error;\n\n");
	put_limits(interface, method, out);
	put("\terror = iosc_reply_begin(request, &answer, ");
	put_length(interface, method, out, "out");
	put(");\n\tif (error)\n\t\treturn error;\n");
	if (out->count) {
		put("\tif (result)\n\t\treturn iosc_reply_send(request, &answer, result);\n");
		put_give(interface, out, true);
		put("\tfixed = answer.room;\n");
		put_stores(interface, method, out, "out", REPLIER);
		put("\tanswer.size = %s;\n\tanswer.length = ",
		    upper(interface, text("%s_out_size", method->name)));
		put_length(interface, method, out, "out");
		put(";\n");
	}
	put("\treturn iosc_reply_send(request, &answer, result);\n}\n\n");
}

static void put_event(const struct interface *interface, const struct method *method)
{
	const char *prefix = text("%s_%s", interface->name, method->name);

	put_doc(method->doc,
		text("%s: send the event; see iosc_event_begin() for errors", method->label), 0);
	put("static inline int %s_send(struct iosc_client *client", prefix);
	put_params(&method->in, SENDER);
	put(")\n{\n\tstruct iosc_answer answer;\n");
	if (method->in.count)
		put("\tstruct %s_in *fixed;\n", prefix);
	if (has_tail(&method->in))
		put("\t__u8 *at;\n");
	put("\tint error;\n\n");
	put_limits(interface, method, &method->in);
	put("\terror = iosc_event_begin(client, &answer, ");
	put_length(interface, method, &method->in, "in");
	put(");\n\tif (error)\n\t\treturn error;\n");
	if (method->in.count) {
		put("\tfixed = answer.room;\n");
		put_stores(interface, method, &method->in, "in", SENDER);
	}
	put("\tanswer.size = %s;\n\tanswer.length = ",
	    upper(interface, text("%s_in_size", method->name)));
	put_length(interface, method, &method->in, "in");
	put(";\n\treturn iosc_event_send(client, &answer, %s, %u);\n}\n\n",
	    upper(interface, "interface"), method->ordinal);
}

static void put_methods(const struct interface *interface)
{
	put("static const struct iosc_serve %s_methods[] = {\n", interface->name);
	for (unsigned int i = 0; i < interface->nr_methods; i++) {
		const struct method *method = &interface->method[i];

		if (method->kind == METHOD_EVENT) {
			put("\t[%u] = { 0, 0, iosc_serve_nothing },\n", i);
			continue;
		}
		put("\t[%u] = { %s, %s, %s_serve_%s },\n", i,
		    upper(interface, text("%s_in_size", method->name)),
		    method->kind == METHOD_ONEWAY ? "IOSC_ONEWAY" : "IOSC_CALL", interface->name,
		    method->name);
	}
	put("};\n\n");
}

/* A function of the program's that not each program has: @what it is called */
static void put_told(const struct interface *interface, const char *what)
{
	put("static inline void %s_%s(const void *table, void *context, struct iosc_client *client)\n{\n",
	    interface->name, what);
	put("\tconst struct %s_server *server = table;\n\n\tif (server->%s)\n", interface->name,
	    what);
	put("\t\tserver->%s(context, client);\n}\n\n", what);
}

static void put_gone(const struct interface *interface)
{
	put("static inline void %s_gone(const void *table, void *context, unsigned int type, void *object)\n{\n",
	    interface->name);
	put("\tconst struct %s_server *server = table;\n\n\tswitch (type) {\n", interface->name);
	for (const struct named *named = interface->named; named; named = named->next) {
		const char *name = named->name + strlen(interface->name) + 1;

		if (named->kind != TYPE_HANDLE)
			continue;
		put("\tcase %s:\n\t\tif (server->%s_gone)\n\t\t\tserver->%s_gone(context, object);\n\t\tbreak;\n",
		    handle_type(interface, named), name, name);
	}
	put("\t}\n}\n\n");
}

void emit_server(const struct interface *interface)
{
	put_head(interface, "server", "what a server does");
	put("#include \"%s.h\"\n\n", interface->name);
	put_table(interface);
	for (unsigned int i = 0; i < interface->nr_methods; i++) {
		const struct method *method = &interface->method[i];

		if (method->kind == METHOD_EVENT) {
			put_event(interface, method);
			continue;
		}
		put_serve(interface, method);
		if (method->kind == METHOD_CALL)
			put_reply(interface, method);
	}
	put_methods(interface);
	put_told(interface, "left");
	put_told(interface, "room");
	if (interface->nr_handles)
		put_gone(interface);
	put("static inline void %s_cancelled(const void *table, const struct iosc_request *request)\n{\n",
	    interface->name);
	put("\tconst struct %s_server *server = table;\n\n\tif (server->cancelled)\n",
	    interface->name);
	put("\t\tserver->cancelled(request);\n}\n\n");
	put("/* For iosc_client_new() and iosc_server_new(), with a table of type struct %s_server */\n",
	    interface->name);
	put("static const struct iosc_service %s_service = {\n", interface->name);
	put("\t.interface = %s,\n\t.longest = %u,\n\t.methods = sizeof(%s_methods) / sizeof(%s_methods[0]),\n",
	    upper(interface, "interface"), interface->longest, interface->name, interface->name);
	put("\t.serve = %s_methods,\n\t.cancelled = %s_cancelled,\n", interface->name, interface->name);
	put("\t.left = %s_left,\n\t.room = %s_room,\n", interface->name, interface->name);
	if (interface->nr_handles)
		put("\t.gone = %s_gone,\n", interface->name);
	put("};\n");
	put_foot();
}
