// SPDX-License-Identifier: GPL-2.0
//
// The DSDT of the guest has one device, the IOSC window (inter-OS communication). Its _HID makes
// the guest's kernel load sigma_guest.ko. acpi.c replaces the minimum and the maximum below by the
// window's address. The compiler checks that they fit the length (SIGMA_IOSC_SIZE).
//
DefinitionBlock ("", "DSDT", 2, "SIGMA ", "SIGMAGST", 1)
{
    Scope (\_SB)
    {
        Device (IOSC)
        {
            Name (_HID, "SGMA0001")
            Name (_UID, Zero)
            Name (_CRS, ResourceTemplate ()
            {
                QWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed,
                             Cacheable, ReadWrite,
                             0x0000000000000000,    // granularity
                             0x00534947414D0000,    // minimum
                             0x00534947416CFFFF,    // maximum
                             0x0000000000000000,    // translation
                             0x0000000000200000)    // length
            })
        }
    }
}
