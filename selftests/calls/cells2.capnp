# SPDX-License-Identifier: GPL-2.0
#
# For the unit test "versions": cells1.capnp as iosc-idl(1) lets it grow.

@0x9f37e60c52d8b41a;

using Iosc = import "/iosc.capnp";

interface Cells2 @0xe5c8b1a2f0394d77 {
  enum Error $Iosc.errors { none @0; noRoom @1; sealed @2; }
  interface Cell {}

  make @0 (size :UInt32, colour :UInt16, name :Text $Iosc.max(20)) -> (cell :Cell, id :UInt64);
  put @1 (cell :Cell, bytes :Data $Iosc.max(200), place :UInt32, more :Data $Iosc.max(50))
      -> (count :UInt32, left :UInt32);
  get @2 (cell :Cell) -> (bytes :Data $Iosc.max(200), name :Text $Iosc.max(20));
  changed @3 (count :UInt32, by :UInt32) $Iosc.event;
  drop @4 (cell :Cell $Iosc.closes);
}
