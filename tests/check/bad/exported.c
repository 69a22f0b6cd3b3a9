// SPDX-License-Identifier: GPL-2.0-only
EXPORT_SYMBOL_GPL(laccel_without_kernel_doc);
