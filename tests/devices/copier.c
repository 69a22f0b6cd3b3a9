// SPDX-License-Identifier: GPL-2.0-only
/*
 * A minimal device: it copies, and is on a bus other than PCI.  The tests may require of
 * every device only what they require of this one.
 */
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/sizes.h>

#include <lite_accel/driver.h>

struct copier {
	struct laccel_device ldev;
};

static const struct laccel_ops copier_ops = {
	.execute = { [LACCEL_OP_COPY] = { .step = laccel_copy_step } },
};

static int copier_probe(struct platform_device *pdev)
{
	struct copier *copier = laccel_alloc(&pdev->dev, &copier_ops, struct copier, ldev);
	int ret;

	if (!copier)
		return -ENOMEM;

	copier->ldev.max_slice = SZ_64K;
	platform_set_drvdata(pdev, copier);
	ret = laccel_register(&copier->ldev);
	if (ret)
		laccel_put(&copier->ldev);
	return ret;
}

static void copier_remove(struct platform_device *pdev)
{
	struct copier *copier = platform_get_drvdata(pdev);

	laccel_unregister(&copier->ldev);
	laccel_put(&copier->ldev);
}

static struct platform_driver copier_driver = {
	.driver.name = "lite_accel_copier",
	.probe = copier_probe,
	.remove = copier_remove,
};

static struct platform_device *copier_device;

static int __init copier_init(void)
{
	int ret = platform_driver_register(&copier_driver);

	if (ret)
		return ret;
	copier_device = platform_device_register_simple("lite_accel_copier", PLATFORM_DEVID_NONE,
							NULL, 0);
	if (IS_ERR(copier_device))
		platform_driver_unregister(&copier_driver);
	return PTR_ERR_OR_ZERO(copier_device);
}
module_init(copier_init);

static void __exit copier_exit(void)
{
	platform_device_unregister(copier_device);
	platform_driver_unregister(&copier_driver);
}
module_exit(copier_exit);

MODULE_DESCRIPTION("Accelerator that only copies, for lite-accel's tests");
MODULE_AUTHOR("The lite-accel developers");
MODULE_LICENSE("GPL");
