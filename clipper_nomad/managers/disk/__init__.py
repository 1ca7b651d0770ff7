"""The disk of this machine, as managers write to it: private files, and packages that pip installs."""
