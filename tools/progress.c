// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

#define BAR		30
#define MIB		(1 << 20)
#define MSEC_PER_SEC	1000
#define NSEC_PER_MSEC	1000000

/* Minimum time between two redraws, and before the first one */
#define INTERVAL_MS	200

static char *title;			/* NULL if there is no bar */
static off_t whole, done;
static long drawn_ms;
static bool visible;

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * MSEC_PER_SEC + now.tv_nsec / NSEC_PER_MSEC;
}

void progress_start(const char *name, off_t total)
{
	if (!isatty(STDERR_FILENO))
		return;

	title = name_shown(name);
	whole = total;
	done = 0;
	drawn_ms = now_ms();
}

static void draw(void)
{
	static const char full[] = "##############################";
	int filled = BAR, percent = 100;

	if (done < whole) {
		filled = (int)(BAR * done / whole);
		percent = (int)(100 * done / whole);
	}

	if (whole)
		fprintf(stderr, "\r\033[K[%-*.*s] %3d%%  %lld MiB  %s", BAR, filled, full, percent,
			(long long)(done / MIB), title);
	else
		fprintf(stderr, "\r\033[K%lld MiB  %s", (long long)(done / MIB), title);
	visible = true;
}

void progress_add(size_t bytes)
{
	long now;

	if (!title)
		return;

	done += bytes;
	now = now_ms();
	if (now - drawn_ms < INTERVAL_MS)
		return;

	drawn_ms = now;
	draw();
}

void progress_stop(void)
{
	if (visible)
		fputs("\r\033[K", stderr);
	visible = false;
	free(title);
	title = NULL;
}
