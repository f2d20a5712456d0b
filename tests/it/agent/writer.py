"""Appends tagged cycles one by one, by the words of the contract: it locks the last pack alone, with fcntl.flock.

Arguments: the directory of the shard, the largest size of a pack, the number of the writer, and how many cycles.
"""
import fcntl
import os
import struct
import sys

directory, size, writer, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])


def last():
    return sorted(name for name in os.listdir(directory) if name.startswith("genome_"))[-1]


for sequence in range(count):
    cycle = struct.pack("<II", writer, sequence) + bytes([0xC5]) * 16
    while True:
        name = last()
        pack = open(os.path.join(directory, name), "r+b")
        fcntl.flock(pack, fcntl.LOCK_EX)
        length = pack.seek(0, os.SEEK_END)
        # Another such writer may have made the last pack, and not have written its header yet.
        if last() == name and length >= 128:
            break
        pack.close()
    assert (length - 128) % 24 == 0, (name, length)
    if length + 24 <= size:
        pack.write(cycle)
        pack.flush()
        os.fsync(pack.fileno())
    else:
        start = int(name[7:19], 16) + (length - 128) // 24
        header = struct.pack("<4sBBHI", b"GYRO", 2, 0, 128, start) + bytes(96) + os.urandom(12) + bytes(8)
        with open(os.path.join(directory, "genome_%012x.dat" % start), "xb") as new:
            new.write(header + cycle)
            new.flush()
            os.fsync(new.fileno())
    pack.close()
