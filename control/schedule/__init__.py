"""The trading day: calendars, timetables, and the part that moves instruments by them."""
