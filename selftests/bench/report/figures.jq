# SPDX-License-Identifier: GPL-2.0
#
# Read what figures.sh has written (jq -R -s -f), print it as JSON:
#
#	{ machine: { KEY: VALUE }, date,
#	  items: [ { item, title, text, sides: [ { side, name, command } ],
#		     figures: [ { what, unit, more, sides: { SIDE: { values, median, min, max, ratio } } } ],
#		     geometric_mean: { SIDE: RATIO } } ] }
#
# A ratio compares a side with the first side of its item, and is above 1 where it is faster, or better. It
# is { median, min, max }: that of the medians, and the least and the most of a single round.

def median: sort | (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2;
def geometric_mean: if length == 0 then null else (map(log) | add / length | exp) end;
# In the order in which they came first
def distinct: reduce .[] as $x ([]; if index([$x]) then . else . + [$x] end);
def gain($more; $value; $base):
	if $value == $base then 1 elif $more then $value / $base else $base / $value end;

def ratio($more; $base):
	[.values, $base.values] | transpose | map(select(.[0] > 0 and .[1] > 0) | gain($more; .[0]; .[1])) |
	if length == 0 then null else { min: min, max: max } end;

def of_side($more; $base):
	. + if $base.median > 0 and .median > 0 then
		{ ratio: (ratio($more; $base) + { median: gain($more; .median; $base.median) }) }
	else {} end;

def figure($lines; $what; $sides):
	($lines | map(select(.[2] == $what))) as $mine |
	$mine[0][3] as $unit | ($unit | endswith("/s")) as $more |
	($mine | group_by(.[4]) | map({ key: .[0][4], value: (map(.[5] | tonumber) |
		{ values: ., median: median, min: min, max: max }) }) | from_entries) as $by |
	($by[$sides[0].side] // { median: 0 }) as $base |
	{ what: $what, unit: $unit, more: $more, sides: ($by | map_values(of_side($more; $base))) };

[split("\n")[] | select(. != "") | split("\t")] as $all |
def lines($kind): $all | map(select(.[0] == $kind));
{ machine: (lines("machine") | map({ key: .[1], value: .[2] }) | from_entries), date: $date,
  items: [lines("item") | distinct[] | .[1] as $item |
	([lines("side") | distinct[] | select(.[1] == $item) | { side: .[2], name: .[3], command: .[4] }]) as $sides |
	(lines("figure") | map(select(.[1] == $item))) as $mine |
	{ item: $item, title: .[2], text: .[3], sides: $sides,
	  figures: [$mine | map(.[2]) | distinct[] | figure($mine; .; $sides)] } |
	.geometric_mean = (. as $i | $sides | map(.side as $side |
		{ key: $side, value: ([$i.figures[].sides[$side].ratio.median // empty] | geometric_mean) }) |
		from_entries)] }
