-- The views over captured Parquet files, beside `events` and the table `instruments`, which
-- history_views.py makes. Prices are in currency and quantities in units, as people read them;
-- times are UTC. An instrument or account without a name goes by its number.
-- docs/capture.md describes every column.

CREATE OR REPLACE VIEW trades AS
SELECT
    seq, transact_time, ts_ns,
    coalesce(symbol, instrument::VARCHAR) AS symbol,
    price_in_currency AS price, qty_in_units AS qty, side,
    order_id, coalesce(account_name, account::VARCHAR) AS account,
    contra_order_id, coalesce(contra_account_name, contra_account::VARCHAR) AS contra_account,
    date
FROM events
WHERE exec_type = 'TRADE';

-- The best bid and offer after each event that changed them, told by the capture.
CREATE OR REPLACE VIEW touch AS
SELECT
    seq, transact_time, ts_ns,
    coalesce(events.symbol, instrument::VARCHAR) AS symbol,
    round(bid_price * coalesce(tick_size, 1), coalesce(price_decimals, 0)) AS bid_px,
    round(bid_qty * coalesce(lot_size, 1), coalesce(qty_decimals, 0)) AS bid_qty,
    round(ask_price * coalesce(tick_size, 1), coalesce(price_decimals, 0)) AS ask_px,
    round(ask_qty * coalesce(lot_size, 1), coalesce(qty_decimals, 0)) AS ask_qty,
    date
FROM events LEFT JOIN instruments USING (instrument)
WHERE touch_changed;

CREATE OR REPLACE VIEW executions AS
SELECT
    seq, transact_time, ts_ns, symbol, order_id, account, side,
    'TAKER' AS liquidity, price AS last_px, qty AS last_qty,
    contra_order_id, contra_account, date
FROM trades
UNION ALL
SELECT
    seq, transact_time, ts_ns, symbol, contra_order_id, contra_account,
    CASE side WHEN 'BUY' THEN 'SELL' ELSE 'BUY' END,
    'MAKER', price, qty,
    order_id, account, date
FROM trades;

-- What auctions would come to, while they last, and what they have come to.
CREATE OR REPLACE VIEW auctions AS
SELECT
    seq, transact_time, ts_ns,
    coalesce(events.symbol, instrument::VARCHAR) AS symbol,
    exec_type, price_in_currency AS price, qty_in_units AS volume,
    round(leaves_qty * coalesce(lot_size, 1), coalesce(qty_decimals, 0)) AS surplus,
    side, date
FROM events LEFT JOIN instruments USING (instrument)
WHERE exec_type IN ('INDICATIVE', 'UNCROSSED');

-- One row per accepted order. The life of an order is folded from what entered, changed, filled and
-- ended it; a trade, or what is less instead of one, is part of the life of two orders. Nothing is
-- materialised on the way, so that a question about one order reads the files that may hold it.
CREATE OR REPLACE VIEW orders AS
WITH lives AS NOT MATERIALIZED (
    SELECT
        order_id, seq, transact_time, exec_type, cl_ord_id, instrument, symbol,
        coalesce(account_name, account::VARCHAR) AS account,
        side, ord_type, time_in_force, price, qty, price_in_currency, qty_in_units, reason
    FROM events
    WHERE exec_type IN ('NEW', 'REPLACED', 'TRADE', 'DECREMENTED', 'CANCELED', 'EXPIRED')
    UNION ALL
    SELECT
        contra_order_id, seq, transact_time, exec_type, NULL, instrument, symbol,
        NULL, NULL, NULL, NULL, price, qty, price_in_currency, qty_in_units, reason
    FROM events
    WHERE exec_type IN ('TRADE', 'DECREMENTED')
),
folded AS NOT MATERIALIZED (
    SELECT
        order_id,
        arg_max(cl_ord_id, seq) FILTER (exec_type IN ('NEW', 'REPLACED')) AS cl_ord_id,
        any_value(account) FILTER (exec_type = 'NEW') AS account,
        any_value(instrument) FILTER (exec_type = 'NEW') AS instrument,
        any_value(symbol) FILTER (exec_type = 'NEW') AS symbol,
        any_value(side) FILTER (exec_type = 'NEW') AS side,
        any_value(ord_type) FILTER (exec_type = 'NEW') AS ord_type,
        any_value(time_in_force) FILTER (exec_type = 'NEW') AS time_in_force,
        arg_max(price_in_currency, seq) FILTER (exec_type IN ('NEW', 'REPLACED')) AS price,
        max(seq) FILTER (exec_type IN ('NEW', 'REPLACED')) AS said,
        list({'seq': seq, 'qty': qty}) FILTER (exec_type = 'DECREMENTED') AS lessened,
        arg_max(qty, seq) FILTER (exec_type IN ('NEW', 'REPLACED')) AS order_lots,
        coalesce(sum(qty) FILTER (exec_type = 'TRADE'), 0) AS cum_lots,
        sum(price * qty::HUGEINT) FILTER (exec_type = 'TRADE') AS cum_value,
        any_value(exec_type) FILTER (exec_type IN ('CANCELED', 'EXPIRED')) AS ended,
        arg_max(exec_type, seq) AS last_type,
        arg_max(reason, seq) FILTER (exec_type IN ('CANCELED', 'EXPIRED', 'DECREMENTED'))
            AS reason,
        min(transact_time) AS first_time,
        max(transact_time) AS last_time
    FROM lives
    GROUP BY order_id
),
-- An OrderQty that was said anew is less by nothing that was before.
counted AS NOT MATERIALIZED (
    SELECT
        * EXCLUDE (order_lots, lessened, said),
        order_lots - coalesce(list_sum([x.qty for x in lessened if x.seq > said]), 0)::BIGINT
            AS order_lots
    FROM folded
)
SELECT
    order_id, cl_ord_id, account,
    coalesce(counted.symbol, counted.instrument::VARCHAR) AS symbol,
    side, ord_type, time_in_force, price,
    round(order_lots * coalesce(lot_size, 1), coalesce(qty_decimals, 0)) AS order_qty,
    round(cum_lots * coalesce(lot_size, 1), coalesce(qty_decimals, 0)) AS cum_qty,
    CASE
        WHEN ended IS NOT NULL THEN 0
        ELSE round((order_lots - cum_lots) * coalesce(lot_size, 1), coalesce(qty_decimals, 0))
    END AS leaves_qty,
    round(cum_value / cum_lots * coalesce(tick_size, 1), coalesce(price_decimals, 0) + 6)
        AS avg_px,
    CASE
        WHEN ended IS NOT NULL THEN ended
        WHEN last_type = 'DECREMENTED' AND cum_lots >= order_lots THEN 'CANCELED'
        WHEN cum_lots >= order_lots THEN 'FILLED'
        WHEN cum_lots > 0 THEN 'PARTIALLY_FILLED'
        ELSE 'NEW'
    END AS ord_status,
    CASE WHEN ended IS NOT NULL OR cum_lots >= order_lots THEN reason END AS reason,
    first_time, last_time
FROM counted LEFT JOIN instruments USING (instrument);

-- Bars of any width: FROM bars(INTERVAL 5 MINUTE).
CREATE OR REPLACE MACRO bars(width) AS TABLE
SELECT
    coalesce(any_value(events.symbol), instrument::VARCHAR) AS symbol,
    time_bucket(width, transact_time) AS bar_time,
    arg_min(price_in_currency, seq) AS open,
    max(price_in_currency) AS high,
    min(price_in_currency) AS low,
    arg_max(price_in_currency, seq) AS close,
    round(
        sum(qty) * coalesce(any_value(lot_size), 1), coalesce(any_value(qty_decimals), 0)
    ) AS volume,
    round(
        sum(price * qty::HUGEINT) / sum(qty) * coalesce(any_value(tick_size), 1),
        coalesce(any_value(price_decimals), 0) + 6
    ) AS vwap,
    count(*) AS trades
FROM events LEFT JOIN instruments USING (instrument)
WHERE exec_type = 'TRADE'
GROUP BY instrument, bar_time
ORDER BY symbol, bar_time;

CREATE OR REPLACE VIEW bars_1m AS FROM bars(INTERVAL 1 MINUTE);

-- `value` and `limit` are as the engine judged them: ticks, lots, or ticks times lots.
CREATE OR REPLACE VIEW refusals AS
SELECT
    seq, transact_time, ts_ns, exec_type, reason,
    coalesce(account_name, account::VARCHAR) AS account,
    coalesce(symbol, instrument::VARCHAR) AS symbol,
    side, ord_type, time_in_force, cl_ord_id, order_id, value, "limit", date
FROM events
WHERE exec_type IN ('REJECTED', 'CANCEL_REJECTED');

CREATE OR REPLACE VIEW refusals_by_reason AS
SELECT reason, exec_type, count(*) AS refusals, min(transact_time) AS first_time,
    max(transact_time) AS last_time
FROM refusals
GROUP BY reason, exec_type
ORDER BY refusals DESC, reason, exec_type;
