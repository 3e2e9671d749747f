# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What an interface for iosc-idl(1) says beyond Cap'n Proto's own language:
#
#	using Iosc = import "/iosc.capnp";

@0xd0a2bb2a6a0c8f11;

using Memory = UInt32;
# A memory object that the sender lends: the number of iosc_memory_grant(3), for iosc_memory_take(3).

annotation max @0xb1c0ffee00000001 (field, param) :UInt32;
# The most bytes of a text or of data, the most elements of a list. Each of them has one.

annotation oneway @0xb1c0ffee00000002 (method) :Void;
# The client gets no reply, and does not wait.

annotation event @0xb1c0ffee00000003 (method) :Void;
# The server sends it to the client, which sends no reply.

annotation errors @0xb1c0ffee00000004 (enum) :Void;
# What the methods of the interface that this enum is in may fail with. The first one means success.

annotation closes @0xb1c0ffee00000005 (param) :Void;
# The handle is the server's again, whatever the method returns.
