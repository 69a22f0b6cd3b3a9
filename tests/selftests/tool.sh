#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The command lite-accel compared with the coreutils: its output, its checks, its exit
# status.  Also the example of the README.

set -u

build=$(cd "$(dirname "$0")/../.." && pwd)
top=$(cd "$build/.." && pwd)
tool=$build/tools/lite-accel
node=$(echo /dev/accel-*)
sysfs=/sys/class/lite_accel/${node##*/}
functions=$("$tool" info | sed -n 's/^ *functions: *//p')
# A device that is on no bus has a module, but no driver.
driver=$(basename "$(readlink "$sysfs/device/driver" || readlink "$sysfs/device/module")")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
number=0
failed=0

# check NAME COMMAND...: passes if the command succeeds.
check()
{
	local name=$1
	shift
	number=$((number + 1))
	if "$@" >"$dir/.log" 2>&1; then
		echo "ok $number $name"
	else
		sed 's/^/# /' "$dir/.log"
		echo "not ok $number $name"
		failed=1
	fi
}

skip()
{
	number=$((number + 1))
	echo "ok $number $1 # SKIP $2"
}

# with FUNCTION NAME COMMAND...: the same, skipped if the device lacks the function.
with()
{
	local function=$1
	shift
	if [[ " $functions " = *" $function "* ]]; then
		check "$@"
	else
		skip "$1" "the device has no $function"
	fi
}

# The command handles arguments, lists and names before it opens a device, or in the same way
# for any device: test this only in PINNED mode, with loop, and with a device that copies.
elsewhere=
module=$(basename "$(readlink "$sysfs/device/driver/module" || readlink "$sysfs/device/module")")
case ${LITE_ACCEL_MODE:-}/$module in
mirror/* | sva/*) elsewhere='as in PINNED mode' ;;
*/lite_accel_edu) elsewhere='the command does the same for loop' ;;
esac

# once check ... or once with ...: runs a check for only one device of a kind.
once()
{
	local name=$2
	[ "$1" = check ] || name=$3
	if [ -n "$elsewhere" ]; then skip "$name" "$elsewhere"; else "$@"; fi
}

# Output and exit status of the tool are those of sha256sum, and it prints as many lines of
# errors.
same()
{
	sha256sum "$@" >theirs 2>theirs.err </dev/null
	echo "status $?" >>theirs
	"$tool" sha256 "$@" >ours 2>ours.err </dev/null
	echo "status $?" >>ours
	diff -a theirs ours && [ "$(wc -l <theirs.err)" = "$(wc -l <ours.err)" ]
}

# refuses WORDS COMMAND...: the command ends with status 1, prints nothing to standard output,
# and one line with the words to standard error.
refuses()
{
	local words=$1 output status
	output=$("${@:2}" 2>.err </dev/null)
	status=$?
	cat .err
	[ "$status" = 1 ] && [ -z "$output" ] && [ "$(wc -l <.err)" = 1 ] &&
		grep -q -e "^lite-accel: .*$words" .err
}

# misused WORDS ARGUMENT...: the same for a mistake in the command line, with a second line
# about --help.
misused()
{
	local words=$1 output status
	output=$("$tool" "${@:2}" 2>.err </dev/null)
	status=$?
	cat .err
	[ "$status" = 1 ] && [ -z "$output" ] && head -n 1 .err | grep -q -e "$words" &&
		[ "$(tail -n +2 .err)" = "Try 'lite-accel --help' for more information." ]
}

# Run a command as a user to whom permissions apply.
as_user()
{
	if [ "$(id -u)" = 0 ]; then "$top/tests/vm/as-user" "$@"; else "$@"; fi
}

crc_is()
{
	[ "$(printf '%b' "$1" | "$tool" crc32c)" = "$2  -" ]
}

through_a_pipe()
{
	[ "$(head -c 99999999 big | "$tool" sha256)" = "$(sha256sum <big)" ] &&
		[ "$(head -c 99999999 big | "$tool" crc32c)" = "$("$tool" crc32c <big)" ]
}

# A pipe returns the data that it has, so reads are short, at any place.
slow_pipe()
{
	local ours
	ours=$(for n in 1 63 64 65 4095 100000; do head -c "$n" /dev/zero; sleep 0.02; done |
		"$tool" sha256)
	[ "$ours" = "$(head -c 104288 /dev/zero | sha256sum)" ]
}

sizes()
{
	local n
	for n in 0 1 55 56 63 64 65 4095 4096 4097 65536 1048575 1048576 1048577 2097152; do
		head -c "$n" big >"size-$n"
	done
	same size-*
}

cross_check()
{
	"$tool" sha256 big small >SUMS && sha256sum -c SUMS &&
		sha256sum big small >SUMS && "$tool" sha256 -c SUMS &&
		"$tool" crc32c big small >SUMS && "$tool" crc32c -c SUMS
}

counters_tell()
{
	local file=$sysfs/counters/dma_read_bytes before
	before=$(cat "$file")
	"$tool" sha256 big >/dev/null
	[ $(($(cat "$file") - before)) = "$(stat -c %s big)" ]
}

copies()
{
	"$tool" copy big copied && cmp big copied && "$tool" copy empty copied && cmp empty copied
}

copies_from_a_pipe()
{
	local n=$(($(stat -c %s big) / 4))
	head -c "$n" big >pipe &
	"$tool" copy pipe copied && cmp -n "$n" big copied && [ "$(stat -c %s copied)" = "$n" ]
}

# A file that is copied onto itself is neither truncated nor emptied.
copy_onto_itself()
{
	cp small itself
	refuses 'are the same file' "$tool" copy itself itself && cmp small itself
}

keeps_going()
{
	local output
	output=$("$tool" sha256 missing small 2>.err)
	[ $? = 1 ] && [ "$output" = "$(sha256sum small)" ] && grep -q missing .err
}

writes_fail()
{
	! "$tool" sha256 small >/dev/full && refuses '/dev/full: No space' "$tool" copy small /dev/full
}

check_from_stdin()
{
	sha256sum small big | "$tool" sha256 -c >checked && [ "$(cat checked)" = $'small: OK\nbig: OK' ]
}

slowly()
{
	head -c 1M /dev/zero
	sleep 0.5
	head -c 1M /dev/zero
}

# A bar is drawn only on a terminal, and only if it takes long enough to be seen.
draws_a_bar()
{
	slowly >pipe &
	"$tool" sha256 pipe >/dev/null 2>no-terminal
	slowly >pipe &
	script -qec "$tool sha256 pipe >/dev/null" /dev/null >terminal </dev/null
	[ ! -s no-terminal ] && grep -a -q 'MiB  pipe' terminal
}

lists()
{
	"$tool" list >listed && head -n 1 listed | grep -q '^DEVICE ' &&
		grep -q "^$node *$driver .* 0/$(<"$sysfs/max_queues")$" listed
}

# Print the functions that the kernel reports for the device, by the names that the tool uses.
known()
{
	local names=(NOP COPY FILL COMPARE CRC32C SHA256 DUALCAST) list=() i commands
	commands=$(<"$sysfs/commands")
	for i in {0..63}; do
		((commands >> i & 1)) && list+=("${names[i]:-$i}")
	done
	echo "${list[*]}"
}

tells()
{
	local mode=${LITE_ACCEL_MODE:-mirror} yes=MIRROR no=MEDIATED why='has queues of its own'
	mode=${mode^^}
	"$tool" info "$node" >told || return
	if [ -z "${LITE_ACCEL_MODE:-}" ] && grep -q 'MEDIATED: *yes' told; then
		mode=MEDIATED yes=MEDIATED no=MIRROR why='neither queues nor an MMU'
	fi
	grep -q "^$node$" told &&
		grep -q "driver: *$driver$" told && grep -q "functions: $(known)$" told &&
		grep -q "queues: *0 of $(<"$sysfs/max_queues") in use" told && grep -q "$mode: *yes" told &&
		grep -q "mode: *$mode" told && grep -q "$yes: *yes" told &&
		grep -q "$no: *the device.* $why" told &&
		grep -q '^ *SVA: *\(yes$\|[a-z].*; \)' told || return 1
	[ ! -e "$sysfs/counters/dma_read_bytes" ] ||
		grep -q "dma_read_bytes *$(cat "$sysfs/counters/dma_read_bytes")$" told
}

# The tool, under a name with a control sequence, shows itself: one file, though open twice.
shows_memory()
{
	local evil=$'evil\e[2Jx'
	cp "$tool" "$evil"
	"./$evil" mem 3<>"$node" 4<&3 >told 2>.err || return
	cat -v told .err
	! grep -aq $'\e' told &&
		grep -qE "^$node: (no local memory|[0-9].* of [0-9].* local memory in use)" told &&
		[ "$(grep -cE "^ +[0-9]+ +$(id -u) +0 bytes +0 bytes  evil\?\[2Jx$" told)" = 1 ]
}

# Local memory is what the kernel reports, or there is a reason.
tells_local()
{
	local size
	size=$(cat "$sysfs/local_size" 2>.err || echo 0)
	"$tool" info "$node" >told || return
	if [ "$size" = 0 ]; then
		grep -q '^  local:     [a-z].*; ' told
	else
		grep -qE '^  local:     [0-9]+ .iB, [0-9]+ .* visible to programs; you keep ' told
	fi
}

# The vendor's commands that the kernel announces are described, and there is no other.
tells_vendor()
{
	local numbers
	numbers=$(known | tr ' ' '\n' | grep -x '[0-9]*' | sed 's/$/:/')
	"$tool" info "$node" >told || return
	[ "$(sed -n 's/^    \([0-9]*:\) .*/\1/p' told)" = "$numbers" ] || return
	if [ -z "$numbers" ]; then
		! grep -q vendor: told
	else
		grep -qE '^  vendor:    [[:alnum:]._-]+, version [0-9]+$' told
	fi || return

	case $module in
	lite_accel_pci)
		grep -q '^  vendor:    lite-accel-pci, version 1$' told &&
			grep -qx '    48:      src read, dst written, arg0 a number; up to 1 GiB, multiples of 8, may be divided' told
		;;
	lite_accel_edu)
		grep -q '^  vendor:    edu, version 1$' told &&
			grep -qx '    48:      arg0 a number' told
		;;
	esac
}

# A node is recognised by what it is, not by its name.
by_any_name()
{
	"$tool" info "$node" >told && ln -sf "$node" accel-99 && "$tool" info ./accel-99 >linked &&
		diff <(sed '1d; /counters:/q' told) <(sed '1d; /counters:/q' linked) &&
		LITE_ACCEL_DEVICE='' "$tool" info >told && grep -q "^$node$" told
}

# Names may contain control sequences, which an error message must not pass to a terminal.
hides_controls()
{
	local name=$'\e[2J\xc2\x9b31mx'
	"$tool" sha256 "$name" 2>told
	"$tool" copy small "folder/$name/x" 2>>told
	cp small "$name"
	"$tool" copy "$name" "$name" 2>>told
	[ "$(wc -l <told)" = 3 ] && ! grep -aq $'\e\|\x9b' told
}

# A list with CR at the end of each line; a carriage return in a name does not belong to it.
carriage_returns()
{
	local sum
	sum=$(sha256sum <small | cut -c 1-64)
	sha256sum small | sed 's/$/\r/' >SUMS && same -c SUMS || return
	cp small $'ends\r' &&
		printf '%s  %s\r\n' "$sum" $'ends\r' "$sum" $'with\rreturn' >SUMS && same -c --status SUMS
}

# Messages about a file escape its name like a list does: coreutils 9.1 escape only names with
# a newline, 9.7 all names that need it.
escapes()
{
	local sum
	sum=$(sha256sum <small | cut -c 1-64)
	sha256sum small $'with\nnewline' >SUMS && same -c SUMS || return
	cat >>SUMS <<-END
	\\$sum  with\\rreturn
	\\$sum  back\\\\slash
	$sum  back\\slash
	$fake  back\\slash
	$fake  no\\where
	END
	same -c --status SUMS || return
	"$tool" sha256 -c SUMS >ours
	[ $? = 1 ] && diff - ours <<-'END'
	small: OK
	\with\nnewline: OK
	\with\rreturn: OK
	\back\\slash: OK
	\back\\slash: OK
	\back\\slash: FAILED
	\no\\where: FAILED open or read
	END
}

list_in_itself()
{
	local line
	line="$(sha256sum <small | cut -c 1-64)  -"
	! "$tool" sha256 -c <<<"$line" 2>ours && ! sha256sum -c <<<"$line" 2>theirs &&
		grep -q 'no properly formatted' ours && grep -q 'no properly formatted' theirs
}

# The file system of a node may forbid what the node's mode permits.
nodev()
{
	local major minor status
	read -r major minor < <(stat -c '0x%t 0x%T' "$node")
	mkdir away && mount -t tmpfs -o nodev tmpfs away && mknod away/accel-0 c "$major" "$minor" &&
		refuses 'nodev' "$tool" -d away/accel-0 info
	status=$?
	umount away
	return "$status"
}

no_node()
{
	local status
	mkdir /dev/away && mv /dev/accel-* /dev/away
	refuses 'no node in /dev' "$tool" sha256 small
	status=$?
	mv /dev/away/* /dev && rmdir /dev/away
	return "$status"
}

# Nothing is registered if the device finds memory by itself.
without_memlock()
{
	local expected ours
	expected=$("$tool" crc32c big) || return
	ulimit -l 0
	if [ "$("$tool" info | sed -n 's/^ *mode: *//p')" = PINNED ]; then
		refuses 'exceed RLIMIT_MEMLOCK' as_user "$tool" crc32c big
	else
		ours=$(as_user "$tool" crc32c big) && [ "$ours" = "$expected" ]
	fi
}

helps()
{
	"$tool" --help | grep -q '^Usage: ' && "$tool" sha256 --help | grep -q '^Usage: '
}

example()
{
	sed -n '/^```c$/,/^```$/p' "$top/README.md" | grep -v '^```' >example.c &&
		[ "$(wc -l <example.c)" -le 30 ] &&
		diff example.c <(sed /SPDX/d "$top/lib/examples/sum.c") &&
		[ "$("$build/lib/sum")" = e3069283 ]
}

shared_library()
{
	[ "$(LD_LIBRARY_PATH=$build/lib "$build/lib/sum-shared")" = e3069283 ]
}

# The example in memory.rst is lib/examples/buffer.c.
buffer_example()
{
	awk '/^``lib\/examples\/buffer.c``/ { on = 1; next } on && /^[^\t]/ { exit } on' \
		"$top/Documentation/memory.rst" | sed 's/^\t//' >example.c &&
		diff -B example.c <(sed /SPDX/d "$top/lib/examples/buffer.c") &&
		[ "$("$build/lib/buffer")" = e3069283 ]
}

exports_its_own_only()
{
	! nm -D --defined-only "$build/lib/liblite-accel.so.0" | grep -v -E ' [TVA] (laccel_|LITE)' ||
		return 1
}

# The tool computes nothing by itself: without a device there is no digest.
needs_the_device()
{
	local command
	for command in 'sha256 small' 'crc32c small' 'sha256 -c SUMS' 'copy small copied' info; do
		# shellcheck disable=SC2086
		refuses 'No such file' "$tool" -d /dev/accel-none $command || return 1
	done
	LITE_ACCEL_DEVICE=/dev/accel-none refuses 'No such file' "$tool" sha256 small &&
		LITE_ACCEL_DEVICE=/dev/null refuses 'is not an accelerator' "$tool" sha256 small
}

device_gone()
{
	local at name status
	at=$(realpath -qe "$sysfs/device/driver")
	name=$(basename "$(readlink "$sysfs/device")")
	if [ -n "$at" ]; then echo "$name" >"$at/unbind"; else rmmod "$driver"; fi
	refuses 'no accelerator' "$tool" sha256 small && refuses 'no accelerator' "$tool" list
	status=$?
	if [ -n "$at" ]; then
		echo "$name" >"$at/bind"
	else
		insmod "$build/modules/$LITE_ACCEL_KERNEL"/*/"devices/$driver.ko"
	fi
	# The device may have another name, if the old one is still in use.
	chgrp "$LITE_ACCEL_GID" /dev/accel-*
	return "$status"
}

# edu needs 0.2 s for 4 KiB, so its file is smaller.
head -c "$([ "$driver" = lite_accel_edu ] && echo 123456 || echo 3456789)" /dev/urandom >big
echo small >small
: >empty
mkdir folder
cp small 'with space'
cp small $'with\nnewline'
cp small $'with\rreturn'
cp small 'back\slash'
{ sha256sum small; echo garbage; echo "${fake:=$(printf '0%.0s' {1..64})}  big"; } >WRONG
{ sha256sum small; echo "$fake  nowhere"; } >ABSENT
{ sha256sum small; echo garbage; } >GARBAGE
mkfifo pipe
cp small unreadable
chmod 755 .
chmod 000 unreadable

echo "TAP version 13"
echo "1..51"
with SHA256 "sha256: a file" same big
with SHA256 "sha256: files" same small big empty
with SHA256 "sha256: lengths around blocks, pages and buffers" sizes
with SHA256 "sha256: standard input" same -
with SHA256 "sha256: pipes" through_a_pipe
with SHA256 "sha256: a pipe with short reads" slow_pipe
once with SHA256 "sha256: names with blanks, newlines and backslashes" \
	same 'with space' $'with\nnewline' 'back\slash'
once with SHA256 "sha256: --tag" same --tag small $'with\nnewline'
once with SHA256 "sha256: -b" same -b small
once with SHA256 "sha256: -z" same -z small 'back\slash'
once with SHA256 "sha256: a missing file does not stop it" keeps_going
once with SHA256 "sha256: a directory" refuses 'folder: Is a directory' "$tool" sha256 folder
with SHA256 "sha256: a file that may not be read" \
	refuses 'unreadable: Permission denied' as_user "$tool" sha256 unreadable
once with SHA256 "sha256: a bar on a terminal" draws_a_bar
with SHA256 "sha256 -c: what the other prints" cross_check
once with SHA256 "sha256 -c: mismatch and garbage" same -c WRONG
once with SHA256 "sha256 -c: --quiet" same -c --quiet WRONG
once with SHA256 "sha256 -c: --status" same -c --status WRONG
once with SHA256 "sha256 -c: garbage alone" same -c GARBAGE
once with SHA256 "sha256 -c: --strict" same -c --strict GARBAGE
once with SHA256 "sha256 -c: a file that is absent" same -c ABSENT
once with SHA256 "sha256 -c: --ignore-missing" same -c --ignore-missing ABSENT
once with SHA256 "sha256 -c: no checksum at all" same -c small
once with SHA256 "sha256 -c: no list" same -c missing
once with SHA256 "sha256 -c: from standard input" check_from_stdin
with CRC32C "crc32c: check value" crc_is 123456789 e3069283
with CRC32C "crc32c: nothing" crc_is '' 00000000
with CRC32C "crc32c: RFC 3720, 32 bytes of zeros" crc_is "$(printf '\\0%.0s' {1..32})" 8a9136aa
with CRC32C "crc32c: RFC 3720, 32 bytes of ones" crc_is "$(printf '\\xff%.0s' {1..32})" 62a8ab43
if [ -e "$sysfs/counters/dma_read_bytes" ]; then
	check "the device reads each byte once" counters_tell
else
	skip "the device reads each byte once" "the device is not ours, in QEMU"
fi
with CRC32C "no memory that may be locked" eval "(without_memlock)"
check "copy" copies
check "copy: from a pipe" copies_from_a_pipe
once check "copy: onto itself" copy_onto_itself
once check "copy: of what is not there" refuses 'missing: No such file' "$tool" copy missing copied
once with SHA256 "output that cannot be written" writes_fail
once with SHA256 "sha256 -c: lines that end in CR" carriage_returns
once with SHA256 "sha256 -c: names with escapes" escapes
once with SHA256 "sha256 -c: a list that lists itself" list_in_itself
once with SHA256 "names with control characters" hides_controls
check "info: by any name" by_any_name
check "info: the vendor's commands" tells_vendor
if [ "$(id -u)" = 0 ]; then
	check "a node that may not be one, and none" eval 'nodev && no_node'
else
	skip "a node that may not be one, and none" "not root"
fi
check "list, info and help" eval 'lists && tells && tells_local && helps'
check "mem" shows_memory
once check "usage" eval "misused 'frobnicate is not a command' frobnicate &&
	misused 'no command' && misused 'takes no argument' mem small && misused 'source and a destination' copy big &&
	misused 'only when verifying' sha256 --quiet small"
once check "no device, no digest" needs_the_device
if [ "$(id -u)" = 0 ]; then
	check "device gone, no digest" device_gone
else
	skip "device gone, no digest" "not root"
fi
with CRC32C "the README's example" example
with CRC32C "the example with a buffer" buffer_example
once with CRC32C "the shared library" eval 'shared_library && exports_its_own_only'
exit "$failed"
