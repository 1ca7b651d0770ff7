"""First messages as the containers of Clipper 0.4 send them, byte for byte.

Java and Scala send the RPC version in 8 bytes. C++ and R send as many bytes of the input type code as the
model version's text has, whatever lies behind the code in memory.
"""

from __future__ import annotations

#: By container: message type, model name, model version, input type code, RPC version, in hexadecimal digits.
_RECORDED = {
    "java": ("00000000", "6a", "31", "33", "0300000000000000"),
    "scala, rest of the version not zero": ("00000000", "6a", "31", "33", "03000000deadbeef"),
    "scala, message type in 8 bytes": ("0000000000000000", "6a", "31", "33", "0300000000000000"),
    "c++, model version 10": ("00000000", "6a", "3130", "3300", "03000000"),
    "r, model version 1.2.3, no UTF-8 behind": ("00000000", "6a", "312e322e33", "33007fff80", "03000000"),
    "r, model version v1, a letter behind": ("00000000", "6a", "7631", "3361", "03000000"),
}

#: By container: the frames behind the identity. All serve a model `j` that takes doubles.
NEW_CONTAINERS = {name: [b"", *map(bytes.fromhex, frames)] for name, frames in _RECORDED.items()}
