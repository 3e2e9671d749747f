# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by the checks in this folder, at the top of the project.

# files [FIND-EXPRESSION...]: the project's files, which .gitignore leaves. A source package has no
# git. Of the patterns of .gitignore these forms are known: NAME, FOLDER/NAME, /PATH and /FOLDER/.
files()
{
	local pattern ignored=(-path ./.git)

	while IFS= read -r pattern; do
		pattern=${pattern%/}
		case $pattern in
		"" | \#*)	;;
		*/*)		ignored+=(-o -path "./${pattern#/}") ;;
		*)		ignored+=(-o -name "$pattern") ;;
		esac
	done <.gitignore
	find . \( "${ignored[@]}" \) -prune -o ! -type d "$@" -printf '%P\n' | sort
}
