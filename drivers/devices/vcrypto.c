// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio crypto device: AES in sessions, each of which is a program's.  The device answers
 * later, in any order and on several queues.  It cannot copy, so the processor does that.
 *
 * Without a device table, nothing loads the module in place of the kernel's virtio_crypto.
 */
#include <crypto/aes.h>
#include <linux/iopoll.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/virtio_config.h>
#include <linux/virtio_crypto.h>

#include <lite_accel/driver.h>
#include <uapi/lite_accel_vcrypto.h>

#define VCRYPTO_MAX_SLICE	SZ_64K
/* Descriptors of a slice: pages of two unaligned operands, request and status */
#define VCRYPTO_DESCRIPTORS	(2 * (VCRYPTO_MAX_SLICE / PAGE_SIZE + 1) + 2)
#define VCRYPTO_MAX_DEPTH	64
#define VCRYPTO_MAX_QUEUES	32
#define VCRYPTO_SESSIONS	256	/* as many as QEMU has; a client gets an eighth */
#define VCRYPTO_TIMEOUT_US	(10 * USEC_PER_SEC)	/* the host may be busy */

struct vcrypto_session {
	u64 number;		/* 0: closed; no two sessions ever have the same */
	struct laccel_client *client;
	__le64 id;		/* the device's */
	u32 mode;
	bool decrypt;
	atomic_t busy;		/* slices that the device is at work on */
};

/* A slice in progress, or a request for a session; the device writes the last member. */
struct vcrypto_request {
	struct laccel_slice *slice;
	struct vcrypto_session *session;
	struct sg_table *dst;
	union {
		struct virtio_crypto_op_data_req data;
		struct virtio_crypto_op_ctrl_req control;
	};
	u8 key[AES_MAX_KEY_SIZE];	/* or the IV; it follows on the request */
	union {
		struct virtio_crypto_session_input opened;
		u8 status;
	} ____cacheline_aligned;
};

struct vcrypto {
	struct laccel_device ldev;
	struct virtio_device *vdev;
	u32 data_queues;
	struct virtqueue *vqs[VCRYPTO_MAX_QUEUES + 1];	/* data queues, then the control queue */
	spinlock_t lock;		/* protects the data queues */
	struct mutex control_lock;	/* protects the control queue, and the members below */
	struct vcrypto_request control;
	struct vcrypto_session sessions[VCRYPTO_SESSIONS];
	u64 opened;
	struct vcrypto_request requests[VCRYPTO_MAX_DEPTH];	/* by laccel_tag_index() */
};

/* Make a control request, and wipe its key.  A device that cannot be asked is lost. */
static bool vcrypto_ask(struct vcrypto *v, u32 key_length)
{
	struct virtqueue *vq = v->vqs[v->data_queues];
	struct vcrypto_request *r = &v->control, *answered = NULL;
	struct scatterlist head, answer, *sgs[] = { &head, &answer };
	unsigned int length;

	sg_init_one(&head, &r->control, sizeof(r->control) + key_length);
	sg_init_one(&answer, &r->opened, sizeof(r->opened));
	if (!virtqueue_add_sgs(vq, sgs, 1, 1, r, GFP_KERNEL) && virtqueue_kick(vq))
		read_poll_timeout(virtqueue_get_buf, answered, answered || virtqueue_is_broken(vq),
				  20, VCRYPTO_TIMEOUT_US, false, vq, &length);
	if (!answered) {
		virtio_break_device(v->vdev);
		laccel_device_lost(&v->ldev);
	}
	memzero_explicit(r->key, sizeof(r->key));
	return answered;
}

static bool vcrypto_cut(struct laccel_device *ldev)
{
	struct vcrypto *v = container_of(ldev, struct vcrypto, ldev);
	struct virtqueue *vq;
	unsigned long flags;

	/* Nothing is added to a queue once this has taken the locks. */
	virtio_break_device(v->vdev);
	guard(mutex)(&v->control_lock);
	virtio_reset_device(v->vdev);
	spin_lock_irqsave(&v->lock, flags);
	virtio_device_for_each_vq(v->vdev, vq)
		while (virtqueue_detach_unused_buf(vq))
			;
	spin_unlock_irqrestore(&v->lock, flags);
	return true;
}

/* QEMU announces fewer modes than it has, so leave it to the device to refuse one. */
static enum laccel_status vcrypto_open(struct laccel_device *ldev, struct laccel_slice *slice)
{
	struct vcrypto *v = container_of(ldev, struct vcrypto, ldev);
	u64 mode = slice->value & ~(u64)LACCEL_VCRYPTO_DECRYPT;
	bool decrypt = slice->value & LACCEL_VCRYPTO_DECRYPT;
	struct sg_table *key = laccel_slice_sg(slice, LACCEL_SRC);
	struct vcrypto_session *s, *closed = NULL;
	unsigned int mine = 0;

	slice->value = 0;
	if (mode < LACCEL_VCRYPTO_ECB || mode > LACCEL_VCRYPTO_CTR ||
	    aes_check_keylen(slice->length))
		return LACCEL_BAD_FIELD;
	if (!key)
		return LACCEL_DEVICE_ERROR;

	guard(mutex)(&v->control_lock);
	for (s = v->sessions; s < v->sessions + VCRYPTO_SESSIONS; s++) {
		mine += s->number && s->client == slice->client;
		closed = s->number ? closed : s;
	}
	if (!closed || mine >= VCRYPTO_SESSIONS / 8)
		return LACCEL_NO_RESOURCES;

	v->control.control = (struct virtio_crypto_op_ctrl_req){
		.header.opcode = cpu_to_le32(VIRTIO_CRYPTO_CIPHER_CREATE_SESSION),
		.header.algo = cpu_to_le32(mode),
		.u.sym_create_session.op_type = cpu_to_le32(VIRTIO_CRYPTO_SYM_OP_CIPHER),
		.u.sym_create_session.u.cipher.para = {
			.algo = cpu_to_le32(mode),
			.keylen = cpu_to_le32(slice->length),
			.op = cpu_to_le32(decrypt ? VIRTIO_CRYPTO_OP_DECRYPT :
					  VIRTIO_CRYPTO_OP_ENCRYPT),
		},
	};
	v->control.opened.status = cpu_to_le32(VIRTIO_CRYPTO_ERR);
	sg_copy_to_buffer(key->sgl, key->orig_nents, v->control.key, slice->length);
	if (!vcrypto_ask(v, slice->length))
		return LACCEL_DEVICE_ERROR;
	if (v->control.opened.status != cpu_to_le32(VIRTIO_CRYPTO_OK))
		return LACCEL_VCRYPTO_REFUSED;

	slice->value = ++v->opened * VCRYPTO_SESSIONS + (closed - v->sessions);
	*closed = (struct vcrypto_session){ slice->value, slice->client,
					    v->control.opened.session_id, mode, decrypt };
	return LACCEL_OK;
}

static void vcrypto_end(struct vcrypto *v, struct vcrypto_session *s)
{
	v->control.control = (struct virtio_crypto_op_ctrl_req){
		.header.opcode = cpu_to_le32(VIRTIO_CRYPTO_CIPHER_DESTROY_SESSION),
		.u.destroy_session.session_id = s->id,
	};
	vcrypto_ask(v, 0);
	s->number = 0;
}

static void vcrypto_client_end(struct laccel_device *ldev, struct laccel_client *client)
{
	struct vcrypto *v = container_of(ldev, struct vcrypto, ldev);
	struct vcrypto_session *s;

	guard(mutex)(&v->control_lock);
	for (s = v->sessions; s < v->sessions + VCRYPTO_SESSIONS; s++)
		if (s->number && s->client == client)
			vcrypto_end(v, s);
}

static struct vcrypto_session *vcrypto_find(struct vcrypto *v, struct laccel_slice *slice)
{
	struct vcrypto_session *s = &v->sessions[slice->value % VCRYPTO_SESSIONS];

	return slice->value && s->number == slice->value && s->client == slice->client ? s : NULL;
}

/* The device may give the id to another session: no request may still be on its way with it. */
static enum laccel_status vcrypto_close(struct laccel_device *ldev, struct laccel_slice *slice)
{
	struct vcrypto *v = container_of(ldev, struct vcrypto, ldev);
	struct vcrypto_session *s = vcrypto_find(v, slice);

	slice->value = 0;
	if (!s)
		return LACCEL_BAD_FIELD;
	if (atomic_read(&s->busy))
		return LACCEL_VCRYPTO_BUSY;
	guard(mutex)(&v->control_lock);
	vcrypto_end(v, s);
	return LACCEL_OK;
}

/* Set the IV with which the session goes on: CBC's is the last block of the ciphertext. */
static void vcrypto_go_on(struct vcrypto_session *s, struct laccel_slice *slice,
			  struct sg_table *ciphertext)
{
	u64 blocks = slice->length / AES_BLOCK_SIZE;
	__be64 *counter = (__be64 *)slice->params;

	if (s->mode == LACCEL_VCRYPTO_CBC)
		sg_pcopy_to_buffer(ciphertext->sgl, ciphertext->orig_nents, slice->params,
				   AES_BLOCK_SIZE, slice->length - AES_BLOCK_SIZE);
	if (s->mode != LACCEL_VCRYPTO_CTR)
		return;

	be64_add_cpu(&counter[1], blocks);
	if (be64_to_cpu(counter[1]) < blocks)
		be64_add_cpu(&counter[0], 1);
}

/* The session may have been closed since the slice before: all slices have its number. */
static enum laccel_status vcrypto_crypt(struct laccel_device *ldev, struct laccel_slice *slice)
{
	struct vcrypto *v = container_of(ldev, struct vcrypto, ldev);
	struct sg_table *src = laccel_slice_sg(slice, LACCEL_SRC);
	struct sg_table *dst = laccel_slice_sg(slice, LACCEL_DST);
	struct vcrypto_session *s = vcrypto_find(v, slice);
	u32 iv_length, i = laccel_tag_index(slice->tag);
	struct vcrypto_request *r = &v->requests[i];
	struct virtqueue *vq = v->vqs[i % v->data_queues];
	struct scatterlist head, status, *sgs[] = { &head, NULL, NULL, &status };
	unsigned long flags;
	int ret;

	if (!s)
		return slice->offset ? LACCEL_DEVICE_ERROR : LACCEL_BAD_FIELD;
	if (!slice->length)
		return LACCEL_OK;
	if (!src || !dst)
		return LACCEL_DEVICE_ERROR;

	iv_length = s->mode == LACCEL_VCRYPTO_ECB ? 0 : AES_BLOCK_SIZE;
	*r = (struct vcrypto_request){
		.slice = slice, .session = s, .dst = dst, .status = VIRTIO_CRYPTO_ERR,
		.data.header.opcode = cpu_to_le32(s->decrypt ? VIRTIO_CRYPTO_CIPHER_DECRYPT :
						  VIRTIO_CRYPTO_CIPHER_ENCRYPT),
		.data.header.session_id = s->id,
		.data.u.sym_req.op_type = cpu_to_le32(VIRTIO_CRYPTO_SYM_OP_CIPHER),
		.data.u.sym_req.u.cipher.para = {
			.iv_len = cpu_to_le32(iv_length),
			.src_data_len = cpu_to_le32(slice->length),
			.dst_data_len = cpu_to_le32(slice->length),
		},
	};
	memcpy(r->key, slice->params, AES_BLOCK_SIZE);
	if (s->decrypt)
		vcrypto_go_on(s, slice, src);

	sg_init_one(&head, &r->data, sizeof(r->data) + iv_length);
	sg_init_one(&status, &r->status, sizeof(r->status));
	sgs[1] = src->sgl;
	sgs[2] = dst->sgl;
	spin_lock_irqsave(&v->lock, flags);
	ret = virtqueue_add_sgs(vq, sgs, 2, 2, r, GFP_ATOMIC);
	if (!ret) {
		atomic_inc(&s->busy);
		virtqueue_kick(vq);
	}
	spin_unlock_irqrestore(&v->lock, flags);
	return ret ? LACCEL_DEVICE_ERROR : LACCEL_IN_PROGRESS;
}

/* Ignore the length that the device reports: behind an IOMMU, QEMU 7.2 loses some. */
static void vcrypto_done(struct virtqueue *vq)
{
	struct vcrypto *v = vq->vdev->priv;
	struct vcrypto_request *r;
	unsigned int length;
	unsigned long flags;

	spin_lock_irqsave(&v->lock, flags);
	while ((r = virtqueue_get_buf(vq, &length))) {
		if (!r->session->decrypt)
			vcrypto_go_on(r->session, r->slice, r->dst);
		atomic_dec(&r->session->busy);
		laccel_slice_done(&v->ldev, r->slice->tag, r->status == VIRTIO_CRYPTO_OK ?
				  LACCEL_OK : LACCEL_DEVICE_ERROR);
	}
	spin_unlock_irqrestore(&v->lock, flags);
}

static const struct laccel_ops vcrypto_ops = {
	.vendor = LACCEL_VCRYPTO_VENDOR,
	.vendor_version = LACCEL_VCRYPTO_VERSION,
	.execute = {
		[LACCEL_OP_COPY] = { .step = laccel_copy_step },
		[LACCEL_VCRYPTO_OP_OPEN] = { .slice = vcrypto_open, .format = {
			.reads = LACCEL_FIELD_SRC, .numbers = LACCEL_FIELD_ARG0,
			.traits = LACCEL_COMMAND_WHOLE, .max_length = AES_MAX_KEY_SIZE } },
		[LACCEL_VCRYPTO_OP_CRYPT] = { .slice = vcrypto_crypt, .format = {
			.reads = LACCEL_FIELD_SRC, .writes = LACCEL_FIELD_DST,
			.numbers = LACCEL_FIELD_ARG0, .traits = LACCEL_COMMAND_PARAMS_WRITTEN,
			.params = AES_BLOCK_SIZE, .granularity = AES_BLOCK_SIZE } },
		[LACCEL_VCRYPTO_OP_CLOSE] = { .slice = vcrypto_close, .format = {
			.numbers = LACCEL_FIELD_ARG0 } },
	},
	.client_end = vcrypto_client_end,
	.cut = vcrypto_cut,
};

static int vcrypto_start(struct vcrypto *v)
{
	struct virtqueue_info info[VCRYPTO_MAX_QUEUES + 1] = {};
	u64 max_size;
	u32 i;
	int ret;

	virtio_cread_le(v->vdev, struct virtio_crypto_config, max_size, &max_size);
	virtio_cread_le(v->vdev, struct virtio_crypto_config, max_dataqueues, &v->data_queues);
	if (max_size < 2 * VCRYPTO_MAX_SLICE + AES_BLOCK_SIZE || !v->data_queues ||
	    v->data_queues > VCRYPTO_MAX_QUEUES)
		return -ENODEV;

	for (i = 0; i < v->data_queues; i++)
		info[i] = (struct virtqueue_info){ "data", vcrypto_done };
	info[i].name = "control";
	ret = virtio_find_vqs(v->vdev, i + 1, v->vqs, info, NULL);
	if (!ret)
		virtio_device_ready(v->vdev);
	return ret;
}

static void vcrypto_stop(struct vcrypto *v)
{
	vcrypto_cut(&v->ldev);
	v->vdev->config->del_vqs(v->vdev);
}

static int vcrypto_probe(struct virtio_device *vdev)
{
	struct vcrypto *v = laccel_alloc(&vdev->dev, &vcrypto_ops, struct vcrypto, ldev);
	int ret;

	if (!v)
		return -ENOMEM;

	vdev->priv = v;
	v->vdev = vdev;
	spin_lock_init(&v->lock);
	mutex_init(&v->control_lock);

	ret = vcrypto_start(v);
	if (ret)
		goto err_put;

	v->ldev.max_slice = VCRYPTO_MAX_SLICE;
	v->ldev.depth = min_t(u32, VCRYPTO_MAX_DEPTH, v->data_queues *
			      (virtqueue_get_vring_size(v->vqs[0]) / VCRYPTO_DESCRIPTORS));
	ret = laccel_register(&v->ldev);
	if (ret)
		goto err_stop;
	return 0;

err_stop:
	vcrypto_stop(v);
err_put:
	laccel_put(&v->ldev);
	return ret;
}

/* Stop the device last: slices in progress and the ends of clients need it. */
static void vcrypto_remove(struct virtio_device *vdev)
{
	struct vcrypto *v = vdev->priv;

	laccel_unregister(&v->ldev);
	vcrypto_stop(v);
	laccel_put(&v->ldev);
}

static int vcrypto_freeze(struct virtio_device *vdev)
{
	struct vcrypto *v = vdev->priv;

	laccel_down(&v->ldev);
	vcrypto_stop(v);
	return 0;
}

static int vcrypto_restore(struct virtio_device *vdev)
{
	struct vcrypto *v = vdev->priv;
	int ret = vcrypto_start(v);

	if (!ret)
		laccel_up(&v->ldev);
	return ret;
}

static const struct virtio_device_id vcrypto_ids[] = {
	{ VIRTIO_ID_CRYPTO, VIRTIO_DEV_ANY_ID },
	{ }
};

static struct virtio_driver vcrypto_driver = {
	.driver.name = "lite_accel_vcrypto",
	.id_table = vcrypto_ids,
	.probe = vcrypto_probe,
	.remove = vcrypto_remove,
	.freeze = vcrypto_freeze,
	.restore = vcrypto_restore,
};
module_virtio_driver(vcrypto_driver);

MODULE_DESCRIPTION("Driver of the virtio crypto device, for lite-accel");
MODULE_AUTHOR("The lite-accel developers");
MODULE_LICENSE("GPL");
