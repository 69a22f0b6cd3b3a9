# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Checks of program text; run explains what a check is.
# shellcheck disable=SC2154 # $top and $work are run's

# The modules are compiled in a copy of their sources, so that all of them are.
# kbuild STEP OPTIONS SOURCE...
kbuild()
{
	local step=$1 options=$2 dir=$work/${3%%/*}/modules kdir n
	shift 2
	kdir=$(tests/vm/kernel --print kdir) || return
	mkdir -p "$dir/tests"
	case $1 in
	drivers/*)
		cp -ru drivers include "$dir"
		cp -ru tests/devices "$dir/tests"
		echo "obj-m := drivers/core/ drivers/devices/ tests/devices/" >"$dir/Kbuild"
		;;
	*)
		cp -ru "${1%/*}"/* "$dir"
		;;
	esac
	# shellcheck disable=SC2086 # options are words
	make -C "$kdir" M="$dir" W=1 $options modules >"$dir/log" 2>&1 ||
		{ grep -E 'error|Error' "$dir/log" || cat "$dir/log"; return 1; }
	n=$(grep -E "^  $step " "$dir/log" | grep -cv '\.mod\.o')
	[ "$n" -ge $# ] || { echo "$step ran on $n of $# files"; return 1; }
	! grep -E 'warning:' "$dir/log" | grep -v 'the compiler differs from'
}

check_build()
{
	kbuild CC C=0 "$@"
}

check_sparse()
{
	kbuild CHECK "C=2" "$@"
}

# Lines of checkpatch.conf: which files, an option.
checkpatch_options()
{
	local pattern option
	options=()
	while read -r pattern option; do
		# shellcheck disable=SC2053 # a pattern it is
		[[ $1 != $pattern ]] || options+=("$option")
	done < <(grep -E '^[^#]' tests/check/checkpatch.conf)
}

# In a directory of links to the tree, as it leaves a file of names behind.
run_checkpatch()
{
	local links=$work/links
	mkdir -p "$links"
	ln -sfn "$top"/*/ "$links"
	(cd "$links" && HOME=$work perl "$1" --no-tree --root="$links" --strict --terse \
		--no-summary "${@:2}")
}

check_checkpatch()
{
	local sources options file status=0
	sources=$(tests/vm/kernel --sources) || return
	for file; do
		checkpatch_options "$file"
		run_checkpatch "$sources/scripts/checkpatch.pl" --show-types "${options[@]}" \
			-f "$file" || status=1
	done
	return $status
}

check_kernel_doc()
{
	local sources
	sources=$(tests/vm/kernel --sources) || return
	perl "$sources/scripts/kernel-doc" -none -Wall -Werror "$@"
}

# A variable of each struct, so that the compiler describes them all.
check_holes()
{
	local names name
	names=$(sed -n 's/^struct \([a-z0-9_]*\) {.*/\1/p' "$@")
	{
		echo "#include <linux/types.h>"
		printf '#include "%s"\n' "${@/#/$top/}"
		for name in $names; do
			echo "struct $name v_$name;"
		done
	} >"$work/structs.c"
	gcc -g -c -Iinclude -o "$work/structs.o" "$work/structs.c" || return
	for name in $names; do
		pahole -C "$name" "$work/structs.o" >"$work/layout" 2>&1
		grep -q '/\* size:' "$work/layout" || echo "struct $name: no layout"
		sed -nE "s|.*(bytes? hole.*\|bits? hole.*\|padding:.*)|$* struct $name: \1|p" "$work/layout"
	done | { ! grep .; }
}

# Left to the author: columns inside a line, macros, which clang-format takes for
# something else, the space in front of an initializer, and the indentation of
# TH_LOG(), which belongs to the EXPECT or ASSERT before it.
flat()
{
	sed -E '/^[ \t]*#/{:a; /\\$/{N; ba}; s/[^\n]*//g}
		s/([^ \t])[ \t]+/\1 /g; s/\) ?\{/) {/g; s/\{ \}/{}/g; s/^[ \t]+TH_LOG/TH_LOG/'
}

# Where lines are broken is the author's choice too: a hunk that only joins or
# splits lines is no complaint.
without_breaks()
{
	awk -v file="$1" '
	function hunk() {
		if (header != "" && (removed == added || old != new)) {
			printf "%s: %s\n%s", file, header, text
			bad = 1
		}
		old = new = text = ""
		removed = added = 0
	}
	/^(---|\+\+\+) / { next }
	/^@@/ { hunk(); header = $2; next }
	{ text = text $0 "\n"; line = substr($0, 2); gsub(/[ \t]/, "", line) }
	/^-/ { old = old line; removed++ }
	/^\+/ { new = new line; added++ }
	END { hunk(); exit bad }'
}

check_format()
{
	local file status=0
	for file; do
		(diff -U0 <(flat <"$file") <(clang-format "$file" | flat); true) |
			without_breaks "$file" || status=1
	done
	return $status
}

check_length()
{
	awk 'FNR == 1 { start = 0 }
	     /^{/ { start = FNR }
	     /^}/ && start {
		if (FNR - start - 1 > 80) {
			printf "%s:%d: %d lines\n", FILENAME, start, FNR - start - 1
			bad = 1
		}
		start = 0
	     }
	     END { exit bad }' "$@"
}

check_shell()
{
	shellcheck -x -S warning -f gcc "$@"
}

check_qemu_style()
{
	local binary script
	binary=$(qemu/build --print) || return
	script=$(dirname "$binary")/../src/scripts/checkpatch.pl
	[ -f "$script" ] || qemu/build >"$work/qemu.log" 2>&1 ||
		{ tail -n 5 "$work/qemu.log"; return 1; }
	script=$(realpath "$script")
	run_checkpatch "$script" -f "$@"
}

# Its sample is a copy of the model that does not compile.
check_qemu_newest()
{
	local tree=.
	case $1 in
	"$work"/*) tree=$work/broken ;;
	esac
	"$tree/qemu/build" --check-newest >"$work/newest.log" 2>&1 ||
		{ tail -n 20 "$work/newest.log"; return 1; }
	grep -q 'the model compiles' "$work/newest.log"
}

# The answer comes from the device: nothing on this side could compute it.
check_digests()
{
	! grep -HniE '0x(82f63b78|1edc6f41|6a09e667|428a2f98)|AF_ALG|openssl|gcrypt|crc32[bwlq] ' "$@"
}
