# SPDX-License-Identifier: GPL-2.0
# bash completion for sigmactl(1). Verbs and options come from its --help, so that there is one list
# of them. Names come from the guests and guest files that exist.

_sigmactl_verbs()
{
	sigmactl --help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\)  .*  [A-Z].*/\1/p'
}

# _sigmactl_options VERB: long options
_sigmactl_options()
{
	sigmactl "${1:---help}" --help 2>/dev/null | sed -n 's/^  \(-[a-zA-Z], \|    \)\(--[a-z-]*\).*/\2/p'
}

# _sigmactl_names off|on|all: names of guests that are off, of the others, or of all
_sigmactl_names()
{
	sigmactl list --all --no-legend 2>/dev/null |
		awk -v which="$1" 'which == "all" || ($2 == "off") == (which == "off") { print $1 }'
}

# _sigmactl_devices NAME KIND: names of a guest's devices
_sigmactl_devices()
{
	sigmactl show -p Device --value "$1" 2>/dev/null |
		awk -v kind="$2" '$2 == kind { print $3 }'
}

_sigmactl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb="" word
	local words=() choices="" i

	# The words typed so far, without options and their values; "=" is a word of its own in bash
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--)	[ "${words[0]}" != run ] || { _sigmactl_command $((i + 1)); return; } ;;
		-t)	# of these verbs it has no value
			[[ " ${words[*]} " == " "@(exec|shell)" "* ]] || i=$((i + 1)) ;;
		-s|-n|-p|-e|-E|-u|-w|--timeout|--state|--lines|--property|--escape|--user|--workdir|--env|--for|--until|--copy|\
		--setenv|--cpus|--from|--kernel|--guard|--profile|--cache|--append|--name|--rootfs|--share|--net|--publish)
			[ "${COMP_WORDS[i + 1]}" != = ] || i=$((i + 1))
			i=$((i + 1)) ;;
		-*|=)	;;
		*)	words+=("$word") ;;
		esac
	done
	if [ "$prev" = = ]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	elif [ "$cur" = = ]; then
		cur=""
	fi
	verb=${words[0]}
	COMPREPLY=()

	case $prev in
	-s|--state)
		choices=$(sigmactl help wait | sed -n '/^States:/,/^$/s/^[States: ]* \([a-z][a-z]*\)  .*/\1/p') ;;
	-p|--property)
		choices=$(sigmactl help show | sed -n '/^Name State/,/^$/{s/,//g; s/  .*//; s/ /\n/g; p}') ;;
	-e|--escape)
		choices="^A ^] none" ;;
	--guard)
		choices="auto full memory no" ;;
	--profile)
		choices=$(sigmactl profiles --no-legend 2>/dev/null | awk '{ print $1 }')
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -X '!*.conf' -- "$cur"; compgen -d -- "$cur") ;;
	--net)
		choices="user none bridge=" ;;
	--kernel|--rootfs|--share|--cache|--from)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	--cpus|--append|--name|--publish)
		return ;;
	-n|-u|-w|--timeout|--lines|--user|--workdir|--for|--until|--copy)
		return ;;
	*)
		if [[ $cur == -* ]]; then
			choices=$(_sigmactl_options "$verb")
		elif [ ${#words[@]} = 0 ]; then
			choices="$(_sigmactl_verbs) help"
		else
			_sigmactl_argument
		fi ;;
	esac
	# shellcheck disable=SC2207 # none of these words has a blank
	COMPREPLY+=($(compgen -W "$choices" -- "$cur"))
}

# The command of "run --", which begins at this word
_sigmactl_command()
{
	if declare -F _command_offset >/dev/null; then
		_command_offset "$1"
	elif [ "$COMP_CWORD" = "$1" ]; then
		mapfile -t COMPREPLY < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}")
	else
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
	fi
}

# Set $choices to the next argument of $verb
_sigmactl_argument()
{
	local nr=${#words[@]}

	case $verb:$nr in
	help:1)
		choices=$(_sigmactl_verbs) ;;
	start:1|run:1)
		choices=$(_sigmactl_names off)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -X '!*.guest' -- "$cur"; compgen -d -- "$cur") ;;
	edit:1|enable:1|disable:1|show:1)
		choices=$(_sigmactl_names all) ;;
	check:*|list:*|profiles:*)
		;;
	pool:1)
		choices="add restore" ;;
	disk:1)
		choices="add rm resize" ;;
	net:1|share:1)
		choices="add rm" ;;
	disk:2|net:2|share:2)
		choices=$(_sigmactl_names on) ;;
	disk:3|net:3|share:3)
		if [ "${words[1]}" != add ]; then
			choices=$(_sigmactl_devices "${words[2]}" "$verb")
		elif [ "$verb" != net ]; then
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		fi ;;
	cache:1)
		choices="save load" ;;
	cache:2)
		choices=$(_sigmactl_names on) ;;
	cache:3)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	agent:1)
		choices=install ;;
	agent:2)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
	cp:1|cp:2)
		choices=$(_sigmactl_names on | sed 's/$/:/')
		compopt -o filenames -o nospace 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	exec:2)
		mapfile -t COMPREPLY < <(compgen -c -- "$cur") ;;
	dump:2|save:2|restore:1)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	*:1)
		choices=$(_sigmactl_names on) ;;
	esac
}

complete -F _sigmactl sigmactl
