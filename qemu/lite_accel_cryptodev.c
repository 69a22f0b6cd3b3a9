/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A backend of QEMU's virtio-crypto for tests of drivers: the builtin one, with
 * several queues and large session numbers, that misbehaves when asked to
 *
 *   -object cryptodev-backend-lite-accel,id=ID,queues=N
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/host-utils.h"
#include "qemu/module.h"
#include "standard-headers/linux/virtio_crypto.h"
#include "system/cryptodev.h"
#include "compat.h"
#include "lite_accel_cryptodev.h"

#define TYPE_LITE_ACCEL_CRYPTODEV "cryptodev-backend-lite-accel"

/* Added to the builtin backend's numbers, which are small */
#define SESSION_BASE 0xfeedfacedead0000ull

static CryptoDevBackendClass *builtin;

/* Of all backends, because their struct is the builtin one's, and private */
static QTAILQ_HEAD(, CryptoDevBackendOpInfo) waiting =
    QTAILQ_HEAD_INITIALIZER(waiting);

static unsigned misdeed(const uint8_t *bytes, uint32_t length)
{
    size_t n = strlen(LITE_ACCEL_MISDEED);

    if (length <= n + 1 || memcmp(bytes, LITE_ACCEL_MISDEED, n)) {
        return 0;
    }
    return bytes[n];
}

static int status_in(const uint8_t *bytes)
{
    return -bytes[strlen(LITE_ACCEL_MISDEED) + 1];
}

static void cryptodev_init(CryptoDevBackend *backend, Error **errp)
{
    CryptoDevBackendPeers *peers = &backend->conf.peers;
    uint32_t queues = peers->queues;

    if (queues > MAX_CRYPTO_QUEUE_NUM) {
        error_setg(errp, "there are at most %d queues", MAX_CRYPTO_QUEUE_NUM);
        return;
    }

    /* The builtin backend insists on one, and does not look at it again */
    peers->queues = 1;
    builtin->init(backend, errp);
    peers->queues = queues;
}

static void store_status(void *opaque, int status)
{
    *(int *)opaque = status;
}

static int cryptodev_create_session(CryptoDevBackend *backend,
                                    CryptoDevBackendSessionInfo *info,
                                    uint32_t queue, CryptoDevCompletionFunc cb,
                                    void *opaque)
{
    CryptoDevBackendSymSessionInfo *sym = &info->u.sym_sess_info;
    int ret, status;

    if (info->op_code == VIRTIO_CRYPTO_CIPHER_CREATE_SESSION) {
        switch (misdeed(sym->cipher_key, sym->key_len)) {
        case LITE_ACCEL_HANG:
            return 0;
        case LITE_ACCEL_REFUSE:
            return status_in(sym->cipher_key);
        }
    }

    ret = builtin->create_session(backend, info, queue, store_status, &status);
    if (!ret) {
        info->session_id += SESSION_BASE;
        cb(opaque, status);
    }
    return ret;
}

static int cryptodev_close_session(CryptoDevBackend *backend, uint64_t id,
                                   uint32_t queue, CryptoDevCompletionFunc cb,
                                   void *opaque)
{
    return builtin->close_session(backend, id - SESSION_BASE, queue, cb,
                                  opaque);
}

static bool each_queue_waits(const CryptoDevBackend *backend)
{
    CryptoDevBackendOpInfo *op;
    uint64_t queues = 0;

    QTAILQ_FOREACH(op, &waiting, next) {
        queues |= 1ull << op->queue_index;
    }
    return ctpop64(queues) == backend->conf.peers.queues;
}

/* Answer all that wait, the last one first */
static void end_waiting(CryptoDevBackend *backend)
{
    CryptoDevBackendOpInfo *op;

    while ((op = QTAILQ_FIRST(&waiting))) {
        int ret;

        QTAILQ_REMOVE(&waiting, op, next);
        ret = builtin->do_op(backend, op);
        if (ret < 0) {
            op->cb(op->opaque, ret);
        }
    }
}

static int cryptodev_do_op(CryptoDevBackend *backend,
                           CryptoDevBackendOpInfo *op)
{
    op->session_id -= SESSION_BASE;
    if (op->algtype == QCRYPTODEV_BACKEND_ALGO_TYPE_SYM) {
        CryptoDevBackendSymOpInfo *sym = op->u.sym_op_info;

        switch (misdeed(sym->iv, sym->iv_len)) {
        case LITE_ACCEL_HANG:
            return 0;
        case LITE_ACCEL_REFUSE:
            return status_in(sym->iv);
        case LITE_ACCEL_WAIT:
            QTAILQ_INSERT_HEAD(&waiting, op, next);
            if (each_queue_waits(backend)) {
                end_waiting(backend);
            }
            return 0;
        }
    }

    return builtin->do_op(backend, op);
}

static void cryptodev_class_init(ObjectClass *oc, LiteAccelClassData *data)
{
    CryptoDevBackendClass *bc = CRYPTODEV_BACKEND_CLASS(oc);

    builtin = CRYPTODEV_BACKEND_CLASS(object_class_get_parent(oc));
    bc->init = cryptodev_init;
    bc->create_session = cryptodev_create_session;
    bc->close_session = cryptodev_close_session;
    bc->do_op = cryptodev_do_op;
}

static const TypeInfo cryptodev_info = {
    .name = TYPE_LITE_ACCEL_CRYPTODEV,
    .parent = "cryptodev-backend-builtin",
    .class_init = cryptodev_class_init,
};

static void register_types(void)
{
    type_register_static(&cryptodev_info);
}

type_init(register_types)
