// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Texts: the last error of each thread, and the names of statuses and commands. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "internal.h"

static __thread char sentence[320];

int laccel_fail(int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	return -err;
}

const char *laccel_last_error(void)
{
	return sentence;
}

const char *laccel_status_str(unsigned int status)
{
	static const char *const words[] = {
		[LACCEL_OK] = "done",
		[LACCEL_BAD_OPCODE] = "the device does not know the command",
		[LACCEL_BAD_FIELD] = "a field of the command has a value that is not allowed",
		[LACCEL_PAGE_FAULT] =
			"the memory cannot be accessed in that way, or is not registered for it",
		[LACCEL_CANCELED] = "canceled",
		[LACCEL_DEVICE_ERROR] =
			"the device could not access the memory, or the kernel is short of memory",
		[LACCEL_TIMEOUT] = "timed out",
		[LACCEL_NO_RESOURCES] = "the device has no session or context left for it",
	};

	static_assert(sizeof(words) / sizeof(words[0]) == LACCEL_STATUS_COUNT,
		      "no words for a status");
	if (status >= LACCEL_STATUS_VENDOR && status <= UINT16_MAX)
		return "a status of the vendor's";
	if (status >= sizeof(words) / sizeof(words[0]))
		return "unknown status";

	return words[status];
}

const char *laccel_opcode_str(unsigned int opcode)
{
	static const char *const names[] = {
		[LACCEL_OP_NOP] = "NOP",
		[LACCEL_OP_COPY] = "COPY",
		[LACCEL_OP_FILL] = "FILL",
		[LACCEL_OP_COMPARE] = "COMPARE",
		[LACCEL_OP_CRC32C] = "CRC32C",
		[LACCEL_OP_SHA256] = "SHA256",
		[LACCEL_OP_DUALCAST] = "DUALCAST",
	};

	static_assert(sizeof(names) / sizeof(names[0]) == LACCEL_OP_COUNT, "no name for an opcode");
	if (opcode >= sizeof(names) / sizeof(names[0]))
		return NULL;

	return names[opcode];
}
