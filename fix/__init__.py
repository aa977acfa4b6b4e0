"""The FIX gateway: brokers' sessions on one side, the venue's bus on the other.

acceptor runs it all. door lets connections in and roster says whose; desk and inbound turn requests
into commands; orders remembers who asked for what (archive keeps what is over, past fills it at a
start), names what numbers are called; outbound turns events into reports, and delivery sees that
each is made once. settings is what they are told, versions what differs between FIX versions.
"""
