"""The FIX gateway: brokers' sessions on one side, the venue's bus on the other.

acceptor runs the sessions, door lets connections in, inbound turns requests into commands, orders
remembers who asked for what, outbound turns events into reports, delivery sees that each report is
made once, settings says what all of them need to know.
"""
