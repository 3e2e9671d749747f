# SPDX-License-Identifier: GPL-2.0
#
# For the unit test "versions": an interface as it was first. cells2.capnp has it as it became, with
# another name so that one program can have both.

@0xa1d4f2c07be95306;

using Iosc = import "/iosc.capnp";

interface Cells1 @0xe5c8b1a2f0394d77 {
  enum Error $Iosc.errors { none @0; noRoom @1; }
  interface Cell {}

  make @0 (size :UInt32) -> (cell :Cell);
  put @1 (cell :Cell, bytes :Data $Iosc.max(100)) -> (count :UInt32);
  get @2 (cell :Cell) -> (bytes :Data $Iosc.max(100));
  changed @3 (count :UInt32) $Iosc.event;
}
