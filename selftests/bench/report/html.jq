# SPDX-License-Identifier: GPL-2.0
#
# Make a page from the JSON of figures.jq (jq -r -f): for each item a plot of ratios as SVG, and a table.
# $more is HTML that follows.

def colours: ["#888", "#d95f02", "#1b9e77", "#7570b3", "#e7298a", "#66a61e", "#a6761d"];
def n: if . < 10 then . * 1000 | round / 1000 elif . < 1000 then . * 10 | round / 10 else round end;
def r: . * 100 | round / 100;
def px: . * 10 | round / 10;

# A logarithmic scale with the least and the most ratio, and 1
def scale:
	([.figures[].sides[].ratio | select(.) | .min, .max] + [0.9, 1.1]) |
	{ min: ([min, 0.02] | max), max: ([max, 50] | min) } |
	.span = ((.max | log) - (.min | log));
def x($scale): ([[., $scale.min] | max, $scale.max] | min | log - ($scale.min | log)) / $scale.span * 520 + 250 | px;
def ticks($scale): [0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 0.9, 1, 1.1, 1.25, 2, 5, 10, 20, 50] |
	map(select(. >= $scale.min and . <= $scale.max));

def mark($scale; $y; $colour; $title):
	"<line x1=\"\(.min | x($scale))\" x2=\"\(.max | x($scale))\" y1=\"\($y)\" y2=\"\($y)\" stroke=\"\($colour)\" stroke-width=\"2\"/>" +
	"<circle cx=\"\(.median | x($scale))\" cy=\"\($y)\" r=\"4\" fill=\"\($colour)\"><title>\($title | @html)</title></circle>";

def plot:
	. as $item | scale as $scale | (.sides | length - 1) as $nr | (12 + 7 * $nr) as $row |
	(.figures | length * $row + 24) as $height |
	"<svg viewBox=\"0 0 800 \($height)\" role=\"img\" aria-label=\"\(.title | @html)\">" +
	([ticks($scale)[] | . as $t |
	  "<line class=\"\(if $t == 1 then "one" else "grid" end)\" x1=\"\(x($scale))\" x2=\"\(x($scale))\" y1=\"0\" y2=\"\($height - 18)\"/><text class=\"tick\" x=\"\(x($scale))\" y=\"\($height - 5)\">\($t)</text>"] | add) +
	([range(.figures | length) as $f | .figures[$f] as $figure |
	  "<text x=\"240\" y=\"\($f * $row + $row / 2 + 4)\" text-anchor=\"end\">\($figure.what | ltrimstr("  ") | @html)</text>",
	  (range(1; $nr + 1) as $s | $item.sides[$s] as $side | $figure.sides[$side.side].ratio | select(.) |
	   mark($scale; $f * $row + 2 + 7 * $s; colours[$s % (colours | length)];
		"\($side.name): \(.median | r) (\(.min | r) to \(.max | r))"))] | add) + "</svg>";

def legend:
	[range(1; .sides | length) as $s | .sides[$s] |
	 "<span><i style=\"background:\(colours[$s % (colours | length)])\"></i>\(.name | @html)</span>"] |
	"<p class=\"legend\">\(add)</p>";

def cell($base): if . == null then "<td></td>" else
	"<td title=\"\(.values | map(n | tostring) | join(", "))\">\(.median | n)" +
	(if $base or .ratio == null then "" else " <b>\(.ratio.median | r)</b>" end) + "</td>" end;

def table:
	. as $item | "<table><tr><th></th><th>unit</th>" + ([.sides[].name | "<th>\(@html)</th>"] | add) + "</tr>" +
	([.figures[] | . as $figure | "<tr><td>\(.what | @html)</td><td>\(.unit | @html)</td>" +
	  ([range($item.sides | length) as $s | $figure.sides[$item.sides[$s].side] | cell($s == 0)] | add) + "</tr>"] | add) +
	"<tr class=\"mean\"><td>geometric mean of the ratios</td><td></td><td></td>" +
	([range(1; .sides | length) as $s | .geometric_mean[$item.sides[$s].side] |
	  "<td>\(if . then "<b>\(r)</b>" else "" end)</td>"] | add) + "</tr></table>";

def commands:
	[.sides[] | select(.command != "") | "<dt>\(.name | @html)</dt><dd><code>\(.command | @html)</code></dd>"] |
	if length > 0 then "<dl>\(add)</dl>" else "" end;

def section:
	"<section id=\"\(.item)\"><h2>\(.title | @html)</h2><p>\(.text | @html)</p>" +
	(if any(.figures[].sides[]; .ratio) then
		"<p>Compared with: \(.sides[0].name | @html). Right of 1: faster, or better. A dot is the ratio of the medians, its line goes from the least to the most of a single round.</p>" + legend + plot
	 else "" end) +
	"<details\(if .sides | length == 1 then " open" else "" end)><summary>Figures</summary>" + table + commands +
	"<p class=\"when\">\(.machine.cpu | @html), \(.machine.cpus) CPUs, Linux \(.machine.kernel), \(.date)</p></details></section>";

# Ours that were slower, or worse, in each round
def losses:
	[.items[] | . as $item | .figures[] | . as $figure | .sides | to_entries[] |
	 select((.key | startswith("sigma")) and .value.ratio and .value.ratio.median < 0.97 and .value.ratio.max < 1) |
	 .key as $side | { item: $item.item, title: $item.title, what: $figure.what, ratio: .value.ratio.median,
	   name: ([$item.sides[] | select(.side == $side).name][0]), base: $item.sides[0].name }] |
	sort_by(.ratio);

def summary:
	"<table><tr><th></th><th>compared with</th><th>geometric mean of the ratios</th></tr>" +
	([.items[] | . as $item | select(.sides | length > 1) |
	  "<tr><td><a href=\"#\(.item)\">\(.title | @html)</a></td><td>\(.sides[0].name | @html)</td><td>" +
	  ([.sides[1:][] | .name as $name | $item.geometric_mean[.side] | select(.) | "\($name | @html): <b>\(r)</b>"] | join("; ")) +
	  "</td></tr>"] | add) + "</table>" +
	"<h2>Where we lose</h2>" +
	(losses | if length == 0 then "<p>Nowhere: no figure of SIGMA is below 0.97 and below 1 in each round.</p>" else
	 "<table><tr><th></th><th></th><th></th><th>ratio</th></tr>" +
	 ([.[] | "<tr><td><a href=\"#\(.item)\">\(.title | @html)</a></td><td>\(.what | @html)</td><td>\(.name | @html) against \(.base | @html)</td><td><b>\(.ratio | r)</b></td></tr>"] | add) + "</table>" end);

"<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>SIGMA: what was measured</title><style>
body { font: 15px/1.45 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1, h2 { line-height: 1.2 } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ddd }
svg { width: 100%; font-size: 11px } svg .grid { stroke: #e4e4e4 } svg .one { stroke: #444 } svg .tick { text-anchor: middle; fill: #777 }
table { border-collapse: collapse; font-size: 13px } td, th { padding: 2px 10px 2px 0; text-align: left; vertical-align: top; border-bottom: 1px solid #eee }
.legend span { margin-right: 1.2em } .legend i { display: inline-block; width: .8em; height: .8em; margin-right: .4em; border-radius: 50% }
.mean td { border-top: 1px solid #999 } .when { color: #777; font-size: 13px } code { white-space: pre-wrap; font-size: 12px } details { margin: .6rem 0 }
@media (prefers-color-scheme: dark) { body { background: #181818; color: #ddd } svg { fill: #ddd } svg .one { stroke: #bbb } svg .grid { stroke: #333 } td, th { border-color: #333 } a { color: #8cf } }
</style><h1>SIGMA: what was measured</h1>",
"<p>\($intro | @html)</p>", summary, (.items[] | section), $more, "</html>"
