/* Namespaces and a veth pair, made by iproute2's `ip`. */
#define _GNU_SOURCE
#include "ports_veth.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int current(void)
{
    const int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int made(int *fd)
{
    if (unshare(CLONE_NEWNET) != 0)
        return -errno;
    *fd = current();
    return *fd < 0 ? *fd : 0;
}

static int run(const char *command)
{
    return system(command) == 0 ? 0 : -EIO;
}

static int plug(veth *self)
{
    char command[256];
    snprintf(command, sizeof command,
             "ip link add " VETH_NAME " type veth peer name " VETH_NAME " netns /proc/%d/fd/%d",
             (int)getpid(), self->side[1]);
    int rc = veth_enter(self, 0);
    if (rc == 0)
        rc = run(command);
    if (rc == 0)
        rc = run("ip addr add " VETH_NEAR "/24 dev " VETH_NAME " && ip link set " VETH_NAME
                 " up && ip link set lo up");
    if (rc == 0)
        rc = veth_enter(self, 1);
    if (rc == 0)
        rc = run("ip addr add " VETH_FAR "/24 dev " VETH_NAME " && ip link set " VETH_NAME
                 " up && ip link set lo up");
    return rc;
}

int veth_open(veth *self)
{
    *self = (veth){.home = current(), .side = {-1, -1}};
    int rc = self->home < 0 ? self->home : made(&self->side[0]);
    if (rc == 0)
        rc = made(&self->side[1]);
    if (rc == 0)
        rc = plug(self);
    const int back = self->side[0] < 0 ? 0 : veth_leave(self);
    if (rc != 0 || back != 0)
        veth_close(self);
    return rc != 0 ? rc : back;
}

int veth_enter(const veth *self, int side)
{
    return setns(self->side[side], CLONE_NEWNET) == 0 ? 0 : -errno;
}

int veth_leave(const veth *self)
{
    return setns(self->home, CLONE_NEWNET) == 0 ? 0 : -errno;
}

void veth_close(veth *self)
{
    for (int i = 0; i < 2; i++) {
        if (self->side[i] >= 0)
            close(self->side[i]);
    }
    if (self->home >= 0)
        close(self->home);
}
