# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For "check": machines that are rows of a table, with the same guests in each of them, and the
# tables of what became of these. For a script that has lib.sh and tap.sh.

TABLES_SECONDS=2700	# for all guests of a machine

# The machines of cpus/models and matrix/machines, by name: CPU or options, kernel, and what tells
# their guests apart (guards or kernels)
declare -A guests_of=() options_of=()

cpus_tests()
{
	local cpu kernel guards name

	while read -r cpu guards; do
		for kernel in $KERNELS; do
			# QEMU's names have neither
			name=${cpu//[,=]/}-$kernel
			guests_of[$name]="$cpu $kernel $guards"
			[ -n "$only" ] && [[ " $only " != *" $cpu "* ]] || tests+=("$name")
		done
	done < <(sed 's/[ \t]*#.*//; /^$/d' "$TOP/selftests/cpus/models")
}

start_on_cpu()
{
	local cpu kernel guards

	read -r cpu kernel guards <<<"${guests_of[$1]}"
	# A kernel that takes emulated CPUs' TSCs for wrong goes by the HPET, which is slow
	# shellcheck disable=SC2086 # a list
	"$RIG/vm" -z -k "$kernel" -a tsc=reliable -c 3 -m 2G -t "$TABLES_SECONDS" -n "$1" -p "$cpu" -- \
		./cpus/guests $guards >"$said/$1" 2>&1 &
}

finish_on_cpu()
{
	finish_machine "$@"
	! grep -aq "^1\.\.0" "$said/$1" || result "not ok" "$1: sigma.ko loads"
}

# What became of the guests of machine $1 with guard or kernel $2
outcome()
{
	local guests tells

	read -r _ _ guests <<<"${guests_of[$1]}"
	if [[ " $guests " != *" $2 "* ]]; then
		echo -
	elif tells=$(grep -ao "# outcome: $2 [a-z]*" "$said/$1"); then
		echo "${tells##* }"
	elif grep -aqE "ok .* (Guard=|guest )$2: " "$said/$1"; then
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
			outcome "$name" "$guard"
		done | xargs -d '\n' printf "$row" "$cpu" "$kernel"
	done
}

matrix_tests()
{
	local name kernel guests options

	while IFS='|' read -r name kernel guests options; do
		read -r name <<<"$name"
		read -r kernel <<<"$kernel"
		read -r guests <<<"$guests"
		guests_of[$name]="- $kernel $guests"
		options_of[$name]=$options
		[ -n "$only" ] && [[ " $only " != *" $name "* ]] || tests+=("$name")
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
	"$RIG/vm" -k "$kernel" -a tsc=reliable -m 2G ${options_of[$1]} -t "$TABLES_SECONDS" -n "$1" -- \
		./cpus/guests --kernels $guests >"$said/$1" 2>&1 &
}

matrix_table()
{
	local name kernel guest guests="host $KERNELS $MORE_KERNELS"
	local row="%-12s %-8s" options

	# shellcheck disable=SC2086 # a list
	row+=$(printf ' %%-12s%.0s' $guests)" %s\n"
	# shellcheck disable=SC2046,SC2059,SC2086 # a format, and lists
	printf "$row" machine host $(printf 'guest-%s ' $guests) options
	for name in "$@"; do
		read -r _ kernel _ <<<"${guests_of[$name]}"
		read -r options <<<"${options_of[$name]}"
		{
			for guest in $guests; do
				outcome "$name" "$guest"
			done
			echo "$options"
		} | xargs -d '\n' printf "$row" "$name" "$kernel"
	done
}
