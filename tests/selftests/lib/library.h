/* SPDX-License-Identifier: GPL-2.0-only */
/* Helpers that the suites of liblite-accel share. */
#ifndef LIBRARY_H
#define LIBRARY_H

#include <liblite-accel.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static inline bool error_says(const char *words)
{
	bool says = strstr(laccel_last_error(), words);

	if (!says)
		printf("# \"%s\" does not say \"%s\"\n", laccel_last_error(), words);

	return says;
}

/* Return the exit status of a child that runs @body, or minus the signal that ended it. */
static inline int run_child(int (*body)(void))
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(body());

	if (child < 0 || waitpid(child, &status, 0) != child)
		return -1000;

	if (WIFSIGNALED(status))
		return -WTERMSIG(status);
	return WEXITSTATUS(status);
}

#endif /* LIBRARY_H */
