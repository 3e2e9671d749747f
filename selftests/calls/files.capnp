# SPDX-License-Identifier: GPL-2.0
#
# The interface that tests and "make bench T=calls" use: something of everything that iosc-idl knows.

@0xb3a7c0de12345678;

using Iosc = import "/iosc.capnp";

interface Files {
  # Files of a server, which are made up, and a counter.

  enum Error $Iosc.errors {
    none @0;
    noSuchFile @1;
    tooManyFiles @2;
  }

  enum Kind {
    file @0;
    folder @1;
  }

  struct Stat {
    size @0 :UInt64;
    blocks @1 :UInt32;
    kind @2 :Kind;
    mode @3 :UInt16;
    readable @4 :Bool;
  }

  interface File {}

  null @0 ();
  open @1 (path :Text $Iosc.max(255), flags :UInt32, mode :UInt32) -> (file :File);
  # A path that begins with "/none" is one of no file.
  write @2 (file :File, data :Data $Iosc.max(4096)) -> (written :UInt32);
  # Adds the bytes to the file's size.
  getDirentries @3 (file :File, base :UInt64) -> (next :UInt64, entries :Data $Iosc.max(4096));
  # 64 entries of 32 bytes.
  stat @4 (file :File) -> (stat :Stat);
  close @5 (file :File $Iosc.closes);
  sort @6 (numbers :List(UInt32) $Iosc.max(64), stats :List(Stat) $Iosc.max(4), kind :Kind,
      first :Stat)
      -> (total :UInt64, sorted :List(UInt32) $Iosc.max(64), name :Text $Iosc.max(20));
  count @7 (by :UInt32, text :Text $Iosc.max(32)) $Iosc.oneway;
  # Adds to the counter.
  counted @8 (counter :UInt32, kind :Kind, text :Text $Iosc.max(32)) $Iosc.event;
  # Somebody has added to the counter.
  await @9 (counter :UInt32) -> (seen :UInt32);
  # Returns when the counter is so high.
  openFiles @10 () -> (first :File, second :File);
  # Two more of them.
}
