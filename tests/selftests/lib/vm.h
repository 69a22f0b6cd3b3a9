/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control line to the host, through which a test unplugs the device or breaks it on
 * purpose; tests/vm/control lists the requests.  Functions that return int return 0 or a
 * negative errno.
 */
#ifndef VM_H
#define VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool vm_present(void);
int vm_ask(const char *request, char *answer, size_t room);
int vm_set(const char *property, uint64_t value);
int vm_switch(const char *property, bool on);
int vm_ask_monitor(void);
int vm_unplug(void);
int vm_plug(void);
int vm_plug_with(const char *properties);
int vm_await_node(void);

/* Operations of root by the device's name on its bus, or by its module's. */
#define VM_BDF 64

int vm_write(const char *path, const char *text);
int vm_find(char *bdf, size_t room);
int vm_unbind(const char *bdf);
int vm_attach(const char *bdf);
int vm_bind(const char *bdf);
int vm_reset(const char *bdf);
int vm_module(char *name, size_t room);
int vm_load(const char *module);
int vm_load_with(const char *module, const char *parameters);
int vm_modprobe(const char *module);
int vm_unload(const char *module);

/* Ways in which a device goes while it is in use, each with its way back. */
enum removal { UNBIND, UNPLUG, RESET };

int take_away(enum removal removal, const char *bdf);
int bring_back(enum removal removal, const char *bdf);

#endif /* VM_H */
