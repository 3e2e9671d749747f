#compdef sigmactl
# SPDX-License-Identifier: GPL-2.0
# zsh completion for sigmactl(1). Verbs with their summaries and options come from its --help. Names
# come from the guests and guest files that exist.

_sigmactl_verbs()
{
	local -a verbs
	verbs=(${(f)"$(_call_program verbs sigmactl --help 2>/dev/null |
		sed -n 's/^  \([a-z][a-z]*\)  .*  \([A-Z].*\)/\1:\2/p')"})
	verbs+=('help:Explain a verb')
	_describe -t verbs verb verbs
}

_sigmactl_options()
{
	local -a options
	options=(${(f)"$(_call_program options sigmactl ${1:---help} --help 2>/dev/null |
		sed -n 's/^  \(-[a-zA-Z], \|    \)\(--[a-z-]*\)[^ ]*  *\(.*\)/\2:\3/p')"})
	_describe -t options option options
}

# _sigmactl_names off|on|all
_sigmactl_names()
{
	local -a names
	names=(${(f)"$(_call_program guests sigmactl list --all --no-legend 2>/dev/null |
		awk -v which=$1 'which == "all" || ($2 == "off") == (which == "off") { print $1 ":" $2 }')"})
	_describe -t guests guest names
}

_sigmactl_devices()
{
	local -a devices
	devices=(${(f)"$(_call_program devices sigmactl show -p Device --value $1 2>/dev/null |
		awk -v kind=$2 '$2 == kind { print $3 }')"})
	compadd -a devices
}

_sigmactl()
{
	local -a typed
	local verb nr
	# The command of "run --"
	nr=${words[(i)--]}
	if [[ $words[2] == run ]] && (( nr < CURRENT )); then
		shift nr words
		(( CURRENT -= nr ))
		_normal
		return
	fi
	typed=(${${words[2,CURRENT-1]}:#-*})
	verb=${typed[1]:-}
	nr=$#typed

	if [[ $words[CURRENT] == --state=* ]]; then
		compset -P '*='
		compadd ${(f)"$(sigmactl help wait |
			sed -n '/^States:/,/^$/s/^[States: ]* \([a-z][a-z]*\)  .*/\1/p')"}
		return
	elif [[ $words[CURRENT] == --escape=* ]]; then
		compset -P '*='
		compadd '^A' '^]' none
		return
	elif [[ $words[CURRENT] == --profile=* ]]; then
		compset -P '*='
		compadd ${(f)"$(sigmactl profiles --no-legend 2>/dev/null | awk '{ print $1 }')"}
		_files -g '*.conf'
		return
	elif [[ $words[CURRENT] == -* ]]; then
		_sigmactl_options $verb
		return
	fi
	case $verb:$nr in
	:0|help:1)		_sigmactl_verbs ;;
	start:1|run:1)		_sigmactl_names off; _files -g '*.guest' ;;
	edit:1|enable:1|disable:1|show:1)	_sigmactl_names all ;;
	check:*|list:*|profiles:*)	;;
	pool:1)			compadd add restore ;;
	disk:1)			compadd add rm resize ;;
	net:1|share:1)		compadd add rm ;;
	disk:2|net:2|share:2)	_sigmactl_names on ;;
	disk:3|net:3|share:3)
		if [[ $typed[2] != add ]]; then
			_sigmactl_devices $typed[3] $verb
		elif [[ $verb != net ]]; then
			_files
		fi ;;
	cache:1)		compadd save load ;;
	cache:2)		_sigmactl_names on ;;
	cache:3)		_files ;;
	agent:1)		compadd install ;;
	agent:2)		_files -/ ;;
	cp:1|cp:2)		_sigmactl_names on; _files ;;
	exec:2)			_command_names -e ;;
	dump:2|save:2|restore:1)	_files ;;
	*:1)			_sigmactl_names on ;;
	esac
}

_sigmactl "$@"
