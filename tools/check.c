// SPDX-License-Identifier: GPL-2.0-only
/* sha256 -c and crc32c -c: verify the checksums that a file lists. */
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tool.h"

struct check {
	struct stream *stream;
	const struct algorithm *algorithm;
	const struct check_options *options;
	const char *list;		/* name of the list, for messages */
	bool is_stdin;
	unsigned long lines;
	unsigned long formatted;
	unsigned long misformatted;
	unsigned long unreadable;
	unsigned long mismatched;
	unsigned long matched;
};

struct entry {
	const char *name;
	uint8_t bytes[MAX_DIGEST];
};

static int hex_value(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static char *skip_blanks(char *at)
{
	return at + strspn(at, " \t");
}

/* Parse a digest; return the text behind it, or NULL if there is no digest. */
static char *parse_hex(const struct algorithm *algorithm, char *at,
		       struct entry *entry)
{
	int i, high, low;

	for (i = 0; i < algorithm->bytes; i++, at += 2) {
		high = hex_value(at[0]);
		if (high < 0)
			return NULL;
		low = hex_value(at[1]);
		if (low < 0)
			return NULL;
		entry->bytes[i] = (uint8_t)(high << 4 | low);
	}

	return at;
}

/* Parse "SHA256 (name) = digest"; return the name, or NULL. */
static char *parse_tagged(const struct algorithm *algorithm, char *at,
			  struct entry *entry)
{
	char *name, *end;

	at += strlen(algorithm->tag);
	at += *at == ' ';
	if (*at != '(')
		return NULL;

	name = at + 1;
	end = strrchr(name, ')');
	if (!end)
		return NULL;

	at = skip_blanks(end + 1);
	if (*at != '=')
		return NULL;
	at = parse_hex(algorithm, skip_blanks(at + 1), entry);
	*end = '\0';

	return at && !*at ? name : NULL;
}

/* Parse "digest  name", "digest *name" or "digest name"; return the name, or NULL. */
static char *parse_plain(const struct algorithm *algorithm, char *at,
			 struct entry *entry)
{
	at = parse_hex(algorithm, at, entry);
	if (!at || (*at != ' ' && *at != '\t'))
		return NULL;

	at++;
	if ((*at == ' ' || *at == '*') && at[1])
		at++;

	return *at ? at : NULL;
}

static bool parse_line(const struct algorithm *algorithm, char *line,
		       struct entry *entry)
{
	char *at = skip_blanks(line), *name;
	bool escaped = *at == '\\';

	at += escaped;
	if (!strncmp(at, algorithm->tag, strlen(algorithm->tag)))
		name = parse_tagged(algorithm, at, entry);
	else
		name = parse_plain(algorithm, at, entry);
	entry->name = name;

	return name && (!escaped || name_unescape(name));
}

static void report(const struct check *check, const char *name, const char *verdict)
{
	bool escape = name_needs_escape(name);

	if (check->options->status)
		return;

	if (escape)
		putchar('\\');
	name_print(name, escape);
	printf(": %s\n", verdict);
}

static void check_entry(struct check *check, const struct entry *entry)
{
	const struct check_options *options = check->options;
	const struct algorithm *algorithm = check->algorithm;
	uint8_t bytes[MAX_DIGEST];

	if (options->ignore_missing && access(entry->name, F_OK) && errno == ENOENT)
		return;

	if (digest_file(check->stream, algorithm, entry->name, bytes)) {
		check->unreadable++;
		report(check, entry->name, "FAILED open or read");
	} else if (memcmp(bytes, entry->bytes, algorithm->bytes)) {
		check->mismatched++;
		report(check, entry->name, "FAILED");
	} else {
		check->matched++;
		if (!options->quiet)
			report(check, entry->name, "OK");
	}
}

/* Refuse an entry for stdin in a list read from stdin. */
static bool lists_itself(const struct check *check, const struct entry *entry)
{
	return check->is_stdin && !strcmp(entry->name, "-");
}

static void check_line(struct check *check, char *line)
{
	size_t length = strcspn(line, "\n");
	struct entry entry;

	check->lines++;
	line[length] = '\0';
	/* Accept CR LF, as in a list written on another system. */
	if (length && line[length - 1] == '\r')
		line[length - 1] = '\0';

	if (!*line || *line == '#')
		return;

	if (parse_line(check->algorithm, line, &entry) && !lists_itself(check, &entry)) {
		check->formatted++;
		check_entry(check, &entry);
		return;
	}

	check->misformatted++;
	if (check->options->warn)
		warnx("%s: %lu: improperly formatted %s checksum line", check->list,
		      check->lines, check->algorithm->tag);
}

static void warn_count(unsigned long count, const char *one, const char *many)
{
	if (count)
		warnx("WARNING: %lu %s", count, count == 1 ? one : many);
}

static bool conclude(const struct check *check)
{
	const struct check_options *options = check->options;

	if (!check->formatted) {
		warnx("%s: no properly formatted checksum lines found", check->list);
		return false;
	}

	if (!options->status) {
		warn_count(check->misformatted, "line is improperly formatted",
			   "lines are improperly formatted");
		warn_count(check->unreadable, "listed file could not be read",
			   "listed files could not be read");
		warn_count(check->mismatched, "computed checksum did NOT match",
			   "computed checksums did NOT match");
		if (options->ignore_missing && !check->matched && !check->mismatched)
			warnx("%s: no file was verified", check->list);
	}

	return check->matched && !check->mismatched && !check->unreadable &&
	       !(options->strict && check->misformatted);
}

/* A NUL ends the text of a line early, so a line with one is badly formatted. */
static bool check_lines(struct check *check, FILE *file)
{
	char *line = NULL;
	size_t size = 0;
	bool failed;

	while (getline(&line, &size, file) >= 0)
		check_line(check, line);
	free(line);

	failed = ferror(file);
	if (failed)
		name_warn(check->list);

	return !failed && conclude(check);
}

bool check_file(struct stream *stream, const struct algorithm *algorithm,
		const struct check_options *options, const char *name)
{
	bool is_stdin = !strcmp(name, "-"), good;
	FILE *file = is_stdin ? stdin : fopen(name, "re");
	char *list = name_shown(is_stdin ? "standard input" : name);
	struct check check = {
		.stream = stream,
		.algorithm = algorithm,
		.options = options,
		.list = list,
		.is_stdin = is_stdin,
	};

	if (file) {
		good = check_lines(&check, file);
	} else {
		name_warn(name);
		good = false;
	}

	if (file && !is_stdin)
		fclose(file);
	free(list);
	return good;
}
