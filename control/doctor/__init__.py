"""`touchline doctor` and `touchline tune`: is this machine fit for low latency, and what mends it.

machine.py reads /sys and /proc; processor, memory, interrupts and network hold one small function
for each check; ethtool and xdp ask the kernel about a network card; measure takes figures; report
puts it together; tune writes the commands down. Nothing here changes the machine.
"""
