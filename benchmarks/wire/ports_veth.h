/* Two network namespaces with a cable between them, for as long as this process holds them: they
 * have no names, so the kernel removes all of it with the last descriptor, however that ends. */
#ifndef TOUCHLINE_BENCH_PORTS_VETH_H
#define TOUCHLINE_BENCH_PORTS_VETH_H

#define VETH_NAME "veth0" /* at both ends */
#define VETH_NEAR "10.77.0.1"
#define VETH_FAR "10.77.0.2"

typedef struct veth {
    int home; /* the namespace this process came from */
    int side[2];
} veth;

/* 0 or -errno; -EPERM where namespaces are not allowed. */
int veth_open(veth *self);
/* The calling thread into one side, or back home. 0 or -errno. */
int veth_enter(const veth *self, int side);
int veth_leave(const veth *self);
void veth_close(veth *self);

#endif
