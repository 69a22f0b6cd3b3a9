#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# memcheck reports nothing for programs that use the library (C09).

set -u

build=$(cd "$(dirname "$0")/../.." && pwd)
number=0
failed=0

# check NAME EXPECTED PROGRAM: the program prints what is expected, and memcheck nothing.
check()
{
	local name=$1 expected=$2 program=$3 output status
	number=$((number + 1))
	output=$(valgrind --sim-hints=lax-ioctls --leak-check=full --error-exitcode=99 -q "$program" 2>&1)
	status=$?
	if [ "$status" = 0 ] && [ "$output" = "$expected" ]; then
		echo "ok $number $name"
	else
		sed 's/^/# /' <<<"$output"
		echo "not ok $number $name"
		failed=1
	fi
}

echo "TAP version 13"
echo "1..2"
check "a helper" 123456789 "$build/lib/copy"
if "$build/tools/lite-accel" info | grep -q '^ *functions:.*CRC32C'; then
	check "a queue" e3069283 "$build/lib/sum"
else
	echo "ok 2 a queue # SKIP the device has no CRC32C"
fi
exit "$failed"
