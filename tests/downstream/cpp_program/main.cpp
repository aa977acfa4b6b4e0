/* A C++ program that trades with touchline::core: an engine and a sink held by RAII, the public
 * headers of every room in one file, a bus whose atomics are std::atomic here. argv[1]: the bus. */
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <vector>

#include "touchline/core/book.h"
#include "touchline/core/engine.h"
#include "touchline/core/messages.h"
#include "touchline/core/risk.h"
#include "touchline/measure/measure.h"
#include "touchline/runtime/bus.h"
#include "touchline/runtime/journal.h"
#include "touchline/runtime/runner.h"

namespace {

struct close_engine {
    void operator()(tl_engine *engine) const { tl_engine_close(engine); }
};

class venue {
public:
    explicit venue(const tl_engine_capacities &capacities) : events(1024)
    {
        tl_engine *opened = nullptr;
        if (tl_engine_open(&opened, &capacities) != 0)
            throw std::runtime_error("capacities");
        engine.reset(opened);
        sink = tl_event_sink{events.data(), events.size() - 1, 0};
    }

    /* Does one command; prints its events. */
    void step(const tl_command &cmd)
    {
        const auto first = sink.next;
        tl_engine_step(engine.get(), &cmd, &sink);
        for (auto i = first; i < sink.next; i++) {
            const tl_event &event = events[i & sink.mask];
            std::printf("%llu %c qty=%u price=%lld\n",
                        static_cast<unsigned long long>(event.seq), event.exec_type, event.qty,
                        static_cast<long long>(event.price));
        }
    }

    long long best(tl_side side) const
    {
        return tl_engine_best(engine.get(), 0, static_cast<std::uint8_t>(side));
    }

private:
    std::unique_ptr<tl_engine, close_engine> engine;
    std::vector<tl_event> events;
    tl_event_sink sink{};
};

tl_command order(std::uint32_t account, tl_side side, std::int64_t price, std::int64_t qty)
{
    tl_command cmd{};
    cmd.type = TL_MSG_TYPE_NEW_ORDER;
    cmd.account = account;
    cmd.side = static_cast<std::uint8_t>(side);
    cmd.ord_type = TL_ORD_TYPE_LIMIT;
    cmd.time_in_force = TL_TIME_IN_FORCE_DAY;
    cmd.price = price;
    cmd.qty = qty;
    return cmd;
}

void look_at_a_bus(const char *path)
{
    tl_bus_geometry geometry{};
    geometry.lanes = 2;
    geometry.lane_slots = 64;
    geometry.event_slots = 64;
    tl_bus *bus = nullptr;
    if (tl_bus_create(&bus, path, &geometry) != 0)
        throw std::runtime_error(path);
    std::printf("bus: events %llu, lanes %u\n",
                static_cast<unsigned long long>(bus->header->events.load()),
                bus->header->geometry.lanes);
    tl_bus_close(bus);
}

}  // namespace

int main(int argc, char **argv)
{
    venue venue({1, 2, 100, 10, 10});
    tl_command setup{};
    setup.type = TL_MSG_TYPE_SECURITY_DEFINITION;
    venue.step(setup);
    setup.type = TL_MSG_TYPE_ACCOUNT;
    venue.step(setup);
    setup.account = 1;
    venue.step(setup);
    venue.step(order(0, TL_SIDE_SELL, 101, 10));
    venue.step(order(1, TL_SIDE_BUY, 101, 4));
    std::printf("best ask %lld, best bid %lld\n", venue.best(TL_SIDE_SELL),
                venue.best(TL_SIDE_BUY));
    if (argc > 1)
        look_at_a_bus(argv[1]);
}
