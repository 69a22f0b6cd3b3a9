#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The command lite-accel beside the coreutils: what it prints, what it checks,
# how it ends.  And the example of the README, compiled as it stands there.

set -u

build=$(cd "$(dirname "$0")/../.." && pwd)
top=$(cd "$build/.." && pwd)
tool=$build/tools/lite-accel
node=$(echo /dev/accel-*)
sysfs=/sys/class/lite_accel/${node##*/}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
number=0
failed=0

# The first argument says what the command after it shows by succeeding.
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

# Output and exit status of the tool are those of the other command.
same()
{
	local ours theirs status
	theirs=$("$1" "${@:2}" 2>/dev/null </dev/null)
	status=$?
	ours=$("$tool" sha256 "${@:2}" 2>/dev/null </dev/null)
	[ "$?:$ours" = "$status:$theirs" ] ||
		{ printf 'ours:\n%s\ntheirs (%s):\n%s\n' "$ours" "$status" "$theirs"; return 1; }
}

# Ends with status 1, nothing on standard output, one sentence that has the words.
refuses()
{
	local words=$1 output status
	output=$("${@:2}" 2>"$dir/.err" </dev/null)
	status=$?
	cat "$dir/.err"
	[ "$status" = 1 ] && [ -z "$output" ] && grep -q -e "$words" "$dir/.err"
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

# A pipe gives what it has: reads are short, at any place.
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
	for n in 0 1 55 56 63 64 65 4095 4096 4097 65536 262143 262144 262145 1048577; do
		head -c "$n" big >size
		same sha256sum size || { echo "$n bytes"; return 1; }
	done
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

keeps_going()
{
	local output
	output=$("$tool" sha256 missing small 2>.err)
	[ $? = 1 ] && [ "$output" = "$(sha256sum small)" ] && grep -q missing .err
}

writes_fail()
{
	! "$tool" sha256 small >/dev/full
}

lists()
{
	"$tool" list | grep -q "^$node *lite_accel_pci "
}

tells()
{
	"$tool" info >info && grep -q SHA256 info && grep -q PINNED info &&
		grep -q 'not in this version' info
}

helps()
{
	"$tool" --help | grep -q '^Usage: ' && "$tool" sha256 --help | grep -q '^Usage: '
}

example()
{
	sed -n '/^```c$/,/^```$/p' "$top/README.md" | grep -v '^```' >example.c &&
		[ "$(wc -l <example.c)" -le 30 ] &&
		gcc -Wall -Wextra -Werror -I"$top/lib" -I"$top/include/uapi" -o example example.c \
			"$build/lib/liblite-accel.a" &&
		[ "$(./example)" = e3069283 ]
}

shared_library()
{
	gcc -I"$top/lib" -I"$top/include/uapi" -o shared "$top/lib/examples/sum.c" \
		"$build/lib/liblite-accel.so" &&
		[ "$(LD_LIBRARY_PATH=$build/lib ./shared)" = e3069283 ]
}

exports_its_own_only()
{
	! nm -D --defined-only "$build/lib/liblite-accel.so.0" | grep -v -E ' [TVA] (laccel_|LITE)' ||
		return 1
}

# No code of ours computes: without a device there is no digest.
needs_the_device()
{
	refuses 'No such file' "$tool" -d /dev/accel-none sha256 small &&
		LITE_ACCEL_DEVICE=/dev/accel-none refuses 'No such file' "$tool" crc32c small
}

device_gone()
{
	local driver=/sys/bus/pci/drivers/lite_accel_pci bdf status
	bdf=$(basename "$(readlink "$sysfs/device")")
	echo "$bdf" >"$driver/unbind"
	refuses 'no accelerator' "$tool" sha256 small
	status=$?
	echo "$bdf" >"$driver/bind"
	chgrp "$LITE_ACCEL_GID" "$node"
	return "$status"
}

head -c 12345678 /dev/urandom >big
echo small >small
: >empty
mkdir folder
cp small 'with space'
cp small $'with\nnewline' 
cp small 'back\slash'
{ sha256sum small; echo garbage; echo "${fake:=$(printf '0%.0s' {1..64})}  big"; } >WRONG
{ sha256sum small; echo "$fake  nowhere"; } >ABSENT

echo "TAP version 13"
echo "1..34"
check "sha256: a file" same sha256sum big
check "sha256: files" same sha256sum small big empty
check "sha256: lengths around blocks, pages and buffers" sizes
check "sha256: standard input" same sha256sum -
check "sha256: pipes" through_a_pipe
check "sha256: a pipe with short reads" slow_pipe
check "sha256: names with blanks, newlines and backslashes" \
	same sha256sum 'with space' $'with\nnewline' 'back\slash'
check "sha256: --tag" same sha256sum --tag small $'with\nnewline'
check "sha256: -b" same sha256sum -b small
check "sha256: -z" same sha256sum -z small 'back\slash'
check "sha256: a missing file does not stop it" keeps_going
check "sha256: a directory" refuses folder "$tool" sha256 folder
check "sha256 -c: what the other prints" cross_check
check "sha256 -c: mismatch and garbage" same sha256sum -c WRONG
check "sha256 -c: --quiet" same sha256sum -c --quiet WRONG
check "sha256 -c: --status" same sha256sum -c --status WRONG
check "sha256 -c: --strict" same sha256sum -c --strict WRONG
check "sha256 -c: a file that is absent" same sha256sum -c ABSENT
check "sha256 -c: --ignore-missing" same sha256sum -c --ignore-missing ABSENT
check "sha256 -c: no checksum at all" same sha256sum -c small
check "crc32c: check value" crc_is 123456789 e3069283
check "crc32c: nothing" crc_is '' 00000000
check "crc32c: RFC 3720, 32 bytes of zeros" crc_is "$(printf '\\0%.0s' {1..32})" 8a9136aa
check "crc32c: RFC 3720, 32 bytes of ones" crc_is "$(printf '\\xff%.0s' {1..32})" 62a8ab43
check "the device reads each byte once" counters_tell
check "copy" copies
check "copy: of what is not there" refuses missing "$tool" copy missing copied
check "output that cannot be written" writes_fail
check "list, info and help" eval 'lists && tells && helps'
check "usage" refuses 'not a command' "$tool" frobnicate
check "no device, no digest" needs_the_device
if [ "$(id -u)" = 0 ]; then
	check "device gone, no digest" device_gone
else
	skip "device gone, no digest" "not root"
fi
check "the README's example" example
check "the shared library" eval 'shared_library && exports_its_own_only'
exit "$failed"
