// SPDX-License-Identifier: GPL-2.0-only
/*
 * File names in lines of output: one with a newline, a carriage return or a
 * backslash is written with escapes, and its line begins with a backslash.
 */
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tool.h"

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

/* In place; false if there is an escape that name_print() never writes. */
bool name_unescape(char *name)
{
	const char *found;
	char *to = name;

	for (; *name; name++) {
		if (*name == '\\') {
			found = name[1] ? strchr(escaped, *++name) : NULL;
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

/* An error is one line, whatever the name. */
int name_warn(const char *name)
{
	const char *quote = strpbrk(name, " \t\n\r'\"") || !*name ? "'" : "";
	int error = errno;
	char *line = strdup(name), *at;

	if (!line)
		err(EXIT_FAILURE, NULL);
	for (at = line; *at; at++)
		if (iscntrl((unsigned char)*at))
			*at = '?';
	progress_stop();
	errno = error;
	warn("%s%s%s", quote, line, quote);
	free(line);
	return -1;
}
