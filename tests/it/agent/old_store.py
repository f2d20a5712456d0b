#!/usr/bin/env python3
"""Writes agent stores in the old formats, by the words of the contract.

    old_store.py file KIND OUT [--key HEX] [--flags N] [--length] [--snapshot HEX] [--salt HEX]
    old_store.py tree DIR AGENTS [--key HEX]

`file` takes the JSON on standard input. `tree` writes agents with a plaintext format and a session of version 2 each.
"""
import argparse
import hashlib
import os
import struct
import sys

MAGIC = {"format": b"GYR3", "curriculum": b"GYR4", "session": b"GYR5"}


def keystream(snapshot, salt, key):
    """The snapshot with the salt over its first 12 bytes; four quarters, each inverted as its code says; all XORed."""
    mixed = bytes(a ^ b for a, b in zip(snapshot, salt)) + snapshot[len(salt) :]
    key = key.ljust(32, b"\0")
    stream = bytes(24)
    for number in range(4):
        quarter = bytearray(mixed[24 * number : 24 * number + 24])
        code = key[8 * number] & 3
        inverted = {0: [], 1: range(24), 2: [*range(0, 6), *range(12, 18)], 3: [*range(6, 12), *range(18, 24)]}[code]
        for at in inverted:
            quarter[at] ^= 0xFF
        stream = bytes(a ^ b for a, b in zip(stream, quarter))
    return stream


def old_file(magic, text, snapshot, salt, key, flags=1, length=True):
    padded = text + bytes(-len(text) % 24)
    stream = keystream(snapshot, salt, key) * (len(padded) // 24)
    payload = bytes(a ^ b for a, b in zip(padded, stream))
    header = struct.pack("<4sBBHI", magic, 2, flags, 128, len(payload) if length else 0)
    header += snapshot + salt + bytes(8)
    assert len(header) == 128
    return header + payload


def made_up(seed, length):
    """Bytes that look random and are the same each time."""
    return hashlib.shake_256(seed.encode()).digest(length)


def write(path, content):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def tree(directory, agents, key):
    for number in range(agents):
        name = made_up(f"agent {number}", 16).hex()
        agent = os.path.join(directory, "agents", name[:2], name)
        write(f"{agent}/g3_information/format.json", b'{"agent": %d, "format": [1.50, "\\u00e4"]}\n' % number)
        snapshot, salt = made_up(f"snapshot {number}", 96), made_up(f"salt {number}", 12)
        session = b'{"agent": %d, "cycle": 1e400, "seen": {"a": null, "a": true}}' % number
        write(f"{agent}/g5_information/session.json.enc", old_file(b"GYR5", session, snapshot, salt, key))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["file", "tree"])
    parser.add_argument("first")
    parser.add_argument("second")
    parser.add_argument("--key", type=bytes.fromhex, default=b"\1" * 8 + b"\2" * 8 + b"\3" * 16)
    parser.add_argument("--flags", type=int, default=1)
    parser.add_argument("--length", action="store_true")
    parser.add_argument("--snapshot", type=bytes.fromhex, default=made_up("snapshot", 96))
    parser.add_argument("--salt", type=bytes.fromhex, default=made_up("salt", 12))
    given = parser.parse_args()
    if given.what == "tree":
        return tree(given.first, int(given.second), given.key)
    text = sys.stdin.buffer.read()
    content = old_file(MAGIC[given.first], text, given.snapshot, given.salt, given.key, given.flags, given.length)
    return write(given.second, content)


if __name__ == "__main__":
    main()
