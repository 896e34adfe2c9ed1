"""What the exit codes of the shell mean."""

HELD = 0
BROKEN = 1
USAGE = 2
KIT_FAULT = 3
INTERRUPTED = 130
READER_GONE = 141
