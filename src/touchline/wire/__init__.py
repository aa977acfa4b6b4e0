"""FIX on the wire: the acceptor in C. The gateway in touchline.fix sets it up and watches it."""
