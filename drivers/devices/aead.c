// SPDX-License-Identifier: GPL-2.0-only
/*
 * AES-GCM by the kernel's crypto API: an accelerator in software, and an example of a driver
 * with commands of its own, sessions and parameter blocks.  The example to begin with is loop.c.
 */
#include <crypto/aead.h>
#include <crypto/aes.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include <lite_accel/driver.h>
#include <uapi/lite_accel_aead.h>

/* The slice that is executed, one at a time, has the buffer: a copy of its text, and the tag. */
struct aead {
	struct laccel_device ldev;
	atomic_t sessions;
	u8 buffer[LACCEL_AEAD_MAX_LENGTH + LACCEL_AEAD_TAG];
};

/*
 * Each client has its own sessions, from 1 on, so no number leads to another client's key.  No
 * lock is needed: begin comes before the client's first slice, end after its last one.
 */
struct aead_client {
	struct xarray sessions;
	u32 next;
};

static struct device *aead_parent;
static struct aead *aead_only;

static int aead_client_begin(struct laccel_device *ldev, struct laccel_client *client)
{
	struct aead_client *own = kzalloc(sizeof(*own), GFP_KERNEL_ACCOUNT);

	if (!own)
		return -ENOMEM;

	xa_init_flags(&own->sessions, XA_FLAGS_ALLOC1);
	client->priv = own;
	return 0;
}

static void aead_free(struct laccel_device *ldev, struct crypto_aead *session)
{
	crypto_free_aead(session);
	atomic_dec(&container_of(ldev, struct aead, ldev)->sessions);
}

static void aead_client_end(struct laccel_device *ldev, struct laccel_client *client)
{
	struct aead_client *own = client->priv;
	struct crypto_aead *session;
	unsigned long number;

	xa_for_each(&own->sessions, number, session)
		aead_free(ldev, session);
	xa_destroy(&own->sessions);
	kfree(own);
}

static int aead_read(struct laccel_slice *slice, const struct laccel_piece *piece, void *buffer)
{
	memcpy(buffer + piece->done, piece->at[LACCEL_SRC], piece->length);
	return 0;
}

/* Write the text, and leave what is in the place of the associated data. */
static int aead_write(struct laccel_slice *slice, const struct laccel_piece *piece, void *buffer)
{
	struct laccel_aead_params *params = (struct laccel_aead_params *)slice->params;
	u32 end = piece->done + piece->length;
	u32 skip = clamp(params->aad_length, piece->done, end) - piece->done;

	memcpy(piece->at[LACCEL_DST] + skip, buffer + piece->done + skip, piece->length - skip);
	return 0;
}

static enum laccel_status aead_open(struct laccel_device *ldev, struct laccel_slice *slice)
{
	struct aead *aead = container_of(ldev, struct aead, ldev);
	struct aead_client *own = slice->client->priv;
	struct crypto_aead *session;
	int ret;
	u32 id;

	if (!slice->length)
		return LACCEL_BAD_FIELD;
	if (!atomic_add_unless(&aead->sessions, 1, LACCEL_AEAD_DEVICE_SESSIONS))
		return LACCEL_NO_RESOURCES;

	session = crypto_alloc_aead("gcm(aes)", 0, CRYPTO_ALG_ASYNC);
	ret = PTR_ERR_OR_ZERO(session);
	laccel_slice_walk(slice, aead_read, aead->buffer);
	if (!ret)
		ret = crypto_aead_setkey(session, aead->buffer, slice->length);
	memzero_explicit(aead->buffer, slice->length);
	if (!ret)
		ret = xa_alloc_cyclic(&own->sessions, &id, session,
				      XA_LIMIT(1, LACCEL_AEAD_SESSIONS), &own->next, GFP_KERNEL);
	if (ret < 0) {
		aead_free(ldev, session);
		return ret == -EBUSY ? LACCEL_NO_RESOURCES : LACCEL_DEVICE_ERROR;
	}

	slice->value = id;
	return LACCEL_OK;
}

/* Find the session; the index of an xarray may have fewer bits than the number. */
static struct crypto_aead *aead_find(struct laccel_slice *slice)
{
	struct aead_client *own = slice->client->priv;

	return slice->value <= LACCEL_AEAD_SESSIONS ? xa_load(&own->sessions, slice->value) : NULL;
}

static enum laccel_status aead_close(struct laccel_device *ldev, struct laccel_slice *slice)
{
	struct aead_client *own = slice->client->priv;
	struct crypto_aead *session = aead_find(slice);

	if (!session)
		return LACCEL_BAD_FIELD;

	xa_erase(&own->sessions, slice->value);
	aead_free(ldev, session);
	slice->value = 0;
	return LACCEL_OK;
}

/* Encrypt or decrypt a whole command, whose memory is read once, as it may change meanwhile. */
static enum laccel_status aead_execute(struct laccel_device *ldev, struct laccel_slice *slice)
{
	struct laccel_aead_params *params = (struct laccel_aead_params *)slice->params;
	struct aead *aead = container_of(ldev, struct aead, ldev);
	bool decrypt = slice->opcode == LACCEL_AEAD_OP_DECRYPT;
	u32 input = slice->length - params->aad_length + (decrypt ? LACCEL_AEAD_TAG : 0);
	struct crypto_aead *session = aead_find(slice);
	u8 *tag = aead->buffer + slice->length;
	struct aead_request *request;
	struct scatterlist list;
	int ret;

	if (!session || params->aad_length > slice->length)
		return LACCEL_BAD_FIELD;
	request = aead_request_alloc(session, GFP_KERNEL);
	if (!request)
		return LACCEL_DEVICE_ERROR;

	laccel_slice_walk(slice, aead_read, aead->buffer);
	memcpy(tag, params->tag, LACCEL_AEAD_TAG);
	sg_init_one(&list, aead->buffer, slice->length + LACCEL_AEAD_TAG);
	aead_request_set_callback(request, CRYPTO_TFM_REQ_MAY_SLEEP, NULL, NULL);
	aead_request_set_ad(request, params->aad_length);
	aead_request_set_crypt(request, &list, &list, input, params->iv);
	ret = decrypt ? crypto_aead_decrypt(request) : crypto_aead_encrypt(request);
	memcpy(params->tag, tag, LACCEL_AEAD_TAG);
	aead_request_free(request);

	/* Write no text that is not genuine, and nothing after an error. */
	if (ret == -EBADMSG)
		memset(aead->buffer, 0, slice->length);
	if (!ret || ret == -EBADMSG)
		laccel_slice_walk(slice, aead_write, aead->buffer);
	memzero_explicit(aead->buffer, slice->length);

	slice->value = 0;
	if (!ret)
		return LACCEL_OK;
	return ret == -EBADMSG ? LACCEL_AEAD_BAD_TAG : LACCEL_DEVICE_ERROR;
}

static const struct laccel_ops aead_ops = {
	.vendor = LACCEL_AEAD_VENDOR,
	.vendor_version = LACCEL_AEAD_VENDOR_VERSION,
	.client_begin = aead_client_begin,
	.client_end = aead_client_end,
	.execute = {
		[LACCEL_OP_COPY] = { .step = laccel_copy_step },
		[LACCEL_AEAD_OP_OPEN] = {
			.slice = aead_open,
			.format = { .reads = LACCEL_FIELD_SRC, .traits = LACCEL_COMMAND_WHOLE,
				    .granularity = AES_KEYSIZE_128, .max_length = AES_KEYSIZE_256 },
		},
		[LACCEL_AEAD_OP_CLOSE] = { .slice = aead_close,
					   .format.numbers = LACCEL_FIELD_ARG0 },
		[LACCEL_AEAD_OP_ENCRYPT] = {
			.slice = aead_execute,
			.format = { .reads = LACCEL_FIELD_SRC, .writes = LACCEL_FIELD_DST,
				    .numbers = LACCEL_FIELD_ARG0,
				    .params = sizeof(struct laccel_aead_params),
				    .traits = LACCEL_COMMAND_WHOLE | LACCEL_COMMAND_PARAMS_WRITTEN,
				    .max_length = LACCEL_AEAD_MAX_LENGTH },
		},
		[LACCEL_AEAD_OP_DECRYPT] = {
			.slice = aead_execute,
			.format = { .reads = LACCEL_FIELD_SRC, .writes = LACCEL_FIELD_DST,
				    .numbers = LACCEL_FIELD_ARG0, .traits = LACCEL_COMMAND_WHOLE,
				    .params = sizeof(struct laccel_aead_params),
				    .max_length = LACCEL_AEAD_MAX_LENGTH },
		},
	},
};

static int __init aead_init(void)
{
	int ret = -ENOMEM;

	/* Keep to algorithms of the processor, as a device might never answer; load one now. */
	if (!crypto_has_aead("gcm(aes)", 0, CRYPTO_ALG_ASYNC))
		return -EOPNOTSUPP;

	aead_parent = root_device_register("lite_accel_aead");
	if (IS_ERR(aead_parent))
		return PTR_ERR(aead_parent);

	aead_only = laccel_alloc(aead_parent, &aead_ops, struct aead, ldev);
	if (aead_only) {
		aead_only->ldev.max_slice = LACCEL_AEAD_MAX_LENGTH;
		ret = laccel_register(&aead_only->ldev);
		if (ret)
			laccel_put(&aead_only->ldev);
	}
	if (ret)
		root_device_unregister(aead_parent);
	return ret;
}
module_init(aead_init);

static void __exit aead_exit(void)
{
	laccel_unregister(&aead_only->ldev);
	laccel_put(&aead_only->ldev);
	root_device_unregister(aead_parent);
}
module_exit(aead_exit);

MODULE_DESCRIPTION("AES-GCM in software, for lite-accel");
MODULE_AUTHOR("The lite-accel developers");
MODULE_LICENSE("GPL");
MODULE_SOFTDEP("pre: gcm ctr ghash aes");
