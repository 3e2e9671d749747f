// SPDX-License-Identifier: LGPL-2.1-or-later
/* NAME-client.h: inline functions that call, and the table of those that get events. */
#include "emit.h"

/* Results as they come out of a call: in struct PREFIX_METHOD_call */
static void put_result_fields(const struct fields *fields)
{
	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];
		const struct type *type = &field->type;

		if (type->kind == TYPE_BYTES)
			put("\t%s *%s;\n\tsize_t %s_size, %s_length;\n",
			    type_native(type, type->kind), field->name, field->name, field->name);
		else if (type->kind == TYPE_LIST)
			put("\t%s *%s;\n\tsize_t %s_size, %s_count;\n",
			    type_native(type, type->element), field->name, field->name,
			    field->name);
		else
			put("\t%s %s;\n", type_native(type, type->kind), field->name);
	}
}

static void put_room_params(const struct fields *fields)
{
	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];
		const struct type *type = &field->type;

		if (type->kind == TYPE_BYTES)
			put(", %s *%s, size_t %s_size, size_t *%s_length",
			    type_native(type, type->kind), field->name, field->name, field->name);
		else if (type->kind == TYPE_LIST)
			put(", %s *%s, size_t %s_size, size_t *%s_count",
			    type_native(type, type->element), field->name, field->name,
			    field->name);
		else
			put(", %s *%s", type_native(type, type->kind), field->name);
	}
}

static void put_take_tail(const struct interface *interface, const struct method *method,
			  const struct field *field, bool last)
{
	const struct type *type = &field->type;
	bool list = type->kind == TYPE_LIST;
	const char *count = text("%s_%s", field->name, list ? "count" : "length");

	put("\t%s = iosc_load32(&fixed->%s);\n", count, count);
	put_fits(interface, method, field, count, last);
	put("\tif (%s > call->%s_size)\n\t\treturn -ENOBUFS;\n", count, field->name);
	put("\tcall->%s = %s;\n", count, count);
	if (list) {
		put("\tfor (__u32 i = 0; i < %s; i++) {\n", count);
		put("\t\tconst %s *element = (const void *)at;\n\n\t\telement += i;\n",
		    type_wire(type, type->element));
		put_load(type, type->element, text("call->%s[i]", field->name), "(*element)",
			 "return -EBADMSG", 2);
		put("\t}\n");
	} else {
		put("\tiosc_copy(call->%s, at, %s);\n", field->name, count);
	}
	if (!last)
		put_next(field, count);
}

static void put_take(const struct interface *interface, const struct method *method)
{
	const struct fields *fields = &method->out;
	const char *prefix = text("%s_%s", interface->name, method->name);
	unsigned int tails = 0;

	put("static inline int %s_take(struct iosc_call *base, const struct iosc_incoming *in)\n{\n",
	    prefix);
	if (!fields->count) {
		put("\treturn 0;\n}\n\n");
		return;
	}
	for (unsigned int i = 0; i < fields->count; i++)
		tails += fields->field[i].type.kind >= TYPE_BYTES;
	put("\tstruct %s_call *call = (struct %s_call *)base;\n", prefix, prefix);
	put_fixed(interface, method, "out");
	for (unsigned int i = 0; i < fields->count; i++)
		if (fields->field[i].type.kind >= TYPE_BYTES)
			put("\t__u32 %s;\n", measure(&fields->field[i]));
	if (tails)
		put_rest("in", upper(interface, text("%s_out_size", method->name)));
	put("\n");
	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *field = &fields->field[i];

		if (field->type.kind >= TYPE_BYTES)
			put_take_tail(interface, method, field, !--tails);
		else
			put_load(&field->type, field->type.kind, text("call->%s", field->name),
				 text("fixed->%s", field->name), "return -EBADMSG", 1);
	}
	put("\treturn 0;\n}\n\n");
}

/* @call: the third parameter of the function, or NULL for a one-way message */
static void put_begin(const struct interface *interface, const struct method *method,
		      const char *name, bool oneway)
{
	const char *prefix = text("%s_%s", interface->name, method->name);
	bool tail = has_tail(&method->in);

	put("static inline int %s(struct iosc_caller *caller", name);
	if (!oneway)
		put(", struct %s_call *call", prefix);
	put_params(&method->in, SENDER);
	put(")\n{\n\tstatic const struct iosc_method method = {\n");
	put("\t\t.interface = %s, .method = %u, .size = %s,\n", upper(interface, "interface"),
	    method->ordinal, upper(interface, text("%s_in_size", method->name)));
	put("\t\t.errors = %s,", upper(interface, "errors"));
	if (!oneway)
		put(" .results = %s, .take = %s_take,",
		    upper(interface, text("%s_out_size", method->name)), prefix);
	put("\n\t};\n");
	if (method->in.count)
		put("\tstruct %s_in *fixed;\n", prefix);
	if (tail)
		put("\t__u8 *at;\n");
	if (oneway)
		put("\tint error;\n");
	if (method->in.count || oneway)
		put("\n");
	put_limits(interface, method, &method->in);
	put("\t%siosc_%s_begin(caller, %s&method, ", method->in.count ? "fixed = " : "if (!",
	    oneway ? "oneway" : "call", oneway ? "" : "&call->call, ");
	put_length(interface, method, &method->in, "in");
	put("%s)%s", oneway ? ", &error" : "", method->in.count ? ";\n\tif (!fixed)\n" : ")\n");
	put("\t\treturn %s;\n", oneway ? "error" : "call->call.result");
	put_stores(interface, method, &method->in, "in", SENDER);
	put("\treturn %s;\n}\n\n", oneway ? "iosc_oneway_send(caller)" : "0");
}

static void put_start(const struct interface *interface, const struct method *method)
{
	const char *prefix = text("%s_%s", interface->name, method->name);

	put("/* Start the call, and do not wait: see iosc_call_wait(). The program has set call->call.done");
	put(" and\n * where texts, data and lists of the results go */\n");
	put("static inline int %s_start(struct iosc_caller *caller, struct %s_call *call", prefix,
	    prefix);
	put_params(&method->in, SENDER);
	put(")\n{\n\tint error = %s_begin(caller, call", prefix);
	put_names(&method->in);
	put(");\n\n\treturn error ? error : iosc_call_start(&call->call);\n}\n\n");
}

static void put_sync(const struct interface *interface, const struct method *method)
{
	const char *prefix = text("%s_%s", interface->name, method->name);
	const struct fields *out = &method->out;

	put_doc(method->doc, text("%s: call and wait", method->label), 0);
	put("static inline int %s(struct iosc_caller *caller", prefix);
	put_params(&method->in, SENDER);
	put_room_params(out);
	put(")\n{\n\tstruct %s_call call;\n\tint error;\n\n\tcall.call.done = NULL;\n", prefix);
	for (unsigned int i = 0; i < out->count; i++)
		if (out->field[i].type.kind >= TYPE_BYTES)
			put("\tcall.%s = %s;\n\tcall.%s_size = %s_size;\n", out->field[i].name,
			    out->field[i].name, out->field[i].name, out->field[i].name);
	put("\terror = %s_begin(caller, &call", prefix);
	put_names(&method->in);
	put(");\n\tif (!error)\n\t\terror = iosc_call_run(&call.call);\n");
	if (out->count)
		put("\tif (error)\n\t\treturn error;\n");
	for (unsigned int i = 0; i < out->count; i++) {
		const struct field *field = &out->field[i];
		const char *name = field->name;

		if (field->type.kind >= TYPE_BYTES)
			name = text("%s_%s", name,
				    field->type.kind == TYPE_BYTES ? "length" : "count");
		put("\t*%s = call.%s;\n", name, name);
	}
	put("\treturn %s;\n}\n\n", out->count ? "0" : "error");
}

static void put_call(const struct interface *interface, const struct method *method)
{
	const char *prefix = text("%s_%s", interface->name, method->name);

	put("/* %s: a call under way, and its results */\nstruct %s_call {\n\tstruct iosc_call call;\n",
	    method->label, prefix);
	put_result_fields(&method->out);
	put("};\n\n");
	put_take(interface, method);
	put_begin(interface, method, text("%s_begin", prefix), false);
	put_start(interface, method);
	put_sync(interface, method);
}

static void put_event(const struct interface *interface, const struct method *method)
{
	put("static inline int %s_take_%s(const void *table, void *context,\n\t\t\t\t",
	    interface->name, method->name);
	put("const struct iosc_incoming *in)\n{\n\tconst struct %s_events *events = table;\n",
	    interface->name);
	put_decode(interface, method, LISTENER);
	put("\tif (!events->%s)\n\t\treturn -ENOSYS;\n\tevents->%s(context", method->name,
	    method->name);
	put_names(&method->in);
	put(");\n\treturn 0;\n}\n\n");
}

static void put_events(const struct interface *interface)
{
	put("/* What to do with events. Pointers lead into the ring: the server can change what is there at any\n");
	put(" * time, and it is gone when the function returns. NULL: the event is dropped */\n");
	put("struct %s_events {\n", interface->name);
	for (unsigned int i = 0; i < interface->nr_methods; i++) {
		const struct method *method = &interface->method[i];

		if (method->kind != METHOD_EVENT)
			continue;
		put_doc(method->doc, method->label, 1);
		put("\tvoid (*%s)(void *context", method->name);
		put_params(&method->in, LISTENER);
		put(");\n");
	}
	put("};\n\n");
	for (unsigned int i = 0; i < interface->nr_methods; i++)
		if (interface->method[i].kind == METHOD_EVENT)
			put_event(interface, &interface->method[i]);
	put("static const struct iosc_hear %s_hear[] = {\n", interface->name);
	for (unsigned int i = 0; i < interface->nr_methods; i++)
		if (interface->method[i].kind == METHOD_EVENT)
			put("\t[%u] = { %s, %s_take_%s },\n", i,
			    upper(interface, text("%s_in_size", interface->method[i].name)),
			    interface->name, interface->method[i].name);
	put("};\n\n");
	put("static const struct iosc_listener %s_listener = {\n", interface->name);
	put("\t.interface = %s, .methods = sizeof(%s_hear) / sizeof(%s_hear[0]), .hear = %s_hear,\n};\n\n",
	    upper(interface, "interface"), interface->name, interface->name, interface->name);
	put("/* Have events passed to @events from now on; see iosc_caller_listen() */\n");
	put("static inline void %s_listen(struct iosc_caller *caller, const struct %s_events *events,\n",
	    interface->name, interface->name);
	put("\t\t\t\tvoid *context)\n{\n\tiosc_caller_listen(caller, &%s_listener, events, context);\n}\n",
	    interface->name);
}

void emit_client(const struct interface *interface)
{
	bool events = false;

	put_head(interface, "client", "what a client calls");
	put("#include \"%s.h\"\n\n", interface->name);
	put("/*\n * Each function returns 0, an error of the interface, which is positive, or a negative errno.\n");
	put(" * -EMSGSIZE: an argument is longer than its maximum. -ENOBUFS: a result is longer than its room.\n");
	put(" * iosc_call(3) has the others.\n */\n\n");
	for (unsigned int i = 0; i < interface->nr_methods; i++) {
		const struct method *method = &interface->method[i];

		if (method->kind == METHOD_CALL) {
			put_call(interface, method);
		} else if (method->kind == METHOD_ONEWAY) {
			put_doc(method->doc, text("%s: one-way", method->label), 0);
			put_begin(interface, method, text("%s_%s", interface->name, method->name),
				  true);
		} else {
			events = true;
		}
	}
	if (events)
		put_events(interface);
	put_foot();
}
