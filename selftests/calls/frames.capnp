# SPDX-License-Identifier: GPL-2.0
#
# For the test "objects": memory that client and server lend each other.

@0xc2e5b0a41f6d9e37;

using Iosc = import "/iosc.capnp";

interface Frames {
  # The server takes and lends memory objects. Results are what its kernel said: errno values, 0: success.

  add @0 (frame :Iosc.Memory, by :UInt8) -> (code :Int32, sum :UInt64);
  # Take the frame, add to each of its bytes, if it may be written to, and let go of it.
  hold @1 (frame :Iosc.Memory, zeroes :Bool) -> (code :Int32, size :UInt64, writable :Bool);
  # Take it, touch all of it, and keep it, one at a time.
  look @2 () -> (bus :Bool, first :UInt8, hungUp :Bool);
  # At the one that is held: was it a SIGBUS?
  drop @3 ();
  # Let go of it.
  lend @4 (size :UInt64, writable :Bool) -> (frame :Iosc.Memory, code :Int32);
  # Make one whose bytes are their place in it, modulo 251, and lend it.
  revoke @5 (frame :Iosc.Memory) -> (code :Int32);
  free @6 ();
  # Free the one that was made.
  direct @7 () -> (code :Int32);
  # Have a device read from the one that is held: O_DIRECT.
}
