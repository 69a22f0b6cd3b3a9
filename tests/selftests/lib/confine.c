// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine.h"

#define NOBODY	65534

/* Trap instead of killing, to keep the kernel's log clean; no program here handles the signal. */
static int filter(unsigned int nr, unsigned int if_it, unsigned int if_not)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, if_it),
		BPF_STMT(BPF_RET | BPF_K, if_not),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return -errno;

	return 0;
}

int confine_from(int nr)
{
	return filter(nr, SECCOMP_RET_TRAP, SECCOMP_RET_ALLOW);
}

int confine_to_memory(void)
{
	return filter(SYS_exit_group, SECCOMP_RET_ALLOW, SECCOMP_RET_TRAP);
}

int confine_user(size_t memlock)
{
	struct rlimit limit = { memlock, memlock };

	if (setrlimit(RLIMIT_MEMLOCK, &limit))
		return -errno;
	if (!geteuid() && setresuid(NOBODY, NOBODY, NOBODY))
		return -errno;

	return 0;
}
