# SPDX-License-Identifier: GPL-2.0
#
# Notes that a server keeps: the interface of ../calls.md.

@0x9d6f0e5d8a3b1c47;

using Iosc = import "/iosc.capnp";

interface Notes {
  enum Error $Iosc.errors {
    none @0;
    full @1;
    noSuchNote @2;
  }

  add @0 (text :Text $Iosc.max(200)) -> (number :UInt32);
  # Keep a note. Numbers begin with 1.

  get @1 (number :UInt32) -> (found :Text $Iosc.max(200));
  # A note that was kept.
}
