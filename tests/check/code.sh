# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Checks of program text; ./run explains what a check is.
# shellcheck disable=SC2154 # $top and $work are run's

# kbuild STEP OPTIONS SOURCE...: compile the modules in a copy of their sources, so that
# all files are compiled, and complain about warnings.
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
	make -C "$kdir" -j "$(nproc)" M="$dir" W=1 $options modules >"$dir/log" 2>&1 ||
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

# Read checkpatch.conf, whose lines are a pattern of files and an option; set options to
# the options for one file.
checkpatch_options()
{
	local pattern option
	options=()
	while read -r pattern option; do
		# shellcheck disable=SC2053 # it is a pattern
		[[ $1 != $pattern ]] || options+=("$option")
	done < <(grep -E '^[^#]' tests/check/checkpatch.conf)
}

# Run checkpatch in a directory of links to the tree, because it leaves a file behind, which
# another process must not read.
run_checkpatch()
{
	local links=$work/links.$BASHPID
	mkdir -p "$links"
	ln -sfn "$top"/*/ "$links"
	(cd "$links" && HOME=$work perl "$1" --no-tree --root="$links" --strict --terse \
		--no-summary "${@:2}")
}

# checkpatch_each SCRIPT FILE...: run checkpatch with each file's own options
checkpatch_each()
{
	local script=$1 options file status=0
	for file in "${@:2}"; do
		checkpatch_options "$file"
		run_checkpatch "$script" --show-types "${options[@]}" -f "$file" || status=1
	done
	return $status
}

# Each processor takes its share of the files.
check_checkpatch()
{
	local sources share status=0 pids=()
	sources=$(tests/vm/kernel --sources) || return
	share=$((($# + $(nproc) - 1) / $(nproc)))
	while [ $# -gt 0 ]; do
		checkpatch_each "$sources/scripts/checkpatch.pl" "${@:1:share}" &
		pids+=($!)
		shift $((share < $# ? share : $#))
	done
	for share in "${pids[@]}"; do
		wait "$share" || status=1
	done
	return $status
}

check_kernel_doc()
{
	local sources
	sources=$(tests/vm/kernel --sources) || return
	perl "$sources/scripts/kernel-doc" -none -Wall -Werror "$@"
}

# Each function that the core exports has its kernel-doc where driver authors read it.
check_exported()
{
	local header=include/lite_accel/driver.h file name
	for file; do
		sed -n 's/^EXPORT_SYMBOL_GPL(\(.*\));/\1/p' "$file" | while read -r name; do
			grep -q "^ \* $name - " $header || echo "$file: no kernel-doc of $name in $header"
		done
	done | { ! grep .; }
}

# Compile a variable of each struct, so that the compiler describes all structs.
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

# Remove from C text the layout that is left to the author: columns inside a line, macros
# (clang-format misinterprets them), the space in front of an initializer, and the
# indentation of TH_LOG(), which belongs to the EXPECT or ASSERT before it.
flat()
{
	sed -E '/^[ \t]*#/{:a; /\\$/{N; ba}; s/[^\n]*//g}
		s/([^ \t])[ \t]+/\1 /g; s/\) ?\{/) {/g; s/\{ \}/{}/g; s/^[ \t]+TH_LOG/TH_LOG/'
}

# Print the hunks of a diff, except for hunks that only join or split lines: line breaks
# are left to the author too.
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

# Compile the model for the newest QEMU.  The sample is a copy of it that does not compile.
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

# Results come from the device: no code on the user's side can compute them.
check_digests()
{
	! grep -HniE '0x(82f63b78|1edc6f41|6a09e667|428a2f98)|AF_ALG|openssl|gcrypt|crc32[bwlq] ' "$@"
}
