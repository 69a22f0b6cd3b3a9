// SPDX-License-Identifier: GPL-2.0-only
/* Bytes that the prep functions write, descriptions of errors, names of modes. */
#include <assert.h>
#include <stdlib.h>

#include "fake.h"
#include "kselftest_harness.h"

#define SRC	0x1112131415161718
#define DST	0x2122232425262728
#define THIRD	0x3132333435363738
#define VALUE	0x4142434445464748
#define LENGTH	0x51525354ull

/* Compare with the eight words of an entry; words that are not given are 0. */
#define IS(...) (!memcmp(&sqe, (const uint64_t[8]){ __VA_ARGS__ }, sizeof(sqe)))

TEST(prepared_bytes)
{
	void *const dst = (void *)DST, *const src = (void *)SRC;
	void *const two[2] = { dst, (void *)THIRD };
	struct laccel_sqe sqe;

	ASSERT_EQ(64, sizeof(sqe));

	memset(&sqe, 0xff, sizeof(sqe));
	laccel_prep_nop(&sqe);
	EXPECT_TRUE(IS(0));

	memset(&sqe, 0xff, sizeof(sqe));
	laccel_prep(&sqe, 48, LENGTH);
	EXPECT_TRUE(IS(LENGTH << 32 | 48));

	memset(&sqe, 0xff, sizeof(sqe));
	laccel_prep_copy(&sqe, dst, src, LENGTH);
	EXPECT_TRUE(IS(LENGTH << 32 | 1, 0, SRC, DST));

	memset(&sqe, 0xff, sizeof(sqe));
	laccel_prep_fill(&sqe, dst, VALUE, LENGTH);
	EXPECT_TRUE(IS(LENGTH << 32 | 2, 0, 0, DST, VALUE));

	memset(&sqe, 0xff, sizeof(sqe));
	laccel_prep_compare(&sqe, src, dst, LENGTH);
	EXPECT_TRUE(IS(LENGTH << 32 | 3, 0, SRC, DST));

	memset(&sqe, 0xff, sizeof(sqe));
	laccel_prep_crc32c(&sqe, src, LENGTH, 0x61626364);
	EXPECT_TRUE(IS(LENGTH << 32 | 4, 0, SRC, 0, 0x61626364));

	memset(&sqe, 0xff, sizeof(sqe));
	laccel_prep_sha256(&sqe, dst, src, LENGTH);
	EXPECT_TRUE(IS(LENGTH << 32 | 5, 0, SRC, DST));

	memset(&sqe, 0xff, sizeof(sqe));
	laccel_prep_dualcast(&sqe, two, src, LENGTH);
	EXPECT_TRUE(IS(LENGTH << 32 | 6, 0, SRC, DST, THIRD));

	memset(&sqe, 0xff, sizeof(sqe));
	laccel_prep_vendor(&sqe, 63, dst, src, LENGTH, VALUE);
	EXPECT_TRUE(IS(LENGTH << 32 | 63, 0, SRC, DST, VALUE));
	sqe.params = THIRD;
	sqe.dst_length = 0x61626364;
	EXPECT_TRUE(IS(LENGTH << 32 | 63, 0, SRC, DST, VALUE, THIRD, 0x61626364));
}

TEST(statuses)
{
	EXPECT_STREQ("done", laccel_status_str(LACCEL_OK));
	EXPECT_STREQ("canceled", laccel_status_str(LACCEL_CANCELED));
	EXPECT_STREQ("unknown status", laccel_status_str(LACCEL_STATUS_COUNT));
	EXPECT_STREQ("unknown status", laccel_status_str(LACCEL_STATUS_VENDOR - 1));
	EXPECT_STREQ("a status of the vendor's", laccel_status_str(LACCEL_STATUS_VENDOR));
	EXPECT_STREQ("a status of the vendor's", laccel_status_str(UINT16_MAX));
	EXPECT_STREQ("unknown status", laccel_status_str(UINT32_MAX));

	for (unsigned int i = 0; i < LACCEL_STATUS_COUNT; i++) {
		EXPECT_NE(0, *laccel_status_str(i));
		for (unsigned int j = 0; j < i; j++)
			EXPECT_STRNE(laccel_status_str(i), laccel_status_str(j));
	}
}

TEST(opcodes)
{
	static const char *const names[] = { "NOP", "COPY", "FILL", "COMPARE", "CRC32C", "SHA256",
					     "DUALCAST" };

	static_assert(ARRAY_SIZE(names) == LACCEL_OP_COUNT, "no name for an opcode");
	for (unsigned int i = 0; i < LACCEL_OP_COUNT; i++)
		EXPECT_STREQ(names[i], laccel_opcode_str(i));

	EXPECT_EQ(NULL, laccel_opcode_str(LACCEL_OP_COUNT));
	EXPECT_EQ(NULL, laccel_opcode_str(UINT32_MAX));
}

static void *fail_elsewhere(void *sentence)
{
	*(bool *)sentence = !*laccel_last_error() && laccel_fail(EIO, "there") == -EIO;
	return NULL;
}

/* The last error belongs to the thread, and a sentence that is too long is cut. */
TEST(last_error)
{
	bool alone = false;
	pthread_t thread;
	char text[1000];

	EXPECT_EQ(-EPERM, laccel_fail(EPERM, "%s %d", "here", 7));
	ASSERT_EQ(0, pthread_create(&thread, NULL, fail_elsewhere, &alone));
	pthread_join(thread, NULL);
	EXPECT_TRUE(alone);
	EXPECT_STREQ("here 7", laccel_last_error());

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	EXPECT_EQ(-EIO, laccel_fail(EIO, "%s", text));
	EXPECT_EQ(319, strlen(laccel_last_error()));
}

TEST(mode_by_environment)
{
	static const char *const names[] = { "auto", "SVA", "Mirror", "pinned", "MEDIATED" };
	static const char *const bad[] = { "sv", "svax", " sva", "1", "pinned," };
	uint32_t mode = LACCEL_MODE_AUTO;

	unsetenv("LITE_ACCEL_MODE");
	EXPECT_EQ(0, laccel_mode_wanted(&mode));
	EXPECT_EQ(LACCEL_MODE_AUTO, mode);

	setenv("LITE_ACCEL_MODE", "", 1);
	EXPECT_EQ(0, laccel_mode_wanted(&mode));

	for (uint32_t i = 0; i < 5; i++) {
		mode = LACCEL_MODE_AUTO;
		setenv("LITE_ACCEL_MODE", names[i], 1);
		EXPECT_EQ(0, laccel_mode_wanted(&mode));
		EXPECT_EQ(i, mode);
		EXPECT_EQ(0, strcasecmp(names[i], laccel_mode_str(i)));
	}

	for (uint32_t i = 0; i < 5; i++) {
		mode = LACCEL_MODE_AUTO;
		setenv("LITE_ACCEL_MODE", bad[i], 1);
		EXPECT_EQ(-EINVAL, laccel_mode_wanted(&mode));

		/* The environment does not override a mode that the program chooses. */
		mode = LACCEL_MODE_PINNED;
		EXPECT_EQ(0, laccel_mode_wanted(&mode));
		EXPECT_EQ(LACCEL_MODE_PINNED, mode);
	}

	EXPECT_EQ(NULL, laccel_mode_str(5));
}

TEST(reasons)
{
	struct laccel_device *dev = calloc(1, sizeof(*dev) + 1);
	const char *before = "", *text;

	EXPECT_EQ(NULL, laccel_explain(dev, LACCEL_MODE_SVA));

	for (uint32_t i = 1; i < LACCEL_REASON_COUNT; i++) {
		dev->info.reasons[LACCEL_MODE_SVA] = i;
		text = laccel_explain(dev, LACCEL_MODE_SVA);
		ASSERT_NE(NULL, text);
		EXPECT_EQ(NULL, strstr(text, "does not know the reason"));
		EXPECT_STRNE(before, text);
		before = text;
	}

	dev->info.reasons[LACCEL_MODE_SVA] = LACCEL_REASON_COUNT;
	EXPECT_STREQ("the library does not know the reason; use a newer library",
		     laccel_explain(dev, LACCEL_MODE_SVA));
	EXPECT_NE(NULL, strstr(laccel_explain(dev, LACCEL_MODES), "the driver does not know it"));

	EXPECT_EQ(NULL, laccel_explain_local(dev));
	dev->info.local_reason = LACCEL_REASON_NO_TABLES;
	EXPECT_NE(NULL, strstr(laccel_explain_local(dev), "use MIRROR"));
	free(dev);
}

/* A driver without buffers leaves the members of local memory zero, or does not know them. */
TEST(local_memory)
{
	struct laccel_device *dev;
	struct laccel_info info;

	fake_init();
	ASSERT_EQ(0, laccel_open(fake.path, &dev));
	ASSERT_EQ(0, laccel_get_info(dev, &info));
	EXPECT_EQ(LACCEL_REASON_NONE, info.local_reason);
	EXPECT_EQ(fake.local_size, info.local_size);
	EXPECT_EQ(NULL, laccel_explain_local(dev));
	laccel_close(dev);

	fake.local_size = 0;
	ASSERT_EQ(0, laccel_open(fake.path, &dev));
	ASSERT_EQ(0, laccel_get_info(dev, &info));
	EXPECT_EQ(LACCEL_REASON_UNKNOWN_MODE, info.local_reason);
	EXPECT_NE(NULL, strstr(laccel_explain_local(dev), "load a newer driver"));
	laccel_close(dev);
}

TEST(open_in_a_mode)
{
	struct laccel_device *dev;

	fake_init();
	unsetenv("LITE_ACCEL_MODE");
	EXPECT_EQ(-EOPNOTSUPP, laccel_open_mode(fake.path, LACCEL_MODE_SVA, &dev));
	EXPECT_NE(NULL, strstr(laccel_last_error(), "SVA: the device has no PASID"));

	ASSERT_EQ(0, laccel_open_mode(fake.path, LACCEL_MODE_PINNED, &dev));
	EXPECT_STREQ(fake.path, laccel_path(dev));
	laccel_close(dev);
}

TEST_HARNESS_MAIN
