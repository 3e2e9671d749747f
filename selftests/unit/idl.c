// SPDX-License-Identifier: GPL-2.0
/*
 * iosc-idl: what it makes of good interfaces compiles, without warnings; each mistake
 * gets a message with the file, the declaration, the reason and what to do.
 */
#include <limits.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "capture.h"
#include "scratch-folder.h"
#include "tap.h"

#define TOOL	"/../sanitized/iosc-idl"	/* from the folder of this program */
#define HEAD	"@0xb3a7c0de12345678;\nusing Iosc = import \"/iosc.capnp\";\n"
#define STRICT " -Wall -Wextra -Wno-unused-parameter -Werror -fsyntax-only -I" SOURCES "/lib "

static char *tool(void)
{
	static char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - sizeof(TOOL));
	char *slash;

	path[length > 0 ? length : 0] = 0;
	slash = strrchr(path, '/');
	if (slash)
		strcpy(slash, TOOL);
	return path;
}

static bool have_parser(void)
{
	return !system("command -v capnp >/dev/null");
}

static void write_text(const char *path, const char *head, const char *body)
{
	FILE *f = fopen(path, "we");

	if (!f || fputs(head, f) < 0 || fputs(body, f) < 0 || fclose(f))
		TAP_FAIL("%s: %m", path);
}

/* Return: exit status; what it said is in capture_buffer */
static int compile(const char *head, const char *body)
{
	char command[2 * PATH_MAX];
	int status;

	write_text("a.capnp", head, body);
	snprintf(command, sizeof(command), "%s -f -I %s/lib/idl a.capnp >&2", tool(), SOURCES);
	capture_start();
	status = system(command);
	capture_end();
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const struct {
	const char *body, *said;
} mistakes[] = {
	{ "interface X { f @0 (a :Text); }",
	  "a.capnp: X.f: a: has no maximum; say $Iosc.max(N), with the most bytes or elements" },
	{ "interface X { f @0 (a :Text $Iosc.max(0)); }",
	  "a.capnp: X.f: a: $max(0) leaves no room" },
	{ "interface X { f @0 (a :UInt8 $Iosc.max(3)); }",
	  "X.f: a: $max is for text, data and lists" },
	{ "interface X { f @0 (a :Data $Iosc.max(9000)); }",
	  "X.f: its message can be 9024 bytes long, and a message has at most 8192; lower a maximum" },
	{ "interface X { f @0 () -> (a :List(UInt64) $Iosc.max(1024)); }",
	  "X.f: its reply can be 8216 bytes long" },
	{ "interface X { f @0 (a :List(UInt64) $Iosc.max(0x20000001)); }",
	  "X.f: its message can be 4294967295 bytes long" },
	{ "interface X { f @0 (a :Float32); }",
	  "X.f: a: is a floating-point number, which kernels have not" },
	{ "interface X { f @0 (a :Void); }", "X.f: a: is Void; leave it out" },
	{ "interface X { f @0 (a :AnyPointer); }", "X.f: a: is AnyPointer or generic; use Data" },
	{ "interface X { f @0 (a :List(Text) $Iosc.max(3)); }",
	  "X.f: a: is a list of texts, data, lists or handles; use a list of structs" },
	{ "interface X { f @0 (a :List(List(UInt8)) $Iosc.max(3)); }",
	  "X.f: a: is a list of texts" },
	{ "interface X { f @0 (a :UInt8 = 3); }", "X.f: a: has a default; leave it out" },
	{ "interface X { f @0 (error :UInt8); }",
	  "X.f: error: \"error\" is a variable of the stubs" },
	{ "interface X { f @0 (int :UInt8); }", "X.f: int: \"int\" is a word of C or C++" },
	{ "interface X { methods @0 (); }",
	  "X.methods: \"methods\" is a function of the stubs" },
	{ "interface X { f @0 (a :UInt8) -> (a :UInt8); }",
	  "X.f: a: an argument and a result have this name" },
	{ "interface X { f @0 (a :UInt8) -> (b :UInt8) $Iosc.oneway; }",
	  "X.f: has results, but a one-way message gets no reply" },
	{ "interface X { f @0 () -> (b :UInt8) $Iosc.event; }",
	  "X.f: has results, but an event gets no reply" },
	{ "interface X { f @0 () $Iosc.event $Iosc.oneway; }", "X.f: is both $oneway and $event" },
	{ "interface H {} interface X { f @0 (h :H) $Iosc.event; }",
	  "X.f: h: an event has no handles" },
	{ "interface X { f @0 (a :UInt8 $Iosc.closes); }", "X.f: a: $closes is for handles" },
	{ "interface H { g @0 (); } interface X { f @0 (h :H); }",
	  "is the second interface after" },
	{ "interface X { interface H { g @0 (); } f @0 (h :H); }",
	  "X.H: a handle's interface has methods; make them methods of X" },
	{ "struct S { a @0 :Text; } interface X { f @0 (s :S); }", "S: a: has no maximum" },
	{ "struct S { a @0 :Text $Iosc.max(3); } interface X { f @0 (s :S); }",
	  "S: a: a struct has no handles, texts, data and lists" },
	{ "struct S { s @0 :S; } interface X { f @0 (s :S); }",
	  "S: s: a struct cannot contain itself" },
	{ "struct S {} interface X { f @0 (s :S); }", "S: is empty; give it a field" },
	{ "struct S { union { a @0 :UInt8; b @1 :UInt8; } } interface X { f @0 (s :S); }",
	  "S: has a union" },
	{ "struct S { g :group { a @0 :UInt8; } } interface X { f @0 (s :S); }",
	  "S: g: is a group" },
	{ "interface X { enum E $Iosc.errors { a @0; } enum F $Iosc.errors { b @0; } f @0 (); }",
	  "X.F: is the second enum of errors after" },
	{ "enum HTTPGet { a @0; } enum HttpGet { a @0; } interface X { f @0 (a :HTTPGet, b :HttpGet); }",
	  "HttpGet: its name in C, x_http_get, is that of HTTPGet" },
	{ "interface X { f @0 [T] (a :T); }", "X.f: is generic" },
	{ "interface X(T) { f @0 (a :T); }", "X: is generic" },
	{ "interface Y { } interface X extends(Y) { f @0 (); }", "X: extends another interface" },
	{ "struct S { a @0 :UInt8; }", "a.capnp: interface: there is none with methods" },
	{ "interface X { f @0 (a :Nothing); }", "a.capnp:3:" }, /* the parser's own */
};

TEST(each_mistake_has_its_message)
{
	if (!have_parser())
		SKIP(return, "there is no capnp");
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++) {
		int status = compile(HEAD, mistakes[i].body);

		if (status != EXIT_FAILURE)
			TAP_FAIL("exit status %d: %s", status, mistakes[i].body);
		EXPECT_SAID(mistakes[i].said, capture_buffer);
	}
}

TEST(no_file_and_two_files)
{
	char command[2 * PATH_MAX];

	capture_start();
	snprintf(command, sizeof(command), "%s", tool());
	EXPECT_TRUE(system(command));
	EXPECT_SAID("give one file", capture_end());
	capture_start();
	snprintf(command, sizeof(command), "PATH=/nowhere %s a.capnp", tool());
	EXPECT_TRUE(system(command));
	EXPECT_SAID("install the package capnproto", capture_end());
}

static const char good[] =
	"interface Everything {\n"
	"  # A comment with */ in it.\n"
	"  enum Error $Iosc.errors { none @0; bad @1; }\n"
	"  enum Colour { red @0; green @1; }\n"
	"  enum HTTPKind { get @0; put @1; }\n"
	"  struct Inner { a @0 :UInt8; b @1 :Int64; c @2 :Colour; d @3 :Bool; }\n"
	"  struct Outer { tiny @0 :Int8; inner @1 :Inner; wide @2 :UInt16; }\n"
	"  interface Thing {}\n"
	"  interface OtherThing {}\n"
	"  nothing @0 ();\n"
	"  scalars @1 (a :Bool, b :Int8, c :Int16, d :Int32, e :Int64, f :UInt8, g :UInt16, h :UInt32,\n"
	"      i :UInt64, j :HTTPKind) -> (k :Bool, l :Int8, m :Int16, n :Int32, o :Int64, p :UInt8,\n"
	"      q :UInt16, r :UInt32, s :UInt64, t :Colour);\n"
	"  httpGet @2 (url :Text $Iosc.max(100), body :Data $Iosc.max(100))\n"
	"      -> (reply :Data $Iosc.max(100), type :Text $Iosc.max(10), more :Data $Iosc.max(3));\n"
	"  lists @3 (a :List(UInt8) $Iosc.max(9), b :List(Bool) $Iosc.max(9), c :List(Colour) $Iosc.max(3),\n"
	"      d :List(Outer) $Iosc.max(3)) -> (e :List(Int64) $Iosc.max(9), f :List(Outer) $Iosc.max(3));\n"
	"  things @4 (a :Thing, b :OtherThing $Iosc.closes, c :Outer) -> (d :Thing, e :OtherThing, f :Outer);\n"
	"  tell @5 (a :Text $Iosc.max(9), b :Thing) $Iosc.oneway;\n"
	"  told @6 (a :Text $Iosc.max(9), b :List(Outer) $Iosc.max(2), c :Colour, d :Outer) $Iosc.event;\n"
	"  ping @7 () $Iosc.oneway;\n"
	"  pong @8 () $Iosc.event;\n"
	"}\n";

TEST(what_it_makes_compiles)
{
	if (!have_parser() || system("command -v gcc >/dev/null"))
		SKIP(return, "there is no capnp or no gcc");
	EXPECT_EQ(0, compile(HEAD, good));
	EXPECT_STREQ("", capture_buffer);
	write_text("a.c", "#include \"everything-client.h\"\n",
		   "#include \"everything-server.h\"\n");
	EXPECT_EQ(0, system("gcc -std=gnu11" STRICT "a.c"));
	EXPECT_EQ(0, system("gcc -std=gnu11 -D_GNU_SOURCE" STRICT "everything-fuzz.c"));
	EXPECT_EQ(
		0,
		system("grep -q EVERYTHING_HTTP_KIND_PUT everything.h && grep -q everything_http_get everything-client.h"));
	EXPECT_EQ(
		0,
		system("! awk '{ gsub(\"\\t\", \"        \"); if (length > 100) print }' *.h | grep ."));
}

TEST(the_same_file_makes_the_same_headers)
{
	if (!have_parser())
		SKIP(return, "there is no capnp");
	EXPECT_EQ(0, compile(HEAD, good));
	EXPECT_EQ(0, system("mkdir -p before && mv everything* before"));
	EXPECT_EQ(0, compile(HEAD, good));
	EXPECT_EQ(0, system("for f in before/*; do cmp \"$f\" \"${f#before/}\" || exit; done"));
}

TEST_HARNESS_MAIN
