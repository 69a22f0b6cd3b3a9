// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that our modules allocated during the suites before this one, and that
 * nothing points to any more (R1, R18).  Runs at the end of each boot.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "accel.h"
#include "kselftest_harness.h"
#include "vm.h"

#define LEAKS	"/sys/kernel/debug/kmemleak"

FIXTURE(leaks) {
};

FIXTURE_SETUP(leaks)
{
	if (access(LEAKS, W_OK))
		SKIP(return, "no " LEAKS);
}

FIXTURE_TEARDOWN(leaks)
{
}

/*
 * kmemleak reports objects to which no scan has found a pointer, which did not change
 * between two scans, and which are older than five seconds.
 */
TEST_F_TIMEOUT(leaks, none, 600)
{
	char line[512];
	uint64_t old = accel_ms() + 6000;
	FILE *report;
	int found = 0;

	/* On this kernel the first scan takes most of the six seconds, or more. */
	ASSERT_EQ(0, vm_write(LEAKS, "scan"));
	while (accel_ms() < old)
		usleep(10000);
	ASSERT_EQ(0, vm_write(LEAKS, "scan"));
	report = fopen(LEAKS, "re");
	ASSERT_NE(NULL, report);

	while (fgets(line, sizeof(line), report))
		found += !!strstr(line, "[lite_accel");
	fclose(report);
	EXPECT_EQ(0, found);
}

TEST_HARNESS_MAIN
