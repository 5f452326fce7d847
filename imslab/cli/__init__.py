"""The command line: ``imslab lab``, ``imslab doctor``, ``imslab explain``, ``imslab core``."""
