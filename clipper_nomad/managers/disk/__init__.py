"""The disk of this machine, as managers write to it: private files, logs, and packages that pip installs."""
