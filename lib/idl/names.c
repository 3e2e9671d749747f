// SPDX-License-Identifier: LGPL-2.1-or-later
/* See names.h. */
#include <ctype.h>
#include <string.h>

#include "memory.h"
#include "names.h"

char *name_snake(const char *name)
{
	char *out = keep(2 * strlen(name) + 1), *to = out;

	for (size_t i = 0; name[i]; i++) {
		/* A word begins: "getDir", or the last capital of "HTTPServer" */
		if (i && isupper(name[i]) && (!isupper(name[i - 1]) || islower(name[i + 1])))
			*to++ = '_';
		*to++ = tolower(name[i]);
	}
	return out;
}

char *name_upper(const char *name)
{
	char *out = keep(strlen(name) + 1), *to = out;

	while (*name)
		*to++ = toupper(*name++);
	return out;
}

static const char *const keywords[] = {
	"auto",
	"bool",
	"break",
	"case",
	"char",
	"const",
	"continue",
	"default",
	"do",
	"double",
	"else",
	"enum",
	"extern",
	"false",
	"float",
	"for",
	"goto",
	"if",
	"inline",
	"int",
	"long",
	"register",
	"restrict",
	"return",
	"short",
	"signed",
	"sizeof",
	"static",
	"struct",
	"switch",
	"true",
	"typedef",
	"union",
	"unsigned",
	"void",
	"volatile",
	"while",
	/* of C++, whose programs may include the headers */
	"catch",
	"class",
	"delete",
	"explicit",
	"export",
	"friend",
	"mutable",
	"namespace",
	"new",
	"operator",
	"private",
	"protected",
	"public",
	"template",
	"this",
	"throw",
	"try",
	"typename",
	"using",
	"virtual",
};

static const char *const locals[] = {
	"answer", "at",	  "call",    "caller", "client", "context", "error",   "fixed",
	"in",	  "out",  "request", "rest",   "result", "server",  "serving", "table",
};

static const char *const functions[] = {
	"cancelled", "gone", "hear", "left", "listen", "listener", "methods", "room", "service",
};

static int listed(const char *const *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(list[i], name))
			return 1;
	return 0;
}

const char *name_taken(const char *name, bool is_method)
{
	if (listed(keywords, sizeof(keywords) / sizeof(*keywords), name))
		return "a word of C or C++";
	if (listed(locals, sizeof(locals) / sizeof(*locals), name))
		return "a variable of the stubs";
	if (is_method && listed(functions, sizeof(functions) / sizeof(*functions), name))
		return "a function of the stubs";
	return NULL;
}
