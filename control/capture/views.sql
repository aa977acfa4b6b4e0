-- The views of touchline.duckdb over the captured Parquet files. Prices are in currency and
-- quantities in units, as people read them; times are UTC. The name
-- in braces becomes the files' glob. The table instruments is filled before this runs.
-- docs/capture.md describes every column.

CREATE VIEW events AS
SELECT *, make_timestamp(ts_ns // 1000) AS transact_time
FROM read_parquet({events}, hive_partitioning = true, union_by_name = true);

CREATE VIEW trades AS
SELECT
    seq, transact_time, ts_ns, symbol,
    round(price * tick_size, price_decimals) AS price,
    round(qty * lot_size, qty_decimals) AS qty,
    side,
    order_id, coalesce(account_name, account::VARCHAR) AS account,
    contra_order_id, coalesce(contra_account_name, contra_account::VARCHAR) AS contra_account,
    date
FROM events JOIN instruments USING (instrument, symbol)
WHERE exec_type = 'TRADE';

CREATE VIEW executions AS
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

-- One row per accepted order. The life of an order is folded from what entered, changed, filled and
-- ended it; a trade is part of the life of two orders.
CREATE VIEW orders AS
WITH lives AS (
    SELECT
        order_id, seq, transact_time, exec_type, cl_ord_id, instrument, symbol,
        coalesce(account_name, account::VARCHAR) AS account,
        side, ord_type, time_in_force, price, qty, reason
    FROM events
    WHERE exec_type IN ('NEW', 'REPLACED', 'TRADE', 'CANCELED', 'EXPIRED')
    UNION ALL
    SELECT
        contra_order_id, seq, transact_time, exec_type, NULL, instrument, symbol,
        NULL, NULL, NULL, NULL, price, qty, NULL
    FROM events
    WHERE exec_type = 'TRADE'
),
folded AS (
    SELECT
        order_id,
        arg_max(cl_ord_id, seq) FILTER (exec_type IN ('NEW', 'REPLACED')) AS cl_ord_id,
        any_value(account) FILTER (exec_type = 'NEW') AS account,
        any_value(instrument) FILTER (exec_type = 'NEW') AS instrument,
        any_value(symbol) FILTER (exec_type = 'NEW') AS symbol,
        any_value(side) FILTER (exec_type = 'NEW') AS side,
        any_value(ord_type) FILTER (exec_type = 'NEW') AS ord_type,
        any_value(time_in_force) FILTER (exec_type = 'NEW') AS time_in_force,
        arg_max(price, seq) FILTER (exec_type IN ('NEW', 'REPLACED')) AS price,
        arg_max(qty, seq) FILTER (exec_type IN ('NEW', 'REPLACED')) AS order_qty,
        coalesce(sum(qty) FILTER (exec_type = 'TRADE'), 0) AS cum_qty,
        sum(price * qty) FILTER (exec_type = 'TRADE') AS cum_value,
        any_value(exec_type) FILTER (exec_type IN ('CANCELED', 'EXPIRED')) AS ended,
        any_value(reason) FILTER (exec_type IN ('CANCELED', 'EXPIRED')) AS reason,
        min(transact_time) AS first_time,
        max(transact_time) AS last_time
    FROM lives
    GROUP BY order_id
)
SELECT
    order_id, cl_ord_id, account, symbol, side, ord_type, time_in_force,
    round(price * tick_size, price_decimals) AS price,
    round(order_qty * lot_size, qty_decimals) AS order_qty,
    round(cum_qty * lot_size, qty_decimals) AS cum_qty,
    CASE WHEN ended IS NULL THEN round((order_qty - cum_qty) * lot_size, qty_decimals) ELSE 0 END
        AS leaves_qty,
    round(cum_value / cum_qty * tick_size, price_decimals + 6) AS avg_px,
    CASE
        WHEN ended IS NOT NULL THEN ended
        WHEN cum_qty >= order_qty THEN 'FILLED'
        WHEN cum_qty > 0 THEN 'PARTIALLY_FILLED'
        ELSE 'NEW'
    END AS ord_status,
    reason, first_time, last_time
FROM folded JOIN instruments USING (instrument, symbol);

-- Bars of any width: FROM bars(INTERVAL 5 MINUTE).
CREATE MACRO bars(width) AS TABLE
SELECT
    symbol,
    time_bucket(width, transact_time) AS bar_time,
    round(arg_min(price, seq) * any_value(tick_size), any_value(price_decimals)) AS open,
    round(max(price) * any_value(tick_size), any_value(price_decimals)) AS high,
    round(min(price) * any_value(tick_size), any_value(price_decimals)) AS low,
    round(arg_max(price, seq) * any_value(tick_size), any_value(price_decimals)) AS close,
    round(sum(qty) * any_value(lot_size), any_value(qty_decimals)) AS volume,
    round(sum(price * qty) / sum(qty) * any_value(tick_size), any_value(price_decimals) + 6)
        AS vwap,
    count(*) AS trades
FROM events JOIN instruments USING (instrument, symbol)
WHERE exec_type = 'TRADE'
GROUP BY symbol, bar_time
ORDER BY symbol, bar_time;

CREATE VIEW bars_1m AS FROM bars(INTERVAL 1 MINUTE);

-- `value` and `limit` are as the engine judged them: ticks, lots, or ticks times lots.
CREATE VIEW refusals AS
SELECT
    seq, transact_time, ts_ns, exec_type, reason,
    coalesce(account_name, account::VARCHAR) AS account,
    coalesce(symbol, instrument::VARCHAR) AS symbol,
    side, ord_type, time_in_force, cl_ord_id, order_id, value, "limit", date
FROM events
WHERE exec_type IN ('REJECTED', 'CANCEL_REJECTED');

CREATE VIEW refusals_by_reason AS
SELECT reason, exec_type, count(*) AS refusals, min(transact_time) AS first_time,
    max(transact_time) AS last_time
FROM refusals
GROUP BY reason, exec_type
ORDER BY refusals DESC, reason, exec_type;
