# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Machines that are rows of a table, with the same guests in each of them, and what became of these.
# For "check", which has lib.sh and tap.sh, and for matrix/report, which makes the matrix's table.

TABLES_SECONDS=2700	# for all guests of a machine

# The machines of cpus/models and matrix/machines, by name: CPU or options, kernel, and what tells
# their guests apart (guards or kernels)
declare -A guests_of=() options_of=()

cpus_machines()
{
	local cpu kernel guards name

	while read -r cpu guards; do
		for kernel in $KERNELS; do
			# QEMU's names have neither
			name=${cpu//[,=]/}-$kernel
			guests_of[$name]="$cpu $kernel $guards"
			[ -n "$only" ] && [[ " $only " != *" $cpu "* ]] || machines+=("$name")
		done
	done < <(sed 's/[ \t]*#.*//; /^$/d' "$TOP/selftests/cpus/models")
}

start_on_cpu()
{
	local cpu kernel guards

	read -r cpu kernel guards <<<"${guests_of[$1]}"
	# shellcheck disable=SC2086 # a list
	"$RIG/vm" -z -k "$kernel" -c 3 -m 2G -t "$TABLES_SECONDS" -n "$1" -p "$cpu" -- \
		./cpus/guests $guards >"$said/$1" 2>&1 &
}

finish_on_cpu()
{
	finish_machine "$@"
	! grep -aq "^1\.\.0" "$said/$1" || result "not ok" "$1: sigma.ko loads"
}

# outcome FILE MACHINE KIND: what became of its guests with this guard or kernel, by that file's TAP
outcome()
{
	local guests tells

	read -r _ _ guests <<<"${guests_of[$2]}"
	if [[ " $guests " != *" $3 "* ]]; then
		echo -
	elif tells=$(grep -saoE "^# outcome: $3 [a-z]+" "$1"); then
		echo "${tells##* }"
	elif grep -saqE "^(not )?ok .* - (Guard=|guest )$3: " "$1"; then
		echo "ended early"
	else
		echo "not run"
	fi
}

cpus_table()
{
	local name cpu kernel guard guards="full memory no"
	local row="%-30s %-7s %-12s %-12s %-12s\n"

	# shellcheck disable=SC2059,SC2086 # a format, and a list
	printf "$row" CPU kernel $guards
	for name in "$@"; do
		read -r cpu kernel _ <<<"${guests_of[$name]}"
		for guard in $guards; do
			outcome "$said/$name" "$name" "$guard"
		done | xargs -d '\n' printf "$row" "$cpu" "$kernel"
	done
}

matrix_machines()
{
	local name kernel guests options

	while IFS='|' read -r name kernel guests options; do
		read -r name <<<"$name"
		read -r kernel <<<"$kernel"
		read -r guests <<<"$guests"
		guests_of[$name]="- $kernel $guests"
		options_of[$name]=$options
		[ -n "$only" ] && [[ " $only " != *" $name "* ]] || machines+=("$name")
	done < <(sed '/^#/d; /^$/d' "$TOP/selftests/matrix/machines")
}

# The kernels that these machines and their guests run
matrix_kernels()
{
	local name

	for name; do
		# Behind the CPU; "host" is a guest's word for its host's kernel
		# shellcheck disable=SC2086 # a list
		printf '%s\n' ${guests_of[$name]#* }
	done | grep -vx host | sort -uV | xargs
}

start_in_matrix()
{
	local kernel guests

	read -r _ kernel guests <<<"${guests_of[$1]}"
	# shellcheck disable=SC2086 # lists
	"$RIG/vm" -k "$kernel" -m 2G ${options_of[$1]} -t "$TABLES_SECONDS" -n "$1" -- \
		./cpus/guests --kernels $guests >"$said/$1" 2>&1 &
}
