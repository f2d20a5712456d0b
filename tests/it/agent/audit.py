"""Reads a shard by the words of the contract, and writes its cycles to standard output.

Arguments: the directory of the shard, and the largest size of a pack. Fails if any pack is not as the contract has it.
"""
import os
import struct
import sys

directory, size = sys.argv[1], int(sys.argv[2])
following = 0
salts = set()
for name in sorted(os.listdir(directory)):
    with open(os.path.join(directory, name), "rb") as file:
        data = file.read()
    assert name == "genome_%012x.dat" % following, (name, following)
    magic, version, flags, header_size, start = struct.unpack("<4sBBHI", data[:12])
    assert (magic, version, flags, header_size) == (b"GYRO", 2, 0, 128), name
    assert start == following, (name, start)
    assert data[12:108] in (bytes(96), bytes(range(96))), name
    assert data[120:128] == bytes(8), name
    assert data[108:120] not in salts, name
    salts.add(data[108:120])
    assert (len(data) - 128) % 24 == 0 and len(data) > 128, (name, len(data))
    assert len(data) <= size, (name, len(data))
    following += (len(data) - 128) // 24
    sys.stdout.buffer.write(data[128:])
