# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Checks of all text; ./run explains what a check is.
# shellcheck disable=SC2154 # $work is run's

# Create the samples that a check would find in the tree, and the long ones.
plant()
{
	local words=(TO DO)
	printf '%s: later\n' "${words[0]}${words[1]}" >"$work/unfinished.c"
	printf 'http://%s/debian\n' "deb.debian".org >"$work/places.txt"

	{
		printf 'int f(int i)\n{\n'
		yes '	i++;' | head -n 81
		printf '}\n'
	} >"$work/long.c"

	mkdir -p "$work/broken/tests"
	cp -r qemu include "$work/broken"
	cp -r tests/vm "$work/broken/tests"
	printf '#line 1 "qemu_newest.c"\n#error planted\n' |
		tee -a "$work/broken"/qemu/*.c >/dev/null
}

# Print the licence that LICENSE states for a file.
licence()
{
	case $1 in
	LICENSE) ;;
	include/uapi/* | tests/compat/*/lite_accel.h) echo "GPL-2.0 WITH Linux-syscall-note" ;;
	include/lite_accel/pci_regs.h | qemu/*.[ch] | qemu/Kconfig | qemu/meson.build | \
		qemu/trace-events | qemu/patches/*) echo "GPL-2.0-or-later" ;;
	lib/* | tests/compat/*/liblite-accel.*) echo "LGPL-2.1-or-later OR MIT" ;;
	*) echo "GPL-2.0-only" ;;
	esac
}

check_spdx()
{
	local file want
	for file; do
		want=$(licence "$file")
		head -n 3 "$file" | grep -qE "SPDX-License-Identifier: $want( \*/| -->)?\$" ||
			[ -z "$want" ] || echo "$file: no line 'SPDX-License-Identifier: $want'"
	done | { ! grep .; }
}

# No file names a package host, or a path of the machine on which it was written.
check_places()
{
	! grep -HnIE '[a-z]\.(debian|ubuntu)\.(org|com|net)|(^|[^[:alnum:]_.$}/*-])/(work|home/[a-z]+|root/(\.|kern|src)[a-z]*)/' "$@"
}

check_unfinished()
{
	! grep -HnIwE "TO""DO|FIX""ME|X""XX|HA""CK|not imple""mented" "$@"
}

check_rst()
{
	local file status=0
	for file; do
		rst2html --halt=1 --report=1 "$file" /dev/null || status=1
	done
	return $status
}

check_python()
{
	pyflakes3 "$@"
}

check_man()
{
	mandoc -T lint -W warning "$@"
}

# Each function that the library exports is in a manual page.
check_manual()
{
	local name
	for name in $(grep -oE '\blaccel_[a-z0-9_]+' lib/liblite-accel.map); do
		grep -qw "$name" "$@" || echo "$*: nothing about $name"
	done | { ! grep .; }
}

# Test whether a test exists: TEST*(..., test) in tests/selftests/suite.c for "suite.test",
# or the file for a path.
test_exists()
{
	[[ $1 != */* ]] || { [ -e "$1" ]; return; }
	grep -qsE "^TEST[A-Z_]*\((.*, *)?${1#*.}[,)]" "tests/selftests/${1%%.*}.c"
}

# The paths, functions and tests that the documents name exist.
check_names()
{
	local file name lines
	for file; do
		grep -oE '\b(drivers|include|lib|tools|tests|qemu|Documentation)/[A-Za-z0-9_./*-]*[A-Za-z0-9_*/]' "$file" |
			sort -u | while read -r name; do
			compgen -G "$name" >/dev/null || echo "$file: no file $name"
		done

		grep -oE '`[a-z_][a-z0-9_]*\(\)`' "$file" | tr -d '`()' | sort -u | while read -r name; do
			grep -rqwI "$name" drivers include lib tools qemu tests ||
				echo "$file: no function $name"
		done

		grep -oE '``[a-z0-9_]+\.[a-z0-9_]+``' "$file" | tr -d '`' | sort -u | while read -r name; do
			[[ $name =~ \.(c|h|ko|rst|tsv)$ ]] || test_exists "$name" ||
				echo "$file: no test $name"
		done

		# "``drivers/devices/x.c`` ... N lines", on one line.
		sed -n 's/.*``\(drivers[^`]*\)``.* \([0-9]*\) lines.*/\1 \2/p' "$file" | while read -r name lines; do
			[ "$(wc -l <"$name")" = "$lines" ] || echo "$file: $name has not $lines lines"
		done
		true # finding nothing is no failure
	done | { ! grep .; }
}

# The example in the README is the file that a test compiles and runs.
check_example()
{
	diff --label "$1" --label lib/examples/sum.c -u \
		<(sed -n '/^```c$/,/^```$/{/^```/!p}' "$1") <(sed '/SPDX-License-Identifier/d' lib/examples/sum.c)
}

# Each known bug and campaign has one row, which describes it and then names a test or the
# reason why it cannot apply.  Some may have no test.
check_regressions()
{
	local id kind row tests name
	while read -r id kind; do
		row=$(awk -v id="$id" '/^[^ ]/ { row = $1 == id } row' "$1")
		if [ "$(grep -c '^[^ ]' <<<"$row")" != 1 ]; then
			echo "$1: $id has not exactly one row"
			continue
		fi

		[[ $row =~ ^$id\ +[A-Za-z][^\`]*: ]] || echo "$1: $id does not say what it is"
		! grep -qwE 'issue|due|later|yet' <<<"$row" || echo "$1: $id is planned, not told"
		tests=$(grep -oE '``([a-z0-9_]+\.[a-z0-9_]+|tests/[a-z0-9_/.-]+)``' <<<"$row" | tr -d '`')
		for name in $tests; do
			test_exists "$name" || echo "$1: $id: no test $name"
		done

		[ -z "$tests" ] && ! grep -q 'reason: .' <<<"$row" || continue
		if [ -z "$kind" ]; then
			echo "$1: $id names neither a test nor a reason"
		elif ! grep -q 'no test' <<<"$row"; then
			echo "$1: $id names no test, and does not say so"
		fi
	done < <(sed '/^#/d' tests/check/regressions.txt) | { ! grep .; }
}

# The index has each suite, and names no other suite.
check_index()
{
	local suites named
	suites=$(sed -n 's/^\[\([a-z0-9_-]*\)\]$/\1/p' tests/vm/suites | sort)
	named=$(awk '/^Where is the test of/ { found = 1 } found && /^=+  =+$/ { rules++ } rules == 2' "$1" |
		grep -oE '``[a-z0-9_-]+(\.[a-z0-9_]+)?``' | tr -d '`' | sed 's/\..*//' | sort -u)
	diff <(echo "$suites") <(echo "$named") |
		sed -n "s|^< |$1: the index lacks suite |p; s|^> |$1: the index names no suite: |p" |
		{ ! grep .; }
}

# Print the names of one kind in headers, each with its number or, for a reason, its words.
facts()
{
	local kind=$1 name
	shift
	case $kind in
	opcode) sed -nE '/LACCEL_OP_(COUNT|VENDOR)/d; s/^\tLACCEL_OP_([A-Z0-9_]+)( = ([0-9]+))?,/\1 \3/p' "$@" ;;
	ioctl) sed -nE 's/^#define LACCEL_IOC_([A-Z0-9_]+)\s+_IO.*, ([0-9]+)\)/\1 \2/p' "$@" ;;
	reason)
		sed -nE '/_COUNT/d; s/^\tLACCEL_REASON_([A-Z0-9_]+)( = [0-9]+)?,/\1/p' "$@" | while read -r name; do
			echo "$name $(sed -n "/\[LACCEL_REASON_$name\]/{n; s/^\t*\"\([^;]*\)[;\"].*/\1/p}" lib/mode.c)"
		done
		;;
	# Opcodes that have memory
	operation) facts opcode "$@" | grep -v '^NOP ' ;;
	object) sed -nE '/^enum laccel_object_type/,/^}/s/^\tLACCEL_([A-Z0-9_]+)( = [0-9]+)?,/\1/p' "$@" ;;
	esac
}

# Each opcode, ioctl, reason and object type is in all places of facts.txt, and each of these
# places is in a list of contributing.rst.
check_facts()
{
	local kind files pattern want name value low count
	while read -r kind files pattern; do
		grep -qF "\`\`${files%%,*}\`\`" Documentation/contributing.rst ||
			echo "Documentation/contributing.rst: the steps for $kind lack ${files%%,*}"
		count=$(facts "$kind" "$@" | grep -c .)
		[ "$count" != 0 ] || echo "$*: no $kind"
		while read -r name value; do
			low=${name,,}
			want=${pattern//NAME/$name}
			want=${want//name/${low/#mem_register/register}}
			want=${want//VALUE/${value:-nothing is said}}
			want=${want//MASK/$(printf '0x%x' $(((1 << count) - 1)))}
			[[ $kind = operation || ! $value =~ ^[0-9]+$ || $value -lt $count ]] || echo "$*: $kind $name leaves a gap"
			# shellcheck disable=SC2086 # several files
			grep -qE -- "$want" ${files//,/ } || echo "$*: $kind $name: no '$want' in $files"
		done < <(facts "$kind" "$@")
	done < <(grep '^[a-z]' tests/check/facts.txt) | { ! grep .; }
}
