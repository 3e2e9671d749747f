# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What runs many tests and speaks TAP for all of them: their lines are passed on, renumbered; the
# last line is "N passed, N failed".

number=0 passed=0 failed=0

# A machine keeps about one CPU busy, whatever it has itself, but for what it waits
: "${JOBS:=$(($(nproc) + 1))}"
[ "$JOBS" -le 3 ] || JOBS=3
# Unit tests wait most of their time
UNIT_JOBS=$((2 * JOBS))
UNIT_SECONDS=300

result()
{
	local what=$1 text=$2

	number=$((number + 1))
	echo "$what $number - $text"
	case $what:$text in
	*"# SKIP"*)	;;
	ok:*)		passed=$((passed + 1)) ;;
	*)		failed=$((failed + 1)) ;;
	esac
}

# relay NAME: read a test's TAP, pass it on under our numbers. Its lines must be as many as its
# plan says, so that a test that died half way is no success.
relay()
{
	local name=$1 line seen=0 plan=""

	while IFS= read -r line; do
		line=${line%$'\r'}
		# A program in the background of a test may have shown its progress on the same line
		line=${line##*$'\r'}
		line=${line#$'\e[K'}
		if [[ $line =~ ^(ok|not\ ok)\ *[0-9]*\ *-?\ *(.*)$ ]]; then
			seen=$((seen + 1))
			result "${BASH_REMATCH[1]}" "$name: ${BASH_REMATCH[2]}"
		elif [[ $line =~ ^1\.\.0.*SKIP\ *(.*)$ ]]; then
			plan=0
			result ok "$name # SKIP ${BASH_REMATCH[1]}"
		elif [[ $line =~ ^1\.\.([0-9]+) ]]; then
			plan=${BASH_REMATCH[1]}
		elif [[ $line =~ ^TAP\ version ]]; then
			:
		else
			echo "# ${line#\# }"
		fi
	done
	[ "$plan" = "$seen" ] ||
		result "not ok" "$name: ends early: planned ${plan:-nothing}, ran $seen"
}

# run JOBS START FINISH NAME...: all of these tests, JOBS at a time. "START NAME" begins one in the
# background, which speaks to the file $said/NAME; "FINISH NAME SECONDS" reports it when it has ended.
run()
{
	local jobs=$1 start=$2 finish=$3 pid
	local -A test_of=() started=()

	shift 3
	while [ $# -gt 0 ] || [ ${#test_of[@]} -gt 0 ]; do
		while [ $# -gt 0 ] && [ ${#test_of[@]} -lt "$jobs" ]; do
			"$start" "$1"
			test_of[$!]=$1
			started[$!]=$SECONDS
			shift
		done
		wait -n -p pid "${!test_of[@]}" || true
		"$finish" "${test_of[$pid]}" $((SECONDS - started[$pid]))
		unset "test_of[$pid]" "started[$pid]"
	done
}

# What has nothing to tell but its TAP
finish_plain()
{
	relay "$1" <"$said/$1"
}

# wanted: of the names on stdin those in $only, all if it is empty
wanted()
{
	local name
	while read -r name; do
		[ -n "$only" ] && [[ " $only " != *" $name "* && " $only " != *" $name.sh "* ]] ||
			echo "$name"
	done
}

# By their sources, as the Makefile has them: one that was not built fails
unit_tests()
{
	local file
	for file in "$TOP"/selftests/unit/*.c; do
		basename "$file" .c
	done
	for file in "$TOP"/selftests/fuzz/*.c; do
		case $file in
		*/main.c | */common.c)	;;
		*)			echo "fuzz-$(basename "$file" .c)" ;;
		esac
	done
}

# What comes first, and what comes last
begin()
{
	echo "TAP version 13"
	said=$(mktemp -d)
	trap 'rm -rf "$said"' EXIT
	trap 'kill $(jobs -p) 2>/dev/null; exit 1' INT TERM
}

finish()
{
	echo "1..$number"
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ]
	exit
}
