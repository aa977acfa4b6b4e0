"""The configuration that `touchline init` writes: it runs as it stands and explains itself."""

TEMPLATE = """\
# touchline: the configuration of one venue.
#
# Any value can also come from the environment, TOUCHLINE_FIX__PORT=9900, or from a flag,
# `touchline --set fix.port=9900 run`. A flag wins over the environment, that over this file.
# Prices and quantities are written as people write them and are read exactly.

[venue]
name = "touchline"          # also names the shared memory, <run_dir>/touchline-<name>.bus
data_dir = "data"           # journal, captured events, FIX stores, log; from this file's directory
# run_dir = "/dev/shm"      # where the shared memory lives

[engine]                    # fixed for the life of a journal
instruments_max = 16
accounts_max = 64
orders_max = 65536          # resting at one time
positions_max = 1024        # pairs of account and instrument
price_blocks_max = 4096           # blocks of 32 prices with resting orders, over all instruments
wait = "park"               # park: sleeps when idle; yield, spin: faster, and keep a core busy
sync = "none"               # none: the system writes the journal back; batch: fdatasync first
segment_mb = 64             # size of a journal file
# cpu = 2                   # keep the engine's thread to this processor
# clock_step_max_s = 60     # the host's clock may step so far and is believed
# indicative_ms = 1000      # how often an auction says what it would come to; 0: when asked

[fix]
enabled = true
host = "127.0.0.1"
port = 9878
comp_id = "TOUCHLINE"       # brokers send to this TargetCompID
heartbeat_s = 30

[publish]                   # market data over ZeroMQ
enabled = true
host = "127.0.0.1"
pub_port = 5556
snapshot_port = 5557
# curve = true              # encrypted, for the keys of `touchline keys` alone
# ipc_dir = "data"          # beside the ports, sockets in files of this directory
depth_levels = 10           # shown by `touchline book`

[capture]                   # every event to Parquet files, for `touchline query`
enabled = true
flush_s = 1.0
rows_max = 200000

[supervisor]
no_progress_s = 60.0        # a part that shows no progress for so long while it starts is given up
hung_s = 20.0               # a part that gives no sign of life for so long is started again
disk_free_mb = 256          # less room than this on the disk of data_dir is warned of

[log]
format = "logfmt"           # or json
rotate_mb = 64              # a log file of this size is put aside
keep = 8                    # files put aside

[[instruments]]
symbol = "AAA"
tick_size = "0.01"
lot_size = "1"
currency = "USD"
reference_price = "100.00"  # from the first trade on, the last price
price_collar = "5.00"       # how far from the reference a price may be
price_min = "1.00"
price_max = "1000.00"
qty_max = "100000"

[[instruments]]
symbol = "BBB"
tick_size = "0.5"
lot_size = "10"
currency = "USD"
reference_price = "2500"
price_collar = "250"
# halted = true             # halts it at every start

[[accounts]]
name = "ACC1"
order_qty_max = "10000"     # limits hold in each instrument; leave one out for no limit
order_value_max = "5000000" # price x quantity of one order
position_max = "50000"      # net position with open orders, either way
# blocked = true            # blocks it at every start

[[accounts]]
name = "ACC2"
order_qty_max = "10000"
order_value_max = "5000000"
position_max = "50000"

[[sessions]]
comp_id = "BROKER1"         # the broker's SenderCompID
begin_string = "FIX.4.4"
accounts = ["ACC1"]         # the first one serves orders without Account(1)
# password = "..."          # then Password(554) is asked for at logon

[[sessions]]
comp_id = "BROKER2"
begin_string = "FIX.4.2"
accounts = ["ACC2"]
"""
