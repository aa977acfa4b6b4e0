/* The pools as they are before the first order, and when they are given more room. */
#include "touchline/core/shelf.h"

#include <assert.h>

void tl_pools_init(tl_pools *pools, uint32_t orders_max, uint32_t price_blocks_max,
                   uint32_t nodes_max)
{
    assert(orders_max <= TL_LEVEL_QUEUE);
    *pools = (tl_pools){.orders_max = orders_max,
                        .price_blocks_max = price_blocks_max,
                        .nodes_max = nodes_max,
                        .order_free = TL_NONE,
                        .block_free = TL_NONE,
                        .node_free = TL_NONE};
}

void tl_pools_grow(tl_pools *pools, uint32_t orders_max, uint32_t price_blocks_max,
                   uint32_t nodes_max)
{
    assert(orders_max >= pools->orders_max && orders_max <= TL_LEVEL_QUEUE);
    assert(price_blocks_max >= pools->price_blocks_max && nodes_max >= pools->nodes_max);
    pools->orders_max = orders_max;
    pools->price_blocks_max = price_blocks_max;
    pools->nodes_max = nodes_max;
}
