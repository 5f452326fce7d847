"""The shell around the machines: sockets, the clock, and the trace of what passed (floor 3)."""
