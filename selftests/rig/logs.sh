# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the logs of a test in a virtual machine say of its last run, for the scripts that make pages of
# docs/ from them. For a script that has lib.sh. What has no log has its row of the last run: the page is
# read, $PAGE, before it is written.

was_run() { [ -s "$LOGS/$1.log" ]; }

# The checks of a test as "ok|not ok<tab>text"
checks() { sed -nE $'s/\r$//; s/^(ok|not ok) [0-9]+ - (.*)$/\\1\\t\\2/p' "$LOGS/$1.log"; }

checks_passed() { echo "$(checks "$1" | grep -c '^ok') of $(checks "$1" | wc -l)"; }

# The plan is a test's last line, and its checks are as many
reached_its_end() { [ "$(checks "$1" | wc -l)" = "$(sed -nE 's/^1\.\.([0-9]+).*/\1/p' "$LOGS/$1.log")" ]; }

warnings() { unintended "$LOGS/$1.kernel.log" | grep -acE "$BAD_LOG"; }

host_version() { sed -nE 's/.*Linux version ([^ ]+) .*/\1/p' "$LOGS/$1.kernel.log" | head -n 1; }

day_of() { date -u -r "$LOGS/$1.log" +%F; }

# kept_row KEY [END]: the row of $PAGE whose first field is KEY and which ends so. Return: there is one
kept_row()
{
	KEY="| $1 |" TAIL=${2:-} awk '
		index($0, ENVIRON["KEY"]) == 1 &&
		substr($0, length($0) - length(ENVIRON["TAIL"]) + 1) == ENVIRON["TAIL"] { print; found = 1; exit }
		END { exit !found }' "$PAGE"
}
