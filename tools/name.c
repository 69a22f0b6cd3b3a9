// SPDX-License-Identifier: GPL-2.0-only
/*
 * File names in lines of output: a name that contains a newline, a carriage return or a
 * backslash is written with escapes, and its line begins with a backslash.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tool.h"

/* First of the two bytes of a C1 control character in UTF-8 */
#define C1_LEAD	0xc2

static const char plain[] = "\n\r\\";
static const char escaped[] = "nr\\";

bool name_needs_escape(const char *name)
{
	return strpbrk(name, plain);
}

void name_print(const char *name, bool escape)
{
	const char *found;

	for (; *name; name++) {
		found = escape ? strchr(plain, *name) : NULL;
		if (found)
			printf("\\%c", escaped[found - plain]);
		else
			putchar(*name);
	}
}

/* Replace escapes in place; return false for an escape that name_print() never writes. */
bool name_unescape(char *name)
{
	const char *found;
	char *to = name;

	for (; *name; name++) {
		if (*name == '\\') {
			if (!name[1])
				return false;
			found = strchr(escaped, *++name);
			if (!found)
				return false;
			*to++ = plain[found - escaped];
		} else {
			*to++ = *name;
		}
	}
	*to = '\0';

	return true;
}

/* Find characters that control a terminal: control characters, including C1 in UTF-8. */
static bool is_control(const char *at)
{
	unsigned char c = *at, next = c == C1_LEAD ? at[1] : 0;

	return c < ' ' || c == 0x7f || (next >= 0x80 && next < 0xa0);
}

char *name_shown(const char *name)
{
	char *shown = strdup(name), *at;

	if (!shown)
		err(EXIT_FAILURE, NULL);

	for (at = shown; *at; at++) {
		if (!is_control(at))
			continue;
		if ((unsigned char)*at == C1_LEAD)
			*at++ = '?';
		*at = '?';
	}

	return shown;
}

/* Print an error on one line, even if the name has a newline. */
int name_warn(const char *name)
{
	const char *quote = strpbrk(name, " \t\n\r'\"") || !*name ? "'" : "";
	int error = errno;
	char *line = name_shown(name);

	progress_stop();
	errno = error;
	warn("%s%s%s", quote, line, quote);
	free(line);

	return -1;
}
