"""The binary protocols' part: OUCH, ITCH by MoldUDP64, and what is asked about them."""
