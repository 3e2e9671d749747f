# SPDX-License-Identifier: GPL-2.0
#
# shellcheck shell=bash
#
# How comparisons write down what they measure. "make bench" makes tables, JSON and a report from it, see
# report/figures.jq. The file that is written has lines with tabs:
#
#	item	ITEM	TITLE	TEXT			before all others of this item
#	side	ITEM	SIDE	NAME	COMMAND		the first is what the others are compared with
#	figure	ITEM	WHAT	UNIT	SIDE	VALUE	one measurement; those of a round have the same position
#	machine	KEY	VALUE
#
# More is better where the unit ends with "/s"; elsewhere less is.

FIGURES=/mnt/figures
write_figure() { (IFS=$'\t'; echo "$*") >>$FIGURES; }

# describe ITEM TITLE TEXT: what is said with all its figures
describe() { write_figure item "$@"; }

# side ITEM SIDE NAME [COMMAND]
side() { write_figure side "$1" "$2" "$3" "$(tr '\n\t' '  ' <<<"${4:-}" | tr -s ' ')"; }

# record ITEM WHAT UNIT SIDE VALUE: fails if this is no figure
record()
{
	[[ $5 =~ ^[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$ ]] || { echo "$1: $2, $4: no figure: $5"; return 1; }
	write_figure figure "$@"
}

describe_machine()
{
	write_figure machine cpu "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)"
	write_figure machine cpus "$(nproc --all)"
	write_figure machine kernel "$(uname -r)"
}
