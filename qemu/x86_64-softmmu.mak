# SPDX-License-Identifier: GPL-2.0-only
#
# Devices of our QEMU: a q35 machine with its IOMMU, devices for the host's
# files and the console, and the accelerators.
CONFIG_Q35=y
CONFIG_VTD=y
CONFIG_PCIE_PORT=y
CONFIG_XIO3130=y
CONFIG_VIRTIO_PCI=y
CONFIG_VIRTIO_9P=y
CONFIG_VIRTIO_SERIAL=y
CONFIG_VIRTIO_CRYPTO=y
CONFIG_EDU=y
CONFIG_PCI_TESTDEV=y
CONFIG_LITE_ACCEL=y
