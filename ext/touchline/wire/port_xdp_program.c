/* The XDP program of a port, written out as instructions: no compiler and no library is needed to
 * make a few comparisons. A bpf_link holds it, so it is gone with its last descriptor, whether the
 * port was closed or its process killed. Linux 5.9 and later. */
#define _GNU_SOURCE
#include "touchline/wire/port_xdp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where the parts of the program below stand. */
#define REDIRECT_AT 19
#define PASS_AT 25
#define ARP_AT 27

static int bpf(enum bpf_cmd command, union bpf_attr *attr, size_t size)
{
    const long rc = syscall(SYS_bpf, command, attr, (unsigned)size);
    return rc >= 0 ? (int)rc : -errno;
}

int tl_xdp_map(uint32_t queues)
{
    union bpf_attr attr = {.map_type = BPF_MAP_TYPE_XSKMAP,
                           .key_size = sizeof(uint32_t),
                           .value_size = sizeof(uint32_t),
                           .max_entries = queues};
    return bpf(BPF_MAP_CREATE, &attr, sizeof attr);
}

int tl_xdp_map_set(int map_fd, uint32_t queue, int socket_fd)
{
    union bpf_attr attr = {.map_fd = (uint32_t)map_fd,
                           .key = (uintptr_t)&queue,
                           .value = (uintptr_t)&socket_fd,
                           .flags = BPF_ANY};
    return bpf(BPF_MAP_UPDATE_ELEM, &attr, sizeof attr);
}

/* One instruction as the kernel reads it: code, registers to and from, offset, value. */
static uint64_t instruction(uint32_t code, uint32_t to, uint32_t from, int offset, uint32_t value)
{
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "registers lie low half first");
    return code | to << 8 | from << 12 | (uint64_t)(uint16_t)offset << 16 | (uint64_t)value << 32;
}

/* How far the instruction `here` jumps. */
static int to(int target, int here)
{
    return target - here - 1;
}

static uint64_t load(uint32_t size, uint32_t to, uint32_t from, size_t offset)
{
    return instruction(BPF_LDX | size | BPF_MEM, to, from, (int)offset, 0);
}

static uint64_t jump(uint32_t when, uint32_t reg, uint32_t value, int offset)
{
    return instruction(BPF_JMP32 | when | BPF_K, reg, 0, offset, value);
}

static uint64_t copy(uint32_t to, uint32_t from)
{
    return instruction(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0);
}

static uint64_t set(uint32_t reg, uint32_t value)
{
    return instruction(BPF_ALU64 | BPF_MOV | BPF_K, reg, 0, 0, value);
}

int tl_xdp_program(int map_fd, const uint8_t ip[4], uint16_t port, bool arp)
{
    uint32_t address;
    memcpy(&address, ip, sizeof address);
    /* Registers: 6 the context, 2 and 3 the frame's begin and end, 5 what is looked at. Fields are
     * compared as they lie in memory. */
    const uint64_t code[] = {
        copy(BPF_REG_6, BPF_REG_1),
        load(BPF_W, BPF_REG_2, BPF_REG_1, offsetof(struct xdp_md, data)),
        load(BPF_W, BPF_REG_3, BPF_REG_1, offsetof(struct xdp_md, data_end)),
        copy(BPF_REG_4, BPF_REG_2),
        instruction(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_4, 0, 0, TL_FRAME_HEAD),
        instruction(BPF_JMP | BPF_JGT | BPF_X, BPF_REG_4, BPF_REG_3, to(PASS_AT, 5), 0),
        load(BPF_H, BPF_REG_5, BPF_REG_2, 12), /* 6: EtherType */
        jump(BPF_JEQ, BPF_REG_5, htons(0x0806), to(arp ? ARP_AT : PASS_AT, 7)),
        jump(BPF_JNE, BPF_REG_5, htons(0x0800), to(PASS_AT, 8)),
        load(BPF_B, BPF_REG_5, BPF_REG_2, 14), /* 9: no options */
        jump(BPF_JNE, BPF_REG_5, 0x45, to(PASS_AT, 10)),
        load(BPF_H, BPF_REG_5, BPF_REG_2, 20), /* 11: no fragment */
        jump(BPF_JSET, BPF_REG_5, htons(0x3FFF), to(PASS_AT, 12)),
        load(BPF_B, BPF_REG_5, BPF_REG_2, 23), /* 13: UDP */
        jump(BPF_JNE, BPF_REG_5, 17, to(PASS_AT, 14)),
        load(BPF_W, BPF_REG_5, BPF_REG_2, 30), /* 15: to our address */
        jump(BPF_JNE, BPF_REG_5, address, to(PASS_AT, 16)),
        load(BPF_H, BPF_REG_5, BPF_REG_2, 36), /* 17: and our port */
        jump(BPF_JNE, BPF_REG_5, htons(port), to(PASS_AT, 18)),
        load(BPF_W, BPF_REG_2, BPF_REG_6, offsetof(struct xdp_md, rx_queue_index)), /* 19 */
        instruction(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, (uint32_t)map_fd),
        0, /* the second half of the one before */
        set(BPF_REG_3, XDP_PASS), /* for a queue without a socket */
        instruction(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map),
        instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
        set(BPF_REG_0, XDP_PASS), /* 25 */
        instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
        load(BPF_W, BPF_REG_5, BPF_REG_2, 38), /* 27: ARP about us */
        jump(BPF_JNE, BPF_REG_5, address, to(PASS_AT, 28)),
        instruction(BPF_JMP | BPF_JA, 0, 0, to(REDIRECT_AT, 29), 0),
    };
    union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_XDP,
                           .expected_attach_type = BPF_XDP,
                           .insns = (uintptr_t)code,
                           .insn_cnt = arp ? sizeof code / sizeof *code : ARP_AT,
                           .license = (uintptr_t) "",
                           .prog_name = "touchline_port"};
    return bpf(BPF_PROG_LOAD, &attr, sizeof attr);
}

int tl_xdp_attach(int program_fd, int interface, bool generic)
{
    union bpf_attr attr = {
        .link_create = {.prog_fd = (uint32_t)program_fd,
                        .target_ifindex = (uint32_t)interface,
                        .attach_type = BPF_XDP,
                        .flags = generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE}};
    return bpf(BPF_LINK_CREATE, &attr, sizeof attr);
}
