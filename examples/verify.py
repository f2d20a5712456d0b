#!/usr/bin/env python3
"""A second verifier of packs, in one file.

It follows docs/format.md and docs/agent-store.md and shares no code with git-pack: whoever doubts one of the two can
ask the other. It needs Python 3.9 and no library.

    verify.py PACK                      a directory or an archive (FILE.tar.zst)
    verify.py --agent STORE [EARLIER]   an agent store
    verify.py --vectors DIRECTORY       compares its answers with those of the test vectors

The exit status is 0 for OK, 1 for INVALID and 2 for REFUSAL, as that of `git pack verify`.

What it leaves out, and says in its output where it matters:

* Of the formats of content it knows age identities and faiss indices, and it looks into zip archives only: what the
  vectors need (docs/format.md, "Judging"). git-pack knows many more.
* Archives need a decoder of zstd: Python 3.14, the module zstandard, or the program zstd.
* Signatures need the program ssh-keygen. It is asked whether a signature is good, and not whose it is.
* Tokens need the vocabulary o200k_base: --ranks FILE names it, one token and its rank a line. Without it, the budget
  of files under SPLIT/ is not checked, and the numbers of tokens in their list are taken as they stand.
* It has no --rev, no --identity and no keys of attestations.
* It holds a member in memory as a whole, and a pack can be made to keep it busy for long: it is no guard of a server.
"""

import argparse
import base64
import binascii
import hashlib
import io
import json
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import unicodedata
import zipfile
import zlib
from decimal import Decimal
from pathlib import Path

MIB = 1 << 20


class Refusal(Exception):
    """There is no sound answer about this pack."""

    def __init__(self, reason, code="E_BAD_PACK"):
        super().__init__(f"{code}: {reason}")
        self.code = code


class Fault(Exception):
    """Something is not what its name or its place says."""


# ---------------------------------------------------------------------------------------------------------------------
# Conventions: hashes, JSON, names
# ---------------------------------------------------------------------------------------------------------------------

HEX = "0123456789abcdef"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def is_bare_hash(text):
    return len(text) == 64 and all(c in HEX for c in text)


def is_ref(text):
    return text.startswith("sha256:") and is_bare_hash(text[7:])


def is_object_id(text):
    return len(text) in (40, 64) and all(c in HEX for c in text)


def bytewise(text):
    """The key by which texts are sorted. Paths that were found on disk may hold bytes that are not UTF-8."""
    return text.encode("utf-8", "surrogateescape")


class Number:
    """A number of a document. Its spelling matters: 2.0 is not an integer."""

    def __init__(self, token):
        if abs(Decimal(token)) > 1 << 53:
            raise Fault(f"a number beyond 2^53: {token}")
        self.token = token

    def integer(self):
        return int(self.token) if self.token.isdigit() else None

    def canonical(self):
        """As ECMAScript prints it, which RFC 8785 demands."""
        value = float(self.token)
        if value == int(value):
            return str(int(value))
        sign, digits, exponent = Decimal(repr(value)).as_tuple()
        digits = "".join(map(str, digits)).rstrip("0") or "0"
        exponent = Decimal(repr(value)).adjusted() + 1
        if 0 < exponent <= 21:
            text = digits[:exponent] + "." + digits[exponent:]
        elif -6 < exponent <= 0:
            text = "0." + "0" * -exponent + digits
        else:
            point = digits[:1] + ("." + digits[1:] if digits[1:] else "")
            text = f"{point}e{exponent - 1:+d}"
        return "-" * sign + text


def canonical_text(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Number):
        return value.canonical()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical_text, value)) + "]"
    keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
    return "{" + ",".join(f"{canonical_text(key)}:{canonical_text(value[key])}" for key in keys) + "}"


def canonical(value):
    """The canonical form of RFC 8785, without a newline."""
    try:
        return canonical_text(value).encode()
    except UnicodeEncodeError as error:
        raise Fault("half of a surrogate pair") from error


def nesting(text):
    """How deep lists and objects are nested; strings are skipped."""
    depth = deepest = 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', text, re.DOTALL):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token.group(), 0)
        deepest = max(deepest, depth)
    return deepest


def strict_json(data):
    """The value of a document, and its canonical form."""

    def unique(pairs):
        value = dict(pairs)
        if len(value) != len(pairs):
            raise Fault("a key stands twice")
        return value

    def no_constant(word):
        raise Fault(f"{word} is not JSON")

    try:
        text = data.decode()
        if nesting(text) >= 128:
            raise Fault("128 or more nested levels")
        value = json.loads(
            text, object_pairs_hook=unique, parse_int=Number, parse_float=Number, parse_constant=no_constant
        )
    except (UnicodeDecodeError, ValueError) as error:
        raise Fault(f"not JSON: {error}") from error
    return value, canonical(value)


def count_values(value):
    """Each item of a list and each field of an object is one value."""
    if isinstance(value, dict):
        return len(value) + sum(map(count_values, value.values()))
    if isinstance(value, list):
        return len(value) + sum(map(count_values, value))
    return 0


# Optional fields that may not even be null.
NEVER_NULL = {"allow", "allow_in", "exclude", "formats", "include", "padded", "paths"}


def has_null(value):
    """If another optional field is null instead of left out, the document is spelled wrongly, and counts nevertheless."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return value is None or any(map(has_null, inner))


# The shape of documents: what is missing, unknown or of another type makes a document unreadable.


def text(value):
    if not isinstance(value, str):
        raise Fault("not a text")
    return value


def integer(value):
    number = value.integer() if isinstance(value, Number) else None
    if number is None:
        raise Fault("not an integer")
    return number


def ref(value):
    if not is_ref(text(value)):
        raise Fault("not a content ref")
    return value


def bare_hash(value):
    if not is_bare_hash(text(value)):
        raise Fault("not a hash")
    return value


def word(*words):
    def check(value):
        if text(value) not in words:
            raise Fault(f"{value} is not one of {', '.join(words)}")
        return value

    return check


def true_or_false(value):
    if not isinstance(value, bool):
        raise Fault("neither true nor false")
    return value


def list_of(check):
    def check_list(value):
        if not isinstance(value, list):
            raise Fault("not a list")
        return [check(item) for item in value]

    return check_list


def fields(required, optional=None):
    """An object with exactly these fields. What is optional and left out is None."""
    optional = optional or {}

    def check(value):
        if not isinstance(value, dict):
            raise Fault("not an object")
        for name in value:
            if name not in required and name not in optional:
                raise Fault(f"an unknown field {name}")
        for name in required:
            if name not in value:
                raise Fault(f"no field {name}")
        result = dict.fromkeys(optional)
        for name, item in value.items():
            if item is not None or name in required or name in NEVER_NULL:
                result[name] = (required.get(name) or optional[name])(item)
        return result

    return check


HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\udc80-\udcff]")


def for_people(name):
    """A name in double quotes, if it has a quote or something hidden; bytes that are not UTF-8 are surrogates here."""
    if '"' not in name and not HIDDEN.search(name):
        return name

    def escape(match):
        short = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}.get(match.group())
        return short or "".join(f"\\{byte:03o}" for byte in bytewise(match.group()))

    return '"' + re.sub(f'{HIDDEN.pattern}|["\\\\]', escape, name) + '"'


def from_people(shown):
    """The bytes of a name that is shown, without a check that this is how it is shown."""
    if not (len(shown) >= 2 and shown.startswith('"') and shown.endswith('"')):
        return shown.encode()
    result = b""
    for token in re.finditer(r"\\([0-7]{3})|\\(.)|([^\\]+)", shown[1:-1], re.DOTALL):
        octal, short, plain = token.groups()
        if octal:
            result += bytes([int(octal, 8) & 255])
        else:
            result += ({"n": "\n", "t": "\t", "r": "\r"}.get(short, short) if short else plain).encode()
    return result


# ---------------------------------------------------------------------------------------------------------------------
# Member paths
# ---------------------------------------------------------------------------------------------------------------------

IGNORED_BY_HFS = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
NAMES_GIT_ON_NTFS = re.compile(r"(\.git|git~1)[. ]*(:.*)?", re.IGNORECASE | re.ASCII | re.DOTALL)
SIX = [f"meta/{name}" for name in (
    "REPO_STATE.json", "FILE_INDEX.json", "FILE_TREE.txt", "PACK_INFO.json", "PROVENANCE.json", "PROTECTED.json",
)]
DOCUMENTS = ["SEALED_ARTIFACTS.json", *SIX]
LITE = ["LITE/PACK_MANIFEST.json", "LITE/RUN_REFS.json", "LITE/INDEX.md"]


def ascii_lower(name):
    return re.sub("[A-Z]", lambda match: match.group().lower(), name)


def names_git(part):
    return ascii_lower(IGNORED_BY_HFS.sub("", part)) == ".git" or NAMES_GIT_ON_NTFS.fullmatch(part) is not None


def is_safe(path):
    if path == "" or "\0" in path or path.startswith(("/", "\\\\")) or re.match("[A-Za-z]:", path):
        return False
    return not any(
        segment in ("", ".", "..") or any(map(names_git, segment.split("\\"))) for segment in path.split("/")
    )


def path_bytes(path_text):
    """The bytes of the path that has this text in documents, or None if none is spelled so."""
    segments = []
    for segment in path_text.split("/"):
        raw = segment.encode()
        if segment.startswith("%raw-"):
            raw = re.sub(rb"%([0-9A-F]{2})", lambda match: bytes([int(match.group(1), 16)]), raw[5:])
        segments.append(raw)
    path = b"/".join(segments)
    return path if text_of_path(path) == path_text else None


def text_of_path(path):
    def of_segment(segment):
        try:
            shown = segment.decode()
            if not shown.startswith("%raw-"):
                return shown
        except UnicodeDecodeError:
            shown = segment.decode("utf-8", "surrogateescape")
        shown = shown.replace("%", "%25")
        return "%raw-" + re.sub("[\udc80-\udcff]", lambda match: f"%{ord(match.group()) - 0xDC00:02X}", shown)

    return "/".join(map(of_segment, path.split(b"/")))


# ---------------------------------------------------------------------------------------------------------------------
# A pack: a directory, or an archive
# ---------------------------------------------------------------------------------------------------------------------


class Directory:
    """A pack on disk. Links are never followed."""

    def __init__(self, top):
        self.top = Path(top)
        if not self.top.is_dir() or self.top.is_symlink():
            raise Refusal(f"{top} is not a directory")
        self.attached = self.read_attached(self.top.with_name(self.top.name + ".attestations"))

    @staticmethod
    def read_attached(directory):
        """Of each name beside the pack its content, or None if there is none that counts."""
        if not directory.is_dir():
            return []
        content = {}
        for entry in os.scandir(directory):
            small = entry.is_file(follow_symlinks=False) and entry.stat().st_size <= MIB
            content[entry.name] = Path(entry.path).read_bytes() if small else None
        return by_number(content)

    def kind(self, path):
        """`file`, `missing` or `other`, which is a link, a directory, a special file, or below a link."""
        here = os.fsencode(self.top)
        segments = bytewise(path).split(b"/")
        for number, segment in enumerate(segments):
            here += b"/" + segment
            try:
                mode = os.lstat(here).st_mode
            except (FileNotFoundError, NotADirectoryError):
                return "missing"
            except OSError:
                return "unreadable"
            if number + 1 < len(segments) and not stat.S_ISDIR(mode):
                return "missing" if stat.S_ISREG(mode) else "other"
        return "file" if stat.S_ISREG(mode) else "other"

    def read(self, path):
        with open(os.fsencode(self.top) + b"/" + bytewise(path), "rb") as file:
            return file.read()

    def everything(self):
        """All files, links and empty directories; the latter with a `/` behind their path."""
        found, ahead = [], [""]
        while ahead:
            directory = ahead.pop()
            entries = list(os.scandir(self.top / directory))
            if not entries and directory:
                found.append(directory + "/")
            for entry in entries:
                path = f"{directory}/{entry.name}" if directory else entry.name
                (ahead if entry.is_dir(follow_symlinks=False) else found).append(path)
        return found


class Archive:
    """A pack in one file. It is read, written again by the rules, and compared: only one form is right."""

    def __init__(self, file):
        try:
            self.files, self.attached = read_archive(Path(file).read_bytes())
        except OSError as error:
            raise Refusal(str(error)) from error
        except (Fault, ValueError) as error:
            raise Refusal(f"not an archive: {error}") from error

    def kind(self, path):
        if path in self.files:
            return "file"
        return "other" if any(other.startswith(path + "/") for other in self.files) else "missing"

    def read(self, path):
        return self.files[path]

    def everything(self):
        return list(self.files)


FRAME_START = bytes.fromhex("28B52FFD0458")
FRAME_BYTES = 4 * MIB


def zstd_frames(data):
    """The frames of a file, by the lengths of their blocks."""
    frames, at = [], 0
    while at < len(data):
        if not data.startswith(FRAME_START, at):
            raise Fault("a frame begins otherwise")
        end, last = at + len(FRAME_START), False
        while not last:
            header = int.from_bytes(data[end : end + 3], "little")
            last, kind, size = header & 1, header >> 1 & 3, header >> 3
            end += 3 + (1 if kind == 1 else size)
            if end + 4 > len(data) or kind == 3:
                raise Fault("it ends within a frame")
        frames.append(data[at : end + 4])
        at = end + 4
    return frames


def decoder():
    """The decoder of a module, if there is one."""
    try:
        from compression import zstd

        return zstd.decompress
    except ImportError:
        pass
    try:
        import zstandard

        return lambda frame: zstandard.ZstdDecompressor().decompressobj().decompress(frame)
    except ImportError:
        return None


def unpack_frame(frame, most):
    """The content of a frame, by the first decoder that there is. All of them compare the checksum."""
    unpack = decoder()
    if unpack:
        try:
            return unpack(frame)
        # Each module has errors of its own.
        except Exception as error:
            raise Fault(f"a frame is damaged: {error}") from error
    if not shutil.which("zstd"):
        raise Refusal("reading an archive needs Python 3.14, the module zstandard, or the program zstd", "E_UNSUPPORTED")
    with tempfile.TemporaryFile() as packed:
        packed.write(frame)
        packed.seek(0)
        with subprocess.Popen(["zstd", "-dcq"], stdin=packed, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
            content = run.stdout.read(most + 1)
            run.stdout.close()
    if run.returncode != 0 or len(content) > most:
        raise Fault("a frame is damaged, or too long")
    return content


def read_archive(data):
    """The members by path, and what is attached."""
    budget = max(4 << 30, 1000 * len(data))
    frames = []
    for frame in zstd_frames(data):
        frames.append(unpack_frame(frame, budget))
        budget -= len(frames[-1])
    entries = tar_entries(b"".join(frames))
    if not entries:
        raise Fault("no entries")
    top, _, first = entries[0][0].partition("/")
    if first != "manifest.json":
        raise Fault("the first entry is not manifest.json")
    manifest = Manifest(entries[0][1])
    if not is_ref(manifest.pack_id) or top != f"git-pack-{manifest.pack_id[7:19]}":
        raise Fault("the directory is not that of the pack")
    members, attached = {}, {}
    for path, content in entries:
        directory, _, rest = path.partition("/")
        files = {top: members, top + ".attestations": attached}.get(directory)
        if files is None or not is_safe(rest) or rest in files or (files is members and attached):
            raise Fault(f"an entry {path}")
        files[rest] = content
    declared = {member["path"] for member in manifest.members}
    if sum(path not in declared for path in members) > 1001:
        raise Fault("more than 1000 undeclared entries")
    ordered = [f"{top}/manifest.json"] + [f"{top}/{path}" for path in sorted(set(members) - {"manifest.json"}, key=bytewise)]
    ordered += [f"{top}.attestations/{name}" for name in attached_names(manifest.pack_id, attached)]
    if ordered != [path for path, _ in entries]:
        raise Fault("the entries are in another order")
    seconds = epoch(manifest.created)
    if frames != write_frames(entries, seconds):
        raise Fault("it is not written by the rules")
    return members, by_number(attached)


def by_number(attached):
    """Attached files in the order of their numbers: of files with one content, the first one counts."""

    def number(name):
        match = re.fullmatch(r"[^.]*\.(\d+)\..*", name, re.ASCII)
        return int(match.group(1)) if match else 1

    return sorted(attached.items(), key=lambda item: (number(item[0]), item[0]))


def attached_names(pack_id, attached):
    """The names that attached files have in an archive, in their order."""
    names = []
    for suffix in (".sig", ".intoto.jsonl"):
        contents = [content for name, content in attached.items() if name.endswith(suffix)]
        contents.sort(key=sha256)
        if len(set(contents)) != len(contents):
            raise Fault("a content is attached twice")
        for number, content in enumerate(contents, 1):
            name = pack_id[7:] + (suffix if suffix == ".sig" and number == 1 else f".{number}{suffix}")
            if attached.get(name) != content:
                raise Fault("an attached file has another name or number")
            names.append(name)
    if len(names) != len(attached):
        raise Fault("an attached file has a name that none has")
    return names


def tar_entries(tar):
    """Paths and contents. Only what is needed to find them is looked at; the rest is compared when it is written again."""
    entries, at, records = [], 0, {}
    while at + 512 <= len(tar) and tar[at] != 0:
        header = tar[at : at + 512]
        size = int(header[124:135], 8)
        name, prefix = (header[a:b].split(b"\0")[0].decode() for a, b in ((0, 100), (345, 500)))
        if header[156:157] == b"x":
            for record in tar[at + 512 : at + 512 + size].splitlines():
                key, _, value = record.partition(b" ")[2].partition(b"=")
                records[key] = value
        else:
            size = int(records.get(b"size", size))
            path = records[b"path"].decode() if b"path" in records else f"{prefix}/{name}" if prefix else name
            entries.append((path, tar[at + 512 : at + 512 + size]))
            records = {}
        at += 512 + -(-size // 512) * 512
    return entries


def tar_header(name, prefix, size, mtime, kind):
    fields_of = [
        name.ljust(100, b"\0"), b"0000644\0", b"0000000\0", b"0000000\0", b"%011o\0" % size, b"%011o\0" % mtime,
        b" " * 8, kind, bytes(100), b"ustar\0" + b"00", bytes(32), bytes(32), bytes(8), bytes(8), prefix.ljust(155, b"\0"),
        bytes(12),
    ]
    header = b"".join(fields_of)
    return header[:148] + b"%07o\0" % sum(header) + header[156:]


def divide(path):
    """The name and the prefix of a header, or None if the path does not fit."""
    if len(path) <= 100:
        return path, b""
    slash = path.rfind(b"/", 0, 156)
    if slash > 0 and 0 < len(path) - slash - 1 <= 100:
        return path[slash + 1 :], path[:slash]
    return None


def write_entry(path, content, mtime):
    raw = path.encode()
    fits, size = divide(raw), len(content)
    records, written = [], b""
    if fits is None:
        records.append((b"path", raw))
        fits = raw[:100].decode(errors="ignore").encode(), b""
    if size >= 8**11:
        records.append((b"size", b"%d" % size))
        size = 0
    if records:
        pax = b""
        for key, value in records:
            length = rest = len(key) + len(value) + 3
            while length != rest + len(str(length)):
                length = rest + len(str(length))
            pax += b"%d %s=%s\n" % (length, key, value)
        if len(pax) > 64 << 10:
            raise Fault("a pax header is too long")
        written = tar_header(b"PaxHeaders/member", b"", len(pax), mtime, b"x") + pax + bytes(-len(pax) % 512)
    return written + tar_header(*fits, size, mtime, b"0") + content + bytes(-len(content) % 512)


def write_frames(entries, seconds):
    """The contents of the frames of an archive with these entries."""
    mtime = min(max(seconds, 0), 8**11 - 1)
    frames = [b""]
    for path, content in entries:
        if len(frames[-1]) >= FRAME_BYTES:
            frames.append(b"")
        frames[-1] += write_entry(path, content, mtime)
    if len(frames[-1]) >= FRAME_BYTES:
        frames.append(b"")
    frames[-1] += bytes(1024)
    return frames


# ---------------------------------------------------------------------------------------------------------------------
# The manifest
# ---------------------------------------------------------------------------------------------------------------------

TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d{1,9})?(Z|\+00:00)", re.ASCII)
LAST_SECOND = "9999-12-30T22:00:00Z"


def days_since_1970(year, month, day):
    """Also of the year 0, which datetime does not have."""
    past = year - (month <= 2)
    era, of_era = past // 400, past % 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def parse_time(created):
    """The seconds since 1970, and whether it is spelled as it must be; None if it is no time at all."""
    match = TIME.fullmatch(created)
    if not match:
        return None
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = [0, 31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    if not (1 <= month <= 12 and 1 <= day <= days[month] and hour < 24 and minute < 60 and second < 60):
        return None
    if created[:19] > LAST_SECOND[:19]:
        return None
    seconds = days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
    return seconds, match.group(7) is None and match.group(8) == "Z"


def epoch(created):
    time = parse_time(created)
    return time[0] if time else 0


MANIFEST_FIELDS = {
    "version": word("pack.v0"), "pack_id": text, "created": text, "tool_version": text, "member_count": integer,
}


class Manifest:
    """manifest.json, as far as it must be right to be read at all."""

    def __init__(self, data):
        try:
            document, self.canonical = strict_json(data)
            if not isinstance(document, dict):
                raise Fault("not an object")
            known = {key: value for key, value in document.items() if key in MANIFEST_FIELDS}
            for key, value in fields(MANIFEST_FIELDS)(known).items():
                setattr(self, key, value)
            self.unknown = sorted(set(document) - set(MANIFEST_FIELDS) - {"note", "members"}, key=bytewise)
            self.null_note = "note" in document and document["note"] is None
            if document.get("note") is not None:
                text(document["note"])
            members = list_of(lambda value: value)(document.get("members"))
            self.members = [self.member(value) for value in members]
            if count_values({**document, "members": []}) > 4096 or any(count_values(value) > 4096 for value in members):
                raise Fault("too many values")
        except Fault as fault:
            raise Refusal(f"manifest.json: {fault}") from fault
        self.spelled = data == self.canonical + b"\n"
        self.id = "sha256:" + sha256(canonical({**document, "pack_id": ""}))

    @staticmethod
    def member(value):
        if not isinstance(value, dict):
            raise Fault("a member is not an object")
        names = {"path": text, "bytes_hash": text, "type": text}
        result = fields(names)({key: item for key, item in value.items() if key in names})
        version = value.get("artifact_version")
        result["version"] = version if version is None else text(version)
        result["null"] = "artifact_version" in value and version is None
        result["unknown"] = not set(value) <= {*names, "artifact_version"}
        return result


# ---------------------------------------------------------------------------------------------------------------------
# Types
# ---------------------------------------------------------------------------------------------------------------------

TYPES_BY_VERSION = {
    "lock.v0": "lockfile", "rvl.v0": "report", "shape.v0": "report", "verify.v0": "report", "compare.v0": "report",
    "canon.v0": "artifact", "assess.v0": "artifact", "verify.rules.v0": "rules", "pack.v0": "pack",
}
TYPES = {*TYPES_BY_VERSION.values(), "profile", "registry", "genome", "other"}
EXAMINED_BYTES = 16 * MIB


def recognise(content):
    """The type and the version that a content has, if it has one of the table."""
    if not content.lstrip(b" \t\n\r\f\v").startswith(b"{"):
        return None
    try:
        pairs = json.loads(content.decode(), object_pairs_hook=lambda pairs: pairs, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    versions = [value for key, value in pairs if key == "version"]
    version = versions[0] if len(versions) == 1 and isinstance(versions[0], str) else None
    kind = TYPES_BY_VERSION.get(version)
    if kind == "rules":
        rules = [value for key, value in pairs if key == "rules"]
        # An object is a list of pairs here.
        if len(rules) != 1 or not isinstance(json.loads(content).get("rules"), list):
            return None
    if kind == "pack":
        try:
            Manifest(content)
        except Refusal:
            return None
    return (kind, version) if kind else None


class Yaml:
    """The first document of a text, if it is a block or flow mapping: its keys and scalars at the top.

    It reads a part of YAML 1.2, and takes nothing for YAML that is none. Keys in several lines, `?` and directives are
    beyond it.
    """

    def __init__(self, source):
        if re.search("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", source):
            raise Fault("a character that YAML does not have")
        self.lines = self.first_document(source.replace("\r\n", "\n").replace("\r", "\n"))
        self.at = 0

    @staticmethod
    def first_document(source):
        lines = source.lstrip("\ufeff").split("\n")
        while lines and re.fullmatch(r"\s*(#.*)?", lines[0]):
            lines.pop(0)
        if lines and re.match(r"---(\s|$)", lines[0]):
            lines[0] = "   " + lines[0][3:]
        for number, line in enumerate(lines):
            if re.match(r"(---|\.\.\.)(\s|$)", line):
                return lines[:number]
        return lines

    def top(self):
        """Key and value of each entry; a value that is no scalar is None."""
        line = self.peek()
        if line is None:
            raise Fault("empty")
        if line.lstrip().startswith("{"):
            flow = Flow("\n".join(self.lines[self.at :]))
            entries = flow.mapping()
            flow.end()
            return entries
        entries = self.mapping(self.indent(line))
        if self.peek() is not None:
            raise Fault("something follows the mapping")
        return entries

    @staticmethod
    def indent(line):
        return len(line) - len(line.lstrip(" "))

    def peek(self):
        while self.at < len(self.lines) and re.fullmatch(r"\s*(#.*)?", self.lines[self.at]):
            self.at += 1
        return self.lines[self.at] if self.at < len(self.lines) else None

    def mapping(self, indent, depth=0):
        entries = []
        if depth > 128:
            raise Fault("nested too deep")
        while (line := self.peek()) is not None and self.indent(line) >= indent:
            if self.indent(line) > indent or line[indent : indent + 1] == "\t":
                raise Fault("an indentation that belongs to nothing")
            flow = Flow(line[indent:])
            key = flow.scalar(":")
            rest = line[indent + flow.at :]
            if not re.match(r":(\s|$)", rest):
                raise Fault("a line without a key")
            entries.append((key, self.value(rest[1:].strip(" \t"), indent, depth)))
        return entries

    def value(self, rest, indent, depth):
        """The value behind a key; `rest` is what follows on its line."""
        rest = re.sub(r"^(?:[&!][^\s,\[\]{}]*\s*)+", "", rest)
        self.at += 1
        if rest.startswith(("|", ">")):
            return self.block_scalar(rest, indent)
        if rest == "" or rest.startswith("#"):
            line = self.peek()
            if line is None or self.indent(line) < indent:
                return ""
            if re.match(r"-(\s|$)", line.lstrip()):
                return self.sequence(self.indent(line), depth)
            if self.indent(line) == indent:
                return ""
            if re.match(r"[\[{]", line.lstrip()):
                return self.value(line.strip(), indent, depth)
            self.mapping(self.indent(line), depth + 1)
            return None
        if rest.startswith("*"):
            return None
        # A flow value, or a scalar that may go on in lines that are indented further.
        lines = [rest]
        while self.at < len(self.lines) and (not self.lines[self.at].strip() or self.indent(self.lines[self.at]) > indent):
            lines.append(self.lines[self.at].strip())
            self.at += 1
        flow = Flow("\n".join(lines))
        value = flow.value("")
        flow.end()
        return value

    def sequence(self, indent, depth):
        if depth > 128:
            raise Fault("nested too deep")
        while (line := self.peek()) is not None and self.indent(line) == indent and re.match(r"-(\s|$)", line[indent:]):
            inner = line[indent + 1 :]
            further = indent + 1 + self.indent(inner)
            if re.match(r"""("[^"]*"|'[^']*'|[^\s\[{"'#&*!|>][^#]*?):(\s|$)""", inner.strip()):
                self.lines[self.at] = " " * further + inner.lstrip(" ")
                self.mapping(further, depth + 1)
            elif re.match(r"-(\s|$)", inner.strip()):
                self.lines[self.at] = " " * further + inner.lstrip(" ")
                self.sequence(further, depth + 1)
            else:
                self.value(inner.strip(), indent, depth + 1)

    def block_scalar(self, head, indent):
        match = re.fullmatch(r"([|>])([+-]?)([1-9]?)([+-]?)\s*(#.*)?", head)
        if not match:
            raise Fault("a block that begins otherwise")
        style, chomp = match.group(1), match.group(2) or match.group(4)
        lines = []
        inner = indent + int(match.group(3)) if match.group(3) else None
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.strip(" "):
                if inner is None and self.indent(line) > indent:
                    inner = self.indent(line)
                if inner is None or self.indent(line) < inner:
                    break
            lines.append(line[inner or 0 :])
            self.at += 1
        tail = len(lines)
        while tail and not lines[tail - 1]:
            tail -= 1
        body = "\n".join(lines[:tail])
        if style == ">":
            body = re.sub(r"(?<=[^\n ])\n(?=[^\n ])", " ", body)
            body = re.sub(r"\n(\n+)(?=[^ \n])", r"\1", body)
        return body + {"-": "", "+": "\n" * (len(lines) - tail + (tail > 0))}.get(chomp, "\n" if tail else "")


class Flow:
    """Scalars, lists and mappings in one line, or in several that flow."""

    ESCAPES = {
        "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
        " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
    }

    def __init__(self, source):
        self.source, self.at, self.depth = source, 0, 0

    def blank(self):
        self.at = re.compile(r"(?:\s|(?:(?<=\s)|^)#[^\n]*)*").match(self.source, self.at).end()

    def here(self):
        return self.source[self.at : self.at + 1]

    def end(self):
        self.blank()
        if self.here():
            raise Fault("something follows a value")

    def value(self, stop):
        self.blank()
        while self.here() and self.here() in "&!":
            self.at = re.compile(r"[^\s,\[\]{}]*").match(self.source, self.at).end()
            self.blank()
        if self.here() == "{":
            self.mapping()
            return None
        if self.here() == "[":
            self.items("]", lambda: self.value(",]:"))
            return None
        if self.here() == "*":
            self.at = re.compile(r"\*[^\s,\[\]{}]+").match(self.source, self.at).end()
            return None
        return self.scalar(stop)

    def items(self, closing, item):
        self.depth += 1
        if self.depth > 128:
            raise Fault("nested too deep")
        self.at += 1
        found = []
        while True:
            self.blank()
            if self.here() == closing:
                break
            found.append(item())
            self.blank()
            if self.here() == ":" and closing == "]":
                self.at += 1
                self.value(",]")
                self.blank()
            if self.here() == ",":
                self.at += 1
            elif self.here() != closing:
                raise Fault(f"no {closing}")
        self.at += 1
        self.depth -= 1
        return found

    def mapping(self):
        def entry():
            key = self.value(",}:")
            self.blank()
            if self.here() != ":":
                return key, ""
            self.at += 1
            return key, self.value(",}")

        self.blank()
        return self.items("}", entry)

    def scalar(self, stop):
        """A plain or quoted scalar. A plain one ends before `: `, before ` #` and, within brackets, at a sign of these."""
        if self.here() == '"':
            return self.double_quoted()
        if self.here() == "'":
            match = re.compile(r"'((?:[^']|'')*)'").match(self.source, self.at)
            if not match:
                raise Fault("no end of a text in quotes")
            self.at = match.end()
            return fold(match.group(1)).replace("''", "'")
        inside = len(stop) > 1
        if re.match(r"[\]},%@`]|[|>](?=\s|$)", self.source[self.at :]) or (not inside and re.match("[|>]", self.here() or "x")):
            raise Fault("a scalar that begins otherwise")
        plain = r"(?:(?!:(?:[\s,\[\]{}]|$)|\s#)[^,\[\]{}])*" if inside else r"(?:(?!:(?:\s|$)|\s#).)*"
        match = re.compile(plain, re.DOTALL).match(self.source, self.at)
        self.at = match.end()
        return fold(match.group().strip())

    def double_quoted(self):
        match = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL).match(self.source, self.at)
        if not match:
            raise Fault("no end of a text in quotes")
        self.at = match.end()

        def unescape(escape):
            number = escape.group(1) or escape.group(2) or escape.group(3)
            if number:
                return chr(int(number, 16))
            if escape.group(4) not in self.ESCAPES:
                raise Fault("an escape that is none")
            return self.ESCAPES[escape.group(4)]

        body = re.sub(r"\\\n[ \t]*", "", match.group(1))
        return re.sub(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", unescape, fold(body), flags=re.DOTALL)


def fold(scalar):
    """Line ends within a scalar: one is a blank, more are one less."""
    return re.sub(r"[ \t]*\n((?:[ \t]*\n)*)[ \t]*", lambda match: "\n" * match.group(1).count("\n") or " ", scalar)


def profile_version(content):
    """The version of a profile, or None if the content is not one."""
    try:
        entries = dict(Yaml(content.decode()).top())
    except (Fault, UnicodeDecodeError, RecursionError):
        return None
    if not all(isinstance(entries.get(key), str) for key in ("schema_version", "profile_id")):
        return None
    return entries["schema_version"]


# ---------------------------------------------------------------------------------------------------------------------
# age files
# ---------------------------------------------------------------------------------------------------------------------

P25519 = 2**255 - 19
LOW_ORDER = {
    0, 1, P25519 - 1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
}
HEADER_BYTES = 512 << 10
CHUNK = 64 << 10
# The lengths of the arguments, and the least and greatest length of the body.
STANZAS = {
    "X25519": ([32], 32, 32), "scrypt": ([16, None], 32, 32), "ssh-ed25519": ([4, 32], 32, 32), "ssh-rsa": ([4], 64, 2048),
    "mlkem768x25519": ([1120], 32, 32), "p256tag": ([4, 65], 32, 32), "mlkem768p256tag": ([4, 1088 + 65], 32, 32),
}


def unpadded_base64(encoded):
    """Canonical base64 without padding."""
    try:
        data = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Fault("not base64") from error
    if base64.b64encode(data).rstrip(b"=") != encoded.encode():
        raise Fault("base64 that is not canonical")
    return data


def is_grease(kind):
    return kind == "grease" or kind.endswith("-grease")


class Age:
    """The header of an age v1 file."""

    def __init__(self, data):
        lines = io.BytesIO(data[:HEADER_BYTES])
        if lines.readline() != b"age-encryption.org/v1\n":
            raise Fault("the first line is another")
        self.stanzas = []
        line = self.line(lines)
        while line.startswith("-> "):
            words = line[3:].split(" ")
            if not all(words):
                raise Fault("an empty word")
            body = ""
            while len(part := self.line(lines)) == 64:
                body += part
            if len(part) > 64:
                raise Fault("a line of a body is too long")
            self.check(words[0], words[1:], unpadded_base64(body + part))
            self.stanzas.append(words[0])
            line = self.line(lines)
        if not line.startswith("--- ") or len(unpadded_base64(line[4:])) != 32:
            raise Fault("no MAC")
        if not self.stanzas or ("scrypt" in self.stanzas and len(self.stanzas) > 1):
            raise Fault("no stanza, or a passphrase and something beside it")
        self.header = lines.tell()
        self.nonce = data[self.header : self.header + 16]
        self.payload = len(data) - self.header - 16

    @staticmethod
    def line(lines):
        line = lines.readline()
        if not re.fullmatch(rb"[\x20-\x7e]*\n", line):
            raise Fault("a line that no header has")
        return line[:-1].decode()

    @staticmethod
    def check(kind, arguments, body):
        if kind not in STANZAS:
            return
        lengths, least, most = STANZAS[kind]
        if len(arguments) != len(lengths) or not least <= len(body) <= most:
            raise Fault(f"a stanza {kind} of another shape")
        decoded = []
        for argument, length in zip(arguments, lengths):
            if length is None:
                if not re.fullmatch("[1-9][0-9]?", argument) or int(argument) > 22:
                    raise Fault("a work factor that is none")
                continue
            decoded.append(unpadded_base64(argument))
            if len(decoded[-1]) != length:
                raise Fault(f"a stanza {kind} of another shape")
        if kind in ("X25519", "ssh-ed25519", "mlkem768x25519"):
            share = int.from_bytes(decoded[-1][-32:], "little") % 2**255 % P25519
            if share in LOW_ORDER:
                raise Fault("a share of low order")
        if kind in ("p256tag", "mlkem768p256tag") and decoded[1][-65] != 4:
            raise Fault("a point that is not uncompressed")

    def has_recipient(self):
        return not all(map(is_grease, self.stanzas))

    def may_hold(self, plain):
        return plain >= 0 and self.payload == plain + 16 * max(1, -(-plain // CHUNK))

    def is_whole(self):
        chunks = -(-self.payload // (CHUNK + 16))
        return self.has_recipient() and self.may_hold(self.payload - 16 * max(1, chunks))


def from_armour(content):
    """The bytes of an armoured age file, or None."""
    match = re.fullmatch(
        rb"[ \t\r\n]{0,1024}-----BEGIN AGE ENCRYPTED FILE-----\r?\n(.*?)\r?\n-----END AGE ENCRYPTED FILE-----[ \t\r\n]*",
        content,
        re.DOTALL,
    )
    if not match:
        return None
    lines = re.split(rb"\r?\n", match.group(1))
    if any(len(line) != 64 for line in lines[:-1]) or not 0 < len(lines[-1]) <= 64:
        return None
    try:
        joined = b"".join(lines)
        data = base64.b64decode(joined, validate=True)
        return data if base64.b64encode(data) == joined else None
    except (binascii.Error, ValueError):
        return None


def is_whole_age(content):
    """Whether a content is all of an age file, in which no private key can be read."""
    data = content
    if not content.startswith(b"age-encryption.org/"):
        data = from_armour(content)
    else:
        newlines = content.count(b"\n")
        if newlines >= 8192 and content.count(b"\r\n") <= newlines // 4096:
            return False
    try:
        return data is not None and Age(data).is_whole() and not has_private_key(content)
    except Fault:
        return False


# ---------------------------------------------------------------------------------------------------------------------
# What a content is
# ---------------------------------------------------------------------------------------------------------------------

BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def bech32_checksum(prefix, values):
    check = 1
    for value in [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            if top >> bit & 1:
                check ^= generator
    return check


def has_private_key(content):
    """An age identity anywhere in the content: 32 bytes in Bech32, with a right checksum."""
    for match in re.finditer(rb"(AGE-SECRET-KEY-1)([0-9A-Z]{58})|(age-secret-key-1)([0-9a-z]{58})", content):
        letters = (match.group(2) or match.group(4)).decode().lower()
        if all(c in BECH32 for c in letters):
            values = [BECH32.index(c) for c in letters]
            # 58 letters are 52 of data and 6 of the checksum; of 260 bits, the last four are zero.
            if bech32_checksum("age-secret-key-", values) == 1 and values[51] & 15 == 0:
                return True
    return False


def is_faiss(content):
    if not re.match(rb"I[0-9A-Za-z]{3}", content) or len(content) < 37:
        return False
    dimensions, vectors, first, second, trained, metric = struct.unpack_from("<IQQQBI", content, 4)
    return dimensions <= 1 << 24 and vectors < 1 << 48 and first == second == 1 << 20 and trained < 2 and metric < 256


def formats_of(content, layers=3):
    """The formats that a content has, also within zip archives."""
    found = set()
    if has_private_key(content):
        found.add("private-key")
    if is_faiss(content):
        found.add("faiss")
    if content.startswith(b"PK\3\4") and layers:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for member in archive.infolist():
                    with archive.open(member) as file:
                        found |= formats_of(file.read(EXAMINED_BYTES), layers - 1)
        except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, OSError, EOFError, ValueError):
            pass
    return found


# ---------------------------------------------------------------------------------------------------------------------
# Globs
# ---------------------------------------------------------------------------------------------------------------------


class Glob:
    """A glob, translated into a regular expression over bytes."""

    def __init__(self, glob, fold_case=False, below=True):
        self.fold_case = fold_case
        glob = glob.lower() if fold_case else glob
        body = glob.encode()
        segments = body[body.startswith(b"/") :]
        segments = segments[:-1] if segments.endswith(b"/") else segments
        if body in (b"", b"/") or body.startswith(b"!") or {b"", b".", b".."} & set(segments.split(b"/")):
            raise Fault(f"a glob that matches nothing: {glob}")
        tied = b"/" in body[:-1]
        self.body, self.at = body.lstrip(b"/"), 0
        if body.endswith(b"/"):
            self.body += b"**"
            below = False
        pattern = self.sequence(inside=False)
        self.regex = re.compile((b"" if tied else rb"(?:[^/]+/)*") + pattern + (rb"(?:/.+)?" if below else b""), re.DOTALL)

    def matches(self, path):
        if self.fold_case:
            try:
                path = path.decode().lower().encode()
            except UnicodeDecodeError:
                path = path.lower()
        return self.regex.fullmatch(path) is not None

    def sequence(self, inside):
        """The pattern up to the end or, within braces, up to a `,` or `}`."""
        pattern = b""
        while self.at < len(self.body):
            c = self.body[self.at : self.at + 1]
            if inside and c in b",}":
                return pattern
            if c == b"}":
                raise Fault("a } without a beginning")
            pattern += {b"*": self.stars, b"[": self.brackets, b"{": self.braces}.get(c, self.other)(inside)
        if inside:
            raise Fault("a { without an end")
        return pattern

    def stars(self, inside):
        start = self.at
        self.at = re.compile(rb"\*+").match(self.body, start).end()
        bounds = b"/{," if inside else b"/"
        before = start == 0 or self.body[start - 1 : start] in bounds
        behind = self.body[self.at : self.at + 1]
        if self.at - start != 2 or not before or not (behind in (b"", b"/") or (inside and behind in b",}")):
            return rb"[^/]*"
        if behind == b"/":
            self.at += 1
            return rb"(?:.*/)?"
        if inside and self.body[start - 1 : start] in b"{,":
            return rb"[^/]*"
        # Behind another one that begins an alternative, it adds nothing.
        again = inside and re.search(rb"[{,]\*\*/$", self.body[:start])
        return b"" if again else rb".*"

    def brackets(self, _inside):
        match = re.compile(rb"\[([!^]?)(\]?[^\]]*)\]", re.DOTALL).match(self.body, self.at)
        if not match or not match.group(2):
            raise Fault("a [ without an end")
        self.at = match.end()
        negated, items = match.groups()
        members, at = set(), 0
        while at < len(items):
            first = last = items[at]
            if items[at + 1 : at + 2] == b"-" and at + 2 < len(items):
                last = items[at + 2]
                at += 2
            if last < first:
                raise Fault("a range that ends before it begins")
            members |= set(range(first, last + 1))
            at += 1
        class_ = b"".join(b"\\x%02x" % byte for byte in sorted(members))
        return b"[" + (b"^" if negated else b"") + class_ + b"]"

    def braces(self, _inside):
        alternatives = []
        while self.body[self.at : self.at + 1] != b"}":
            self.at += 1
            alternatives.append(self.sequence(inside=True))
        self.at += 1
        return b"(?:" + b"|".join(filter(None, alternatives)) + b")"

    def other(self, _inside):
        c = self.body[self.at : self.at + 1]
        self.at += 1
        if c == b"?":
            return b"[^/]"
        if c == b"\\":
            c = self.body[self.at : self.at + 1]
            if not c:
                raise Fault("a \\ at the end")
            self.at += 1
        return re.escape(c)


# ---------------------------------------------------------------------------------------------------------------------
# The protected registry
# ---------------------------------------------------------------------------------------------------------------------

FORMATS = """faiss hnsw usearch annoy lance vector-database embeddings safetensors gguf pickle onnx coreml tflite tensorflow
keras tensorrt parquet arrow numpy private-key agent-private""".split()
# Class, globs and formats of each built-in rule.
BUILT_IN = [
    ("pack-run", "_PACK_RUN/** **/_PACK_RUN/** **/_PACK_RUN", ""),
    ("vector", "**/*.vec **/*.faiss **/*.hnsw", "faiss hnsw"),
    ("index", "**/*.index", ""),
    ("proof", "**/PROOF_BUNDLE.json", ""),
    ("weights", "**/*.safetensors **/*.gguf", "safetensors gguf pickle"),
    ("agent", "**/agents/**/g3_information/format.json **/agents/**/g5_information/session.json", ""),
    ("key", "", "private-key"),
    (
        "vector",
        "**/*.annoy **/*.ivfdata **/data_level0.bin **/link_lists.bin **/index_metadata.pickle"
        " **/chroma-embeddings.parquet **/vector_storage*/**/*.mmap **/vector_storage*/**/*.dat"
        " **/*.db/collections/*/partitions/** **/*embeddings.npy **/*embeddings.npz **/*embeddings.pkl",
        "usearch annoy lance vector-database embeddings",
    ),
    (
        "weights",
        "**/*.keras **/*.weights.h5 **/*.data-?????-of-????? **/saved_model.pb **/*.onnx_data **/*.onnx.data"
        " **/openvino_*model.bin **/*.espresso.weights **/flax_model*.msgpack **/*.trt",
        "onnx coreml tflite tensorflow keras tensorrt",
    ),
    ("agent", "**/agents/**/g4_information/curriculum.json", "agent-private"),
]
# Earlier releases had only so many of them.
BUILT_IN_LENGTHS = (7, 9, 10)
STRICTNESS = {"allowed": 0, "internal": 1, "never": 2}
POLICY = word("never", "internal", "allowed")

RULE = fields(
    {"class": text, "origin": word("built-in", "config"), "policy": POLICY},
    {"allow_in": list_of(text), "formats": list_of(word(*FORMATS)), "paths": list_of(text)},
)
REGISTRY = fields(
    {
        "rule_sets": list_of(fields({"rules": list_of(RULE)}, {"allow": list_of(text)})),
        "version": word("pack.protected.v0"),
    }
)
PRIVATE_FILES = re.compile(
    rb"(?:.*/)?agents/(?:.*/)?"
    rb"(?:g3_information/format|g4_information/curriculum|g5_information/session)\.json\.enc",
    re.DOTALL,
)


def is_whole_private_file(content):
    """A private file of version 3 of an agent: a header, and an age file."""
    header = content[:128]
    known = header[:4] in (b"GYR3", b"GYR4", b"GYR5") and header[4:12] == struct.pack("<BBHI", 3, 0, 128, 0)
    return known and header[120:] == bytes(8) and is_whole_age(content[128:])


def named_like_a_seal(path):
    return path.lower().endswith(b".age") or PRIVATE_FILES.fullmatch(path) is not None


def below_run_outputs(path):
    return b"_pack_run" in path.lower().split(b"/")


class Rule:
    def __init__(self, rule):
        self.policy, self.kind, self.formats = rule["policy"], rule["class"], rule["formats"] or []
        built_in = rule["origin"] == "built-in"
        self.globs = [(glob, Glob(glob, True, below=not built_in)) for glob in rule["paths"] or []]
        # As the earliest releases read them: a built-in glob reached below directories.
        self.wide = [(glob, Glob(glob, True)) for glob in rule["paths"] or []]
        self.allow_in = [Glob(glob) for glob in rule["allow_in"] or []]

    def match(self, path, formats, wide):
        """What matches, as `rule` of an artifact says it, or None."""
        glob = next((name for name, glob in reversed(self.wide if wide else self.globs) if glob.matches(path)), None)
        format_ = next((f"content: {name}" for name in self.formats if name in formats), None)
        if self.policy == "allowed" and self.globs and self.formats and not (glob and format_):
            return None
        return glob or format_

    def releases(self, path):
        return self.policy == "allowed" or any(glob.matches(path) for glob in self.allow_in)


class Registry:
    """What must not be in the clear, and why. Faults of value are in `faults`; others are raised."""

    def __init__(self, document):
        sets = document["rule_sets"]
        if not sets:
            raise Fault("no set of rules")
        globs = [glob for set_ in sets for rule in set_["rules"] for glob in (rule["paths"] or []) + (rule["allow_in"] or [])]
        if len(globs) > 8320 or sum(len(glob.encode()) for glob in globs) > 270336:
            raise Fault("too many globs")
        if not all(is_object_id(blob) for set_ in sets for blob in set_["allow"] or []):
            raise Fault("an exception that is no id")
        self.sets = [([Rule(rule) for rule in set_["rules"]], set_["allow"] or []) for set_ in sets]
        self.rules = [rule for rules, _ in self.sets for rule in rules]
        self.exceptions = [blob for _, allow in self.sets for blob in allow]
        self.faults = list(self.find_faults(sets))

    @staticmethod
    def find_faults(sets):
        for set_ in sets:
            if set_["allow"] is not None and (not set_["allow"] or set_["allow"] != sorted(set(set_["allow"]))):
                yield "exceptions that are empty, or not sorted"
            if any(rule[name] == [] for rule in set_["rules"] for name in ("paths", "formats", "allow_in")):
                yield "an empty list"
            count = sum(rule["origin"] == "built-in" for rule in set_["rules"])
            written = [
                {
                    "class": kind, "paths": paths.split() or None, "formats": formats.split() or None, "policy": "never",
                    "origin": "built-in", "allow_in": None,
                }
                for kind, paths, formats in BUILT_IN[:count]
            ]
            if count not in BUILT_IN_LENGTHS or set_["rules"][:count] != written:
                yield "other built-in rules"

    def blob(self, content):
        """The id that git gives to these bytes, in the hash of the ids of the registry."""
        method = hashlib.sha256 if self.exceptions and len(self.exceptions[0]) == 64 else hashlib.sha1
        return method(b"blob %d\0" % len(content) + content).hexdigest()

    @staticmethod
    def decide(rules, path, formats, wide=False):
        """The rule that decides, and what matches."""
        found = ((rule, rule.match(path, formats, wide)) for rule in reversed(rules))
        return next(((rule, matched) for rule, matched in found if matched), (None, None))

    def verdict(self, path, formats=(), blob=None, wide=False):
        """Class, policy and rule of the strictest set, or None."""
        if below_run_outputs(path):
            return "pack-run", "never", "_PACK_RUN/**"
        strictest = None
        for rules, allow in self.sets:
            if blob in allow:
                continue
            if "private-key" in formats:
                verdict = "key", "never", "content: private-key"
            else:
                rule, matched = self.decide(rules, path, formats, wide)
                if rule is None or rule.releases(path):
                    continue
                verdict = rule.kind, rule.policy, matched
            if strictest is None or STRICTNESS[verdict[1]] >= STRICTNESS[strictest[1]]:
                strictest = verdict
        return strictest

    def judge(self, path, content, is_copy=False):
        """The policy that forbids a file in the clear, or None. A link or a submodule claims nothing by its name."""
        if below_run_outputs(path):
            return "never"
        claims = named_like_a_seal(path) and not is_copy
        if content is None:
            verdict = None if claims else self.verdict(path)
            return verdict and verdict[1]
        if is_whole_age(content) or is_whole_private_file(content):
            return None
        formats, blob = formats_of(content), self.blob(content)
        if claims:
            for rules, allow in self.sets:
                rule, _ = self.decide(rules, path, formats)
                if blob not in allow and not (rule and rule.releases(path)):
                    return "never"
        verdict = self.verdict(path, formats, blob)
        return verdict and verdict[1]

    def explains(self, artifact, tree_pack):
        """Whether class, policy and rule of an artifact are right."""
        kind, policy, rule = artifact["class"], artifact["policy"], artifact["rule"]
        if artifact["path"] is None or rule is None:
            return kind != "" and policy != "allowed"
        if rule.startswith("content: ") and rule[9:] in FORMATS:
            if rule[9:] == "private-key" and (kind, policy) == ("key", "never"):
                return True
            return any(rule[9:] in r.formats and (r.kind, r.policy) == (kind, policy) for r in self.rules)
        path = path_bytes(artifact["path"])
        return path is not None and any(
            self.explains_path(path, (kind, policy, rule), tree_pack, wide) for wide in (False, True)
        )

    def explains_path(self, path, reason, tree_pack, wide):
        verdict = self.verdict(path, wide=wide)
        kind, policy, _ = reason
        if verdict is None:
            return (kind, policy) == ("attached", "never") if tree_pack else kind != "" and policy != "allowed"
        return reason == verdict or (not tree_pack and STRICTNESS[policy] > STRICTNESS[verdict[1]])


# ---------------------------------------------------------------------------------------------------------------------
# Documents of a pack
# ---------------------------------------------------------------------------------------------------------------------

SEAL = {
    "nonce": text, "plain_bytes": integer, "sealed_bytes": integer, "sealed_hash": ref, "sealed_path": text,
    "stanzas": list_of(text),
}
SEALED = fields(
    {
        "artifact_count": integer,
        "artifacts": list_of(
            fields({**SEAL, "class": text, "policy": POLICY}, {"padded": true_or_false, "path": text, "rule": text})
        ),
        "mode": word("public", "internal"), "registry_hash": ref, "sealed_digest": text, "version": word("pack.sealed.v0"),
    },
    {"index": fields(SEAL, {"padded": true_or_false})},
)
STATE = fields(
    {
        "canon_version": text, "grammar_version": text, "scope": text,
        "files": list_of(fields({"hash": bare_hash, "path": text, "size": integer}, {"mode": text})),
    }
)
PACK_INFO = fields(
    {
        "commit": text, "mode": word("public", "internal"), "scope": text, "stamp": text, "title": text, "tree": text,
        "version": text,
    },
    {
        "emit": list_of(word("full", "lite", "repo", "split")), "max_tokens": integer,
        "only": fields({}, {"exclude": list_of(text), "include": list_of(text)}),
    },
)
PROVENANCE = fields({"generator": text, "generator_version": text, "version": text})
FILE_INDEX = fields({"files": list_of(fields({"hash": bare_hash, "path": text, "size": integer}))})
CONTENTS = fields(
    {
        "buckets": list_of(text),
        "entries": list_of(
            fields({"bytes": integer, "kind": word("FILE", "SEALED"), "path": text, "ref": ref}, {"ext": text})
        ),
        "repo_state": fields({"commit": text, "tree": text}), "scope": text, "version": text,
    }
)
RUN_REFS = fields(
    {"manifest_ref": ref, "output_hashes_ref": ref, "status_ref": ref, "task_spec_ref": ref, "version": text}
)


def state_digest(entries):
    """Of path bytes, hash and size of each entry."""
    lines = (b"%s %d %s\n" % (hash_.encode(), size, path) for path, hash_, size in sorted(entries))
    return "sha256:" + sha256(b"".join(lines))


def is_padme(size):
    if size < 8:
        return False
    exponent = size.bit_length() - 1
    zeros = exponent - exponent.bit_length()
    return size % (1 << zeros) == 0


def draw_tree(paths):
    """meta/FILE_TREE.txt of these paths."""
    top = {}
    for path in paths:
        here = top
        for segment in path.split("/"):
            here = here.setdefault(segment, {})
    lines = ["./"]

    def draw(directory, indent):
        names = sorted(directory, key=bytewise)
        for name in names:
            last = name == names[-1]
            lines.append(indent + ("└── " if last else "├── ") + for_people(name) + ("/" if directory[name] else ""))
            draw(directory[name], indent + ("    " if last else "│   "))

    draw(top, "")
    return "".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape")


def extension(name):
    """What `ext` of an entry is: what follows the last dot of a name, if there is anything before and behind it."""
    head, dot, tail = name.rpartition("/")[2].rpartition(".")
    return tail if dot and head and tail else None


# ---------------------------------------------------------------------------------------------------------------------
# Texts: FULL/ and SPLIT/
# ---------------------------------------------------------------------------------------------------------------------

LINE_BYTES = 8 * MIB
EXPLANATION = """
Each file has a heading with its path and its size, and then its bytes as they are between two fences. A fence is longer
than any run of backticks in its file. Where a file does not end in a newline, the one before the closing fence is not
part of it.
"""
CONVERSIONS = """\
Where a heading says "converted from", the file has that encoding and that size, and stands here in UTF-8.
"""
PARTS = """\
Where a heading says "part", only that part of the file stands here. The other parts are in the files before and behind.
"""
LIST_EXPLANATION = """
Each file of the list below holds the texts of one directory at the top, or of those that are in none (ROOT). Read what
is named first, then what you need: sizes are in bytes, tokens are those of each text by itself.
"""
BUDGET_EXPLANATION = """
Each file of the list below holds as many texts as its budget of tokens allows, in one order. Read what is named first,
then what you need: sizes are in bytes. The tokens of a file are those of all of it, with its headings, and the tokens of
a text are those of the text by itself. A text that is larger than the budget is cut: its parts are in files in a row.
"""
LIST_SUFFIX = "-00_INDEX.md"
KINDS = {"binary": None, "binary, executable": "100755", "link": "120000", "submodule": "160000"}
# The names of the Encoding Standard, and how Python calls them.
ENCODINGS = {
    "IBM866": "cp866", "KOI8-R": "koi8_r", "KOI8-U": "koi8_u", "macintosh": "mac_roman", "windows-874": "cp874",
    "x-mac-cyrillic": "mac_cyrillic", "GBK": "gbk", "gb18030": "gb18030", "Big5": "big5hkscs", "EUC-JP": "euc_jp",
    "Shift_JIS": "cp932", "EUC-KR": "cp949", "UTF-16BE": "utf_16_be", "UTF-16LE": "utf_16_le", "ISO-8859-8-I": "iso8859_8",
    **{f"ISO-8859-{n}": f"iso8859_{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    **{f"windows-{n}": f"cp{n}" for n in range(1250, 1259)},
}


def longest_run(shown):
    return max((len(run) for run in re.findall("`+", shown)), default=0)


def code_span(name):
    shown = for_people(name)
    ticks = "`" * (longest_run(shown) + 1)
    blank = " " if shown.startswith(("`", " ")) or shown.endswith(("`", " ")) else ""
    return ticks + blank + shown + blank + ticks


def read_span(line):
    """The name in the code span that a line begins with, and what follows it."""
    ticks = re.match("`*", line).group()
    match = re.match(f"{ticks}(.+?)(?<!`){ticks}(?!`)", line) if ticks else None
    if not match:
        raise Fault("no path")
    shown = match.group(1)
    for candidate in (shown, shown[1:-1]):
        name = from_people(candidate).decode("utf-8", "surrogateescape")
        if code_span(name) == match.group():
            return name, line[match.end() :]
    raise Fault("a path that is written otherwise")


def is_text(content):
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in content


def encode(content, encoding):
    """UTF-8, converted to another encoding."""
    if encoding not in ENCODINGS:
        raise Fault(f"{encoding} has no way back")
    result = []
    for character in content.decode():
        try:
            result.append(character.encode(ENCODINGS[encoding]))
        except UnicodeEncodeError as error:
            # The Encoding Standard fills the gaps of these with control characters.
            if not (encoding.startswith("windows-") and "\x80" <= character <= "\x9f"):
                raise Fault(f"a character that {encoding} does not have") from error
            result.append(character.encode("latin-1"))
    return b"".join(result)


class Text:
    """A text, or a part of one."""

    def __init__(self, path, heading):
        match = re.fullmatch(
            r" · (\d+) B( · executable)?(?: · converted from (\S+), (\d+) B)?"
            r"(?: · part (\d+) of (\d+), from byte (\d+) of (\d+))?",
            heading,
        )
        if not match:
            raise Fault("a heading that is none")
        self.path, self.executable, self.encoding = path, match.group(2) is not None, match.group(3)
        numbers = [None if number is None else int(number) for number in match.group(1, 4, 5, 6, 7, 8)]
        self.size, self.file_size, self.number, self.parts, self.first, self.total = numbers
        self.body = b""

    @property
    def bucket(self):
        return self.path.split("/")[0] if "/" in self.path else None

    def conversion(self):
        return f" · converted from {self.encoding}, {self.file_size} B" if self.encoding else ""

    def part(self):
        return f" · part {self.number} of {self.parts}, from byte {self.first} of {self.total}" if self.parts else ""

    def heading(self):
        executable = " · executable" if self.executable else ""
        return f"### {code_span(self.path)} · {self.size} B{executable}{self.conversion()}{self.part()}\n"

    def fence(self):
        return "`" * max(3, longest_run(self.body.decode()) + 1)

    def word(self):
        name = self.path.rpartition("/")[2]
        match = re.fullmatch(r".*\.([a-z0-9]{1,12})", name, re.DOTALL)
        return match.group(1) if match else ""

    def render(self):
        newline = "" if self.body == b"" or self.body.endswith(b"\n") else "\n"
        fence = self.fence()
        head = f"\n{self.heading()}\n{fence}{self.word()}\n".encode()
        return head + self.body + f"{newline}{fence}\n".encode()

    def content(self):
        """The bytes of the file, which has been put together if it was cut."""
        if not self.encoding:
            return self.body
        content = encode(self.body, self.encoding)
        if len(content) != self.file_size or is_text(content):
            raise Fault("a conversion of another file, or of one that needs none")
        return content

    def entry(self):
        content = self.content()
        return bytewise(self.path), sha256(content), len(content), "100755" if self.executable else None


class Subject:
    """What the files under FULL/ and SPLIT/ are of."""

    def __init__(self, title, scope, only, mode, commit, tree, state):
        self.title, self.scope, self.mode, self.commit, self.tree, self.state = title, scope, mode, commit, tree, state
        self.only = only

    def __eq__(self, other):
        return vars(self) == vars(other)

    def render(self, format_):
        narrowed = [f"- {word_}: {code_span(glob)}\n" for word_, glob in self.only]
        return (
            f"# {for_people(self.title)}\n\n- format: {format_}\n- scope: {self.scope}\n{''.join(narrowed)}- mode: {self.mode}\n"
            f"- commit: {self.commit}\n- tree: {self.tree}\n- state: {self.state}\n"
        )


class Lines:
    """Lines of UTF-8, and bytes between them."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def line(self):
        end = self.data.find(b"\n", self.at, self.at + LINE_BYTES)
        if end < 0:
            raise Fault("a line that does not end, or is too long")
        line = self.data[self.at : end]
        self.at = end + 1
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            raise Fault("a line that is not UTF-8") from error

    def ahead(self, start):
        return self.data.startswith(start.encode(), self.at)

    def field(self, name):
        line = self.line()
        if not line.startswith(f"- {name}: "):
            raise Fault(f"no line of {name}")
        return line[len(name) + 4 :]

    def bytes(self, size):
        if self.at + size > len(self.data):
            raise Fault("it ends within a text")
        self.at += size
        return self.data[self.at - size : self.at]

    def skip(self, expected):
        if not self.ahead(expected):
            raise Fault(f"no {expected!r}")
        self.at += len(expected.encode())


class Texts:
    """A file under FULL/ or SPLIT/. It is read by its sizes, written again, and compared: only one form is right."""

    def __init__(self, data, format_, may_be_cut=False):
        self.format, self.others, self.anchors, self.sections = format_, [], [], []
        lines = Lines(data)
        self.read_head(lines)
        lines.skip(EXPLANATION)
        for more in (CONVERSIONS, PARTS):
            if lines.ahead(more):
                lines.skip(more)
        while lines.at < len(data):
            lines.skip("\n")
            self.read_section(lines)
        self.texts = [text_ for _, texts in self.sections for text_ in texts]
        self.check(may_be_cut)
        if self.render() != data:
            raise Fault("it is written otherwise")

    def read_head(self, lines):
        title = from_people(lines.line()[2:]).decode("utf-8", "surrogateescape")
        lines.skip("\n")
        lines.field("format")
        scope, only = lines.field("scope"), []
        for name in ("include", "exclude"):
            while lines.ahead(f"- {name}: "):
                only.append((name, read_span(lines.field(name))[0]))
        self.subject = Subject(title, scope, only, *map(lines.field, ("mode", "commit", "tree", "state")))
        if self.subject.mode not in ("public", "internal") or not is_ref(self.subject.state):
            raise Fault("a mode or a state that is none")
        self.counts = lines.field("texts")
        self.others_count = lines.field("not text") if self.format != "pack.split.v0" else None

    def read_section(self, lines):
        heading = lines.line()
        if heading == "## Read first":
            lines.skip("\n")
            while lines.ahead("- "):
                self.anchors.append(read_span(lines.line()[2:])[0])
        elif heading == "## Not text":
            lines.skip("\n")
            while lines.ahead("- "):
                path, rest = read_span(lines.line()[2:])
                match = re.fullmatch(r" · (\d+) B · ([a-z, ]+) · ([0-9a-f]{64})", rest)
                if not match or match.group(2) not in KINDS:
                    raise Fault("an entry that is none")
                self.others.append((path, int(match.group(1)), match.group(2), match.group(3)))
        elif heading.startswith("### ") and self.sections:
            text_ = Text(*read_span(heading[4:]))
            lines.skip("\n")
            fence = re.match("`*", lines.line()).group()
            text_.body = lines.bytes(text_.size)
            if text_.body and not text_.body.endswith(b"\n"):
                lines.skip("\n")
            lines.skip(fence + "\n")
            self.sections[-1][1].append(text_)
        elif heading.startswith("## "):
            name = None if heading == "## ROOT" else read_span(heading[3:])[0]
            if name is not None and not name.endswith("/"):
                raise Fault("a heading that is none")
            self.sections.append((name and name[:-1], []))
        else:
            raise Fault("a line that is none of these")

    def check(self, may_be_cut):
        paths = [text_.path for text_ in self.texts] + [other[0] for other in self.others]
        if len(set(paths)) != len(paths) or not all(is_safe(text_of_path(bytewise(path))) for path in paths):
            raise Fault("a path that is unsafe, or there twice")
        if len({bucket for bucket, _ in self.sections}) != len(self.sections):
            raise Fault("a bucket is there twice")
        for bucket, texts in self.sections:
            names = [bytewise(text_.path) for text_ in texts]
            if not texts or names != sorted(names) or any(text_.bucket != bucket for text_ in texts):
                raise Fault("texts in another order, or in another bucket")
        if self.others != sorted(self.others, key=lambda other: bytewise(other[0])):
            raise Fault("entries in another order")
        known = {text_.path for text_ in self.texts}
        if len(set(self.anchors)) != len(self.anchors) or not set(self.anchors) <= known:
            raise Fault("what is to be read first is no text, or named twice")
        for text_ in self.texts:
            if not is_text(text_.body):
                raise Fault("a text that is none")
            if text_.parts and not may_be_cut:
                raise Fault("a text is cut")
            if not text_.parts:
                text_.content()
        if self.format == "pack.full.v0" and state_digest(self.lines()) != self.subject.state:
            raise Fault("the entries have another digest")

    def entries(self):
        """The entries of the state that it holds or lists: path, hash, size and mode."""
        listed = [(bytewise(path), hash_, size, KINDS[kind]) for path, size, kind, hash_ in self.others]
        return [text_.entry() for text_ in self.texts] + listed

    def lines(self):
        return [entry[:3] for entry in self.entries()]

    def render(self):
        size = sum(text_.size for text_ in self.texts)
        head = self.subject.render(self.format) + f"- texts: {len(self.texts)} of {size} B\n"
        if self.others_count is not None:
            head += f"- not text: {len(self.others)}\n"
        head += EXPLANATION
        head += CONVERSIONS if any(text_.encoding for text_ in self.texts) else ""
        head += PARTS if any(text_.parts for text_ in self.texts) else ""
        if self.anchors:
            head += "\n## Read first\n\n" + "".join(f"- {code_span(path)}\n" for path in self.anchors)
        head += render_others(self.others)
        result = [head.encode()]
        for bucket, texts in self.sections:
            result.append(f"\n## {bucket_heading(bucket)}\n".encode())
            result += [text_.render() for text_ in texts]
        return b"".join(result)


def bucket_heading(bucket):
    return "ROOT" if bucket is None else code_span(bucket + "/")


def render_others(others):
    rows = (f"- {code_span(path)} · {size} B · {kind} · {hash_}\n" for path, size, kind, hash_ in others)
    return "\n## Not text\n\n" + "".join(rows) if others else ""


def bucket_word(bucket):
    """The part of a bucket in the name of its file."""
    return "ROOT" if bucket is None else re.sub("[^A-Z0-9._-]", "_", re.sub("[a-z]", lambda m: m.group().upper(), bucket[:40]))


TOKENS = re.compile(r" · \d+ tokens|^- tokens: \d+ of", re.MULTILINE)


def render_list(subject, files, others, anchors, budget, count):
    """SPLIT/<PREFIX>-00_INDEX.md. Without a tokenizer, each number of tokens is 0."""
    texts = [text_ for _, file, _ in files for text_ in file.texts]
    whole = sum(text_.number in (None, 1) for text_ in texts)
    size = sum(text_.size for text_ in texts)
    of_text = {id(text_): count(text_.body) for text_ in texts}
    lines = [subject.render("pack.split-index.v0"), f"- texts: {whole} of {size} B\n- not text: {len(others)}\n"]
    lines.append(f"- tokens: {sum(of_text.values())} of the vocabulary o200k_base, counted by bpe-openai\n")
    if budget:
        lines.append(f"- budget: {budget} tokens for each file\n")
    lines.append(BUDGET_EXPLANATION if budget else LIST_EXPLANATION)

    def row(text_, place=""):
        tokens = of_text[id(text_)]
        return f"- {code_span(text_.path)}{place} · {text_.size} B · {tokens} tokens{text_.conversion()}{text_.part()}\n"

    if anchors:
        lines.append("\n## Read first\n\n")
        for anchor in anchors:
            name, text_ = next((n, t) for n, file, _ in files for t in file.texts if t.path == anchor)
            lines.append(row(text_, f" in {name}"))
    for name, file, data in files:
        bucket = "" if budget else f" · {bucket_heading(file.sections[0][0])}"
        tokens = count(data) if budget else sum(of_text[id(text_)] for text_ in file.texts)
        size = sum(text_.size for text_ in file.texts)
        lines.append(f"\n## {name}{bucket} · {len(file.texts)} of {size} B · {tokens} tokens\n\n")
        lines += map(row, file.texts)
    return "".join(lines) + render_others(others)


class Tokenizer:
    """Byte pairs of the vocabulary o200k_base."""

    CONTRACTION = re.compile("'(?:s|t|re|ve|m|ll|d)", re.IGNORECASE)
    # Over classes of characters: U and L are letters in upper and lower case, O other letters, M marks, N numbers,
    # R line ends, B a blank, S other white space, F a slash, X the rest.
    WORD = re.compile(
        "(?P<letters>[^RULON]?(?:[UOM]*[LOM]+|[UOM]+[LOM]*))|N{1,3}|B?[^BSRULON]+[RF]*|[BSR]*R+|[BSR]+(?![^BSR])|[BSR]+"
    )

    def __init__(self, file):
        self.ranks = {}
        for line in Path(file).read_bytes().splitlines():
            token, rank = line.split()
            self.ranks[base64.b64decode(token)] = int(rank)

    @staticmethod
    def class_of(character):
        if character in "\r\n":
            return "R"
        if character == " ":
            return "B"
        if character == "/":
            return "F"
        if character.isspace() and character not in "\x1c\x1d\x1e\x1f":
            return "S"
        kind = unicodedata.category(character)
        known = {"Lu": "U", "Lt": "U", "Ll": "L", "Lm": "O", "Lo": "O"}
        return known.get(kind) or {"M": "M", "N": "N"}.get(kind[0], "X")

    def count(self, data):
        return sum(self.count_piece(piece) for piece in pieces(data))

    def count_piece(self, source):
        classes, at, tokens = "".join(map(self.class_of, source)), 0, 0
        while at < len(source):
            match = self.WORD.match(classes, at)
            end = match.end()
            if match.group("letters") and (contraction := self.CONTRACTION.match(source, end)):
                end = contraction.end()
            tokens += self.count_word(source[at:end].encode())
            at = end
        return tokens

    def count_word(self, source):
        if source in self.ranks:
            return 1
        parts = [source[i : i + 1] for i in range(len(source))]
        while len(parts) > 1:
            pairs = [(self.ranks.get(parts[i] + parts[i + 1], 1 << 30), i) for i in range(len(parts) - 1)]
            rank, i = min(pairs)
            if rank == 1 << 30:
                break
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
        return len(parts)


def pieces(data):
    """Pieces of at most 16 MiB, which end with whole characters."""
    while data:
        piece = data[:EXAMINED_BYTES].decode(errors="ignore")
        yield piece
        data = data[len(piece.encode()) :]


# ---------------------------------------------------------------------------------------------------------------------
# What stands beside a pack: signatures and attestations
# ---------------------------------------------------------------------------------------------------------------------

ARMOUR = re.compile(rb"-----BEGIN SSH SIGNATURE-----\n((?:[A-Za-z0-9+/=]+\n)+)-----END SSH SIGNATURE-----\n?")


def ssh_strings(data, count):
    """So many strings of the protocol of SSH, and what follows them."""
    strings = []
    for _ in range(count):
        if len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "big"):
            raise Fault("it ends early")
        end = 4 + int.from_bytes(data[:4], "big")
        strings.append(data[4:end])
        data = data[end:]
    return strings, data


def check_signature(content, manifest):
    """Raises if it is not a signature over this manifest; returns whether it could be checked at all."""
    match = ARMOUR.fullmatch(content)
    if not match:
        raise Fault("not in armour")
    lines = match.group(1).splitlines()
    if any(len(line) != len(lines[0]) for line in lines[:-1]) or len(lines[-1]) > len(lines[0]):
        raise Fault("lines of different lengths")
    joined = b"".join(lines)
    try:
        data = base64.b64decode(joined, validate=True)
    except binascii.Error as error:
        raise Fault("not base64") from error
    if base64.b64encode(data) != joined or data[:10] != b"SSHSIG" + struct.pack(">I", 1):
        raise Fault("not a signature of version 1 in canonical base64")
    (key, namespace, reserved, method, _), behind = ssh_strings(data[10:], 5)
    if namespace != b"git-pack" or reserved or behind or method not in (b"sha256", b"sha512"):
        raise Fault("another namespace or hash, or something that is reserved")
    (kind,), rest = ssh_strings(key, 1)
    if kind.startswith(b"ssh-dss"):
        raise Fault("a DSA key")
    if kind.startswith(b"ssh-rsa"):
        numbers, _ = ssh_strings(rest, 3 if b"-cert-" in kind else 2)
        if int.from_bytes(numbers[-1], "big").bit_length() < 2048:
            raise Fault("an RSA key of less than 2048 bits")
    if not shutil.which("ssh-keygen"):
        return False
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        command = ["ssh-keygen", "-Y", "check-novalidate", "-n", "git-pack", "-s", file.name]
        run = subprocess.run(command, input=manifest, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    if run.returncode != 0:
        raise Fault("ssh-keygen rejects it")
    return True


def padded_base64(encoded):
    """Base64 of either kind, with padding and without stray bits."""
    for decode, write in ((base64.b64decode, base64.b64encode), (base64.urlsafe_b64decode, base64.urlsafe_b64encode)):
        try:
            data = decode(text(encoded).encode("ascii"))
        except (ValueError, binascii.Error):
            continue
        if write(data).decode() == encoded:
            return data
    raise Fault("not base64")


def object_(value):
    if not isinstance(value, dict):
        raise Fault("not an object")
    return value


def check_attestation(content, manifest):
    """Raises if it is not an attestation of this pack. No signature is checked."""
    envelope = object_(strict_json(content)[0])
    if envelope.get("payloadType") != "application/vnd.in-toto+json":
        raise Fault("another type")
    signatures = list_of(object_)(envelope.get("signatures"))
    if not 1 <= len(signatures) <= 64:
        raise Fault("no signatures, or too many")
    for signature in signatures:
        if not padded_base64(signature.get("sig")) or len(text(signature.get("keyid", "")).encode()) > 1024:
            raise Fault("a signature that is none")
    statement = object_(strict_json(padded_base64(envelope.get("payload")))[0])
    if statement.get("_type") != "https://in-toto.io/Statement/v1":
        raise Fault("another type of statement")
    if not 1 <= len(text(statement.get("predicateType")).encode()) <= 1024:
        raise Fault("a predicate of no type")
    predicate = object_(statement.get("predicate", {}))
    if statement["predicateType"].startswith("https://slsa.dev/verification_summary/") and predicate.get("verificationResult") != "PASSED":
        raise Fault("a summary of a verification that did not pass")
    subjects = list_of(object_)(statement.get("subject"))
    hashes = {member["path"]: member["bytes_hash"] for member in manifest.members}
    for subject in subjects:
        digest = object_(subject.get("digest"))
        if not digest or not all(isinstance(value, str) for value in digest.values()):
            raise Fault("a subject without a digest")
        name, sha = text(subject.get("name", "")), digest.get("sha256")
        if sha is not None:
            bare_hash(sha)
        if sha is not None and name in hashes and hashes[name] != f"sha256:{sha}":
            raise Fault(f"another hash of {name}")
    if not any(f"sha256:{subject['digest'].get('sha256')}" == manifest.pack_id for subject in subjects):
        raise Fault("about another pack")


# ---------------------------------------------------------------------------------------------------------------------
# Packs of cycles
# ---------------------------------------------------------------------------------------------------------------------

GENOME_NAME = re.compile("genome_([0-9a-f]{12})[.]dat")
CYCLE = 24


def genome_header_faults(name, data):
    """The codes of what is wrong with the name and the header of a pack of cycles."""
    match = GENOME_NAME.fullmatch(name)
    if not match:
        yield "GENOME_NAME"
    if len(data) < 128:
        yield "GENOME_HEADER_SHORT"
        return
    magic, version, flags, length, number = struct.unpack_from("<4sBBHI", data)
    faults = {
        "GENOME_MAGIC": magic != b"GYRO", "GENOME_VERSION": version != 2, "GENOME_FLAGS": flags != 0,
        "GENOME_HEADER_SIZE": length != 128, "GENOME_RESERVED": data[120:128] != bytes(8),
    }
    yield from (code for code, is_there in faults.items() if is_there)
    if match and not any(faults.values()) and int(match.group(1), 16) != number:
        yield "GENOME_START_INDEX"


def genome_faults(files, first=0):
    """Pairs of name and code for the packs of one directory, by name. The first may begin anywhere if `first` is None."""
    expected = first
    for name in sorted(files):
        data = files[name]
        yield from ((name, code) for code in genome_header_faults(name, data))
        match = GENOME_NAME.fullmatch(name)
        cycles = max(0, len(data) - 128)
        if cycles % CYCLE:
            yield name, "GENOME_TORN"
        if not match:
            continue
        start = int(match.group(1), 16)
        if expected is not None and start != expected:
            yield name, "GENOME_GAP" if start > expected else "GENOME_OVERLAP"
        expected = max(expected or 0, start + cycles // CYCLE)


def read_store(store):
    """The packs of each shard, and the paths of what is neither."""
    shards, foreign = {}, []
    top = Path(store, "agency", "g1_information")
    if not top.is_dir():
        raise Refusal(f"no agent store at {store}", "E_USAGE")
    for shard in os.scandir(top):
        if not (shard.is_dir(follow_symlinks=False) and re.fullmatch("[0-9a-f]{2}", shard.name)):
            foreign.append(shard.name)
            continue
        packs = shards.setdefault(shard.name, {})
        for file in os.scandir(shard.path):
            if file.is_file(follow_symlinks=False) and re.fullmatch("genome_.*[.]dat", file.name):
                packs[file.name] = Path(file.path).read_bytes()
            else:
                foreign.append(f"{shard.name}/{file.name}")
    return shards, foreign


def whole_cycles(pack):
    return pack[: 128 + (len(pack) - 128) // CYCLE * CYCLE]


def compare_shard(before, now):
    """The first difference of a shard from an earlier state of it, and packs that cannot be compared."""
    same = True
    for name, old in sorted(before.items()):
        old, new = whole_cycles(old), now.get(name)
        if new is not None and len(new) < 128:
            yield name, "GENOME_UNREADABLE"
        elif same and new is None:
            yield name, "GENOME_LOST"
            same = False
        elif same and new[:128] != old[:128]:
            yield name, "GENOME_HEADER_DIFFERS"
            same = False
        elif same and new[: len(old)] != old:
            new = whole_cycles(new)
            yield name, "GENOME_DIFFERS" if old[: len(new)] != new else "GENOME_LOST"
            same = False


def earlier_shards(store):
    """The packs of an earlier state, which must be sound to prove anything; only cycles may be cut short."""
    shards, foreign = read_store(store)
    for packs in shards.values():
        foreign += [name for name, code in genome_faults(packs) if code != "GENOME_TORN"]
    if foreign:
        raise Refusal("the earlier state has faults", "E_CORRUPT")
    return shards


def verify_store(store, earlier=None):
    """The lines of the report about an agent store."""
    shards, foreign = read_store(store)
    if not any(shards.values()) and not foreign and not earlier:
        raise Refusal("no packs of cycles", "E_USAGE")
    found = {(path, "GENOME_FOREIGN") for path in foreign}
    for shard, packs in shards.items():
        found |= {(f"{shard}/{name}", code) for name, code in genome_faults(packs)}
    if earlier:
        for shard, before in earlier_shards(earlier).items():
            found |= {(f"{shard}/{name}", code) for name, code in compare_shard(before, shards.get(shard, {}))}
    ordered = sorted(found, key=lambda item: (bytewise(item[0]), item[1]))
    return [f"{code} agency/g1_information/{path}" for path, code in ordered]


# ---------------------------------------------------------------------------------------------------------------------
# The verdict
# ---------------------------------------------------------------------------------------------------------------------

CODES = """PACK_ID_MISMATCH MEMBER_COUNT_MISMATCH DUPLICATE_MEMBER_PATH RESERVED_MEMBER_PATH UNSAFE_MEMBER_PATH MISSING_MEMBER
NON_REGULAR_MEMBER UNREADABLE_MEMBER HASH_MISMATCH EXTRA_MEMBER SCHEMA_VIOLATION SEAL_MISSING SEAL_TAMPERED SEAL_UNDECLARED
SEAL_UNOPENABLE PLAINTEXT_LEAK REPO_STATE_MISMATCH CANON_VERSION_MISMATCH GRAMMAR_VERSION_MISMATCH SIGNATURE_MISSING
SIGNATURE_INVALID SIGNER_UNKNOWN SIGNER_NOT_VALID_THEN SIGNER_REVOKED ATTESTATION_INVALID ATTESTATION_MISSING""".split()
DOCUMENT_BYTES = 64 * MIB


class Verifier:
    """Makes every check of docs/format.md, "Verifying", whatever the others found."""

    def __init__(self, pack, tokenizer=None):
        self.pack, self.tokenizer = pack, tokenizer
        self.findings, self.notices, self.contents, self.notes = {}, set(), {}, set()
        if pack.kind("manifest.json") != "file":
            raise Refusal("no manifest.json")
        self.manifest = Manifest(pack.read("manifest.json"))
        self.paths = {member["path"] for member in self.manifest.members}
        self.tree_pack = any(path.startswith("repo/") for path in self.paths) or any(
            path in self.paths for path in SIX if path not in ("meta/REPO_STATE.json", "meta/PROTECTED.json")
        )
        self.check_manifest()
        self.check_members()
        self.extra = self.check_closed_set()
        self.read_documents()
        self.check_seals()
        self.check_types()
        self.check_state()
        self.check_info()
        self.check_indices()
        self.check_copies()
        self.check_texts()
        self.check_leaks()
        self.check_contents()
        self.check_attached()

    def find(self, code, path, detail):
        """Notes a finding, once for a path."""
        self.findings.setdefault((path, code), str(detail))

    def schema(self, path, detail):
        self.find("SCHEMA_VIOLATION", path, detail)

    def notice(self, code, path, detail):
        """What another maker may do differently; only this program makes tree packs."""
        if self.tree_pack:
            self.schema(path, detail)
        else:
            self.notices.add((path, code))

    def report(self):
        """The lines of the answer, as the test vectors have them."""

        def shown(path):
            return "-" if path is None else json.dumps(path, ensure_ascii=False)[1:-1] or '""'

        def order(item):
            return item[0] is not None, bytewise(item[0] or ""), CODES.index(item[1])

        lines = [f"{code} {shown(path)}" for path, code in sorted(self.findings, key=order)]
        notices = sorted(self.notices, key=lambda item: (bytewise(item[0]), item[1]))
        return lines, [f"NOTICE {code} {shown(path)}" for path, code in notices]

    # 1. The envelope

    def check_manifest(self):
        manifest = self.manifest
        if manifest.id != manifest.pack_id:
            self.find("PACK_ID_MISMATCH", None, f"it is {manifest.id}")
        if manifest.member_count != len(manifest.members):
            self.find("MEMBER_COUNT_MISMATCH", None, f"there are {len(manifest.members)}")
        if not is_ref(manifest.pack_id):
            self.schema("pack_id", "not a content ref")
        for name in manifest.unknown:
            self.schema(name, "an unknown field")
        time = parse_time(manifest.created)
        if time is None:
            self.schema("created", "not a time")
        elif not time[1]:
            self.notice("NOT_CANONICAL", "created", "a time that is spelled otherwise")
        if not manifest.spelled:
            self.notice("NOT_CANONICAL", "manifest.json", "not in canonical form")
        nulls = (["note"] if manifest.null_note else []) + [m["path"] for m in manifest.members if m["null"]][:1]
        for path in nulls if self.tree_pack else []:
            self.schema(path, "null")
        before, seen = None, set()
        for member in manifest.members:
            path = member["path"]
            if path in seen:
                self.find("DUPLICATE_MEMBER_PATH", path, "declared more than once")
            elif before is not None and bytewise(path) < bytewise(before):
                self.schema(path, "out of order")
            if path == "manifest.json":
                self.find("RESERVED_MEMBER_PATH", path, "reserved")
            if not is_safe(path):
                self.find("UNSAFE_MEMBER_PATH", path, "unsafe")
            if member["unknown"] or member["type"] not in TYPES or not is_ref(member["bytes_hash"]):
                self.schema(path, "an unknown field or type, or a hash that is none")
            seen.add(path)
            before = path

    # 2. and 3. The members, and nothing else

    def check_members(self):
        for member in self.manifest.members:
            path = member["path"]
            if path == "manifest.json" or not is_safe(path) or path in self.contents:
                continue
            kind = self.pack.kind(path)
            self.contents[path] = None
            if kind != "file":
                codes = {"missing": "MISSING_MEMBER", "other": "NON_REGULAR_MEMBER", "unreadable": "UNREADABLE_MEMBER"}
                self.find(codes[kind], path, kind)
                continue
            try:
                self.contents[path] = self.pack.read(path)
            except OSError as error:
                self.find("UNREADABLE_MEMBER", path, error)
                continue
        for member in self.manifest.members:
            content = self.contents.get(member["path"])
            if content is not None and member["bytes_hash"] != "sha256:" + sha256(content):
                self.find("HASH_MISMATCH", member["path"], "another hash")

    def check_closed_set(self):
        extra = [path for path in self.pack.everything() if path != "manifest.json" and path.rstrip("/") not in self.paths]
        for path in extra:
            self.find("EXTRA_MEMBER", path, "not declared")
        return extra

    # Documents

    def content(self, path):
        return self.contents.get(path) if path in self.paths else None

    def document(self, path, shape, must_be_canonical=False):
        """A document that can be read, or None. All faults are noted."""
        data = self.content(path)
        if data is None:
            return None
        try:
            if len(data) > DOCUMENT_BYTES:
                raise Fault("more than 64 MiB")
            value, canonical_form = strict_json(data)
            if data != canonical_form + b"\n" or has_null(value):
                self.schema(path, "not in canonical form")
                if must_be_canonical:
                    return None
            return shape(value)
        except Fault as fault:
            self.schema(path, fault)
            return None

    def read_documents(self):
        self.sealed = self.document("SEALED_ARTIFACTS.json", SEALED)
        self.state = self.document("meta/REPO_STATE.json", STATE)
        self.info = self.document("meta/PACK_INFO.json", PACK_INFO)
        self.registry = None
        document = self.document("meta/PROTECTED.json", REGISTRY)
        if document:
            try:
                self.registry = Registry(document)
                for fault in self.registry.faults:
                    self.schema("meta/PROTECTED.json", fault)
            except Fault as fault:
                self.schema("meta/PROTECTED.json", fault)
        needed = set(DOCUMENTS) if self.tree_pack else set()
        if "meta/REPO_STATE.json" in self.paths:
            needed |= {"SEALED_ARTIFACTS.json", "meta/PROTECTED.json"}
        if "meta/PROTECTED.json" in self.paths:
            needed.add("SEALED_ARTIFACTS.json")
        for path in needed - self.paths:
            self.schema(path, "missing")
        if self.content("SEALED_ARTIFACTS.json") is not None and "meta/PROTECTED.json" not in self.paths:
            self.schema("SEALED_ARTIFACTS.json", "it is there without a registry")
        parts = {"FULL": "full", "SPLIT": "split", "LITE": "lite"}
        for path in self.paths if self.tree_pack else ():
            top, _, rest = path.partition("/")
            if top not in ("repo", "sealed", *parts) and path not in DOCUMENTS:
                self.schema(path, "a tree pack has no such member")
            elif (top == "LITE" and path not in LITE) or (path not in DOCUMENTS and not rest):
                self.schema(path, "a tree pack has no such member")
            elif self.info and self.state and top in parts and rest and parts[top] not in self.emit():
                self.schema(path, "emit does not name this part")

    def emit(self):
        """The parts of the pack."""
        return ["repo"] if self.info is None or self.info["emit"] is None else self.info["emit"]

    # 4. Seals

    def declared_seals(self):
        if not self.sealed:
            return []
        index = self.sealed["index"]
        return self.sealed["artifacts"] + ([index] if index else [])

    def check_seals(self):
        declared = {seal["sealed_path"] for seal in self.declared_seals()}
        for path in self.paths:
            if path.startswith("sealed/") and path not in declared:
                self.find("SEAL_UNDECLARED", path, "no document declares it")
        if not self.sealed:
            return
        self.check_sealed_document()
        hashes = set()
        for seal in self.declared_seals():
            path = seal["sealed_path"]
            there = is_safe(path) and path in self.paths
            if not there or self.pack.kind(path) == "missing":
                self.find("SEAL_MISSING", path, "declared, but not there")
                continue
            try:
                self.check_seal(seal)
                if seal["sealed_hash"] in hashes:
                    raise Fault("another seal has this hash")
            except Fault as fault:
                self.find("SEAL_TAMPERED", path, fault)
            hashes.add(seal["sealed_hash"])

    def check_sealed_document(self):
        sealed, here = self.sealed, "SEALED_ARTIFACTS.json"
        artifacts, index = sealed["artifacts"], sealed["index"]
        if sealed["artifact_count"] != len(artifacts):
            self.schema(here, "another number of artifacts")
        paths = [artifact["sealed_path"] for artifact in artifacts]
        if paths != sorted(set(paths), key=bytewise):
            self.schema(here, "artifacts are not sorted, or there twice")
        if any(seal["padded"] is False for seal in self.declared_seals()):
            self.schema(here, "padded is written out")
        raw, _ = strict_json(self.content(here))
        if sealed["sealed_digest"] != "sha256:" + sha256(canonical({**raw, "sealed_digest": ""})):
            self.schema(here, "another digest")
        registry = self.content("meta/PROTECTED.json")
        if registry is None or sealed["registry_hash"] != "sha256:" + sha256(registry):
            self.schema(here, "another registry")
        named = [(artifact["path"] is not None, artifact["rule"] is not None) for artifact in artifacts]
        if index:
            if any(map(any, named)) or index["sealed_path"] != "sealed/INDEX.age" or not index["padded"]:
                self.schema(here, "names that are sealed and told, or an index that is none")
        elif not all(map(all, named)):
            self.schema(here, "names are missing")
        for artifact in artifacts:
            path = artifact["path"]
            name = artifact["sealed_hash"][7:39] if path is None else path
            if artifact["sealed_path"] != f"sealed/{name}.age" or (path is not None and not is_safe(path)):
                self.schema(here, "a path that is unsafe, or a seal of another name")
            if self.registry and not self.registry.explains(artifact, self.tree_pack):
                self.schema(here, f"another reason to seal {path}")
            for beside in (path, f"repo/{path}") if path is not None else ():
                if beside in self.paths:
                    self.find("PLAINTEXT_LEAK", beside, "it is beside its seal")

    def check_seal(self, seal):
        data = self.content(seal["sealed_path"])
        if data is None:
            raise Fault("not a file that can be read")
        if seal["sealed_hash"] != "sha256:" + sha256(data) or seal["sealed_bytes"] != len(data):
            raise Fault("another hash or size")
        if seal["padded"] and not is_padme(seal["plain_bytes"]):
            raise Fault("no padded content has this size")
        if not seal["sealed_path"].startswith("sealed/"):
            return
        age = Age(data)
        if age.stanzas != seal["stanzas"] or not age.has_recipient():
            raise Fault("other stanzas, or no recipient")
        if seal["nonce"] != base64.b64encode(age.nonce).decode().rstrip("=") or not age.may_hold(seal["plain_bytes"]):
            raise Fault("another nonce, or a payload of another length")
        if has_private_key(data):
            raise Fault("a private key can be read in it")

    # 5. Leaks

    def check_leaks(self):
        if not self.registry:
            return
        self.notes.add("of the formats of content, only age identities and faiss indices were looked for")
        declared = {seal["sealed_path"] for seal in self.declared_seals()}
        mode = self.sealed["mode"] if self.sealed else "public"
        modes = {entry["path"]: entry["mode"] for entry in self.state["files"]} if self.state else {}
        for path in self.paths - declared - set(DOCUMENTS):
            content = self.content(path)
            if not is_safe(path) or path == "manifest.json" or path.startswith("sealed/"):
                policies = [self.registry.judge(bytewise(path), None)]
            elif self.tree_pack and path.startswith("repo/"):
                copy_of = modes.get(path[5:]) in ("120000", "160000") and content is not None and len(content) <= 4096
                below = path_bytes(path[5:])
                policies = [self.registry.judge(bytewise(path[5:]) if below is None else below, content, copy_of)]
            elif self.tree_pack and path in self.texts:
                policies = list(self.judge_texts(self.texts[path]))
            elif self.tree_pack and path in self.lists:
                policies = []
            elif self.tree_pack and path.startswith(("FULL/", "SPLIT/")):
                policies = [self.registry.judge(bytewise(path), None)]
            else:
                policies = [self.registry.judge(bytewise(path), content)]
            if any(policy == "never" or (policy == "internal" and mode == "public") for policy in policies):
                self.find("PLAINTEXT_LEAK", path, "the registry protects it")

    def judge_texts(self, file):
        for text_ in file.texts:
            if not text_.parts:
                yield from self.judge_text(text_)
        for path, _, _, _ in file.others if not self.registry.exceptions else ():
            verdict = self.registry.verdict(bytewise(path))
            yield verdict and verdict[1]

    def judge_text(self, text_):
        """Both forms of a converted text."""
        path = bytewise(text_.path)
        yield self.registry.judge(path, text_.body)
        if text_.encoding:
            yield self.registry.judge(path, text_.content())

    # 6. and 7. The documents of a tree pack

    def check_state(self):
        self.digest = self.entries = None
        if not self.state:
            return
        here, files = "meta/REPO_STATE.json", self.state["files"]
        paths = [entry["path"] for entry in files]
        if paths != sorted(set(paths), key=bytewise):
            self.schema(here, "entries are not sorted, or there twice")
        if None in map(path_bytes, paths):
            self.schema(here, "a path that is spelled otherwise")
        if any(entry["mode"] not in (None, "100755", "120000", "160000") for entry in files):
            self.schema(here, "a mode that is none")
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", self.state["scope"]):
            self.schema(here, "a scope that is none")
        if self.state["grammar_version"] != "1.0":
            self.find("GRAMMAR_VERSION_MISMATCH", here, "made by other rules")
        self.entries = [
            (bytewise(entry["path"]) if (raw := path_bytes(entry["path"])) is None else raw, entry["hash"], entry["size"],
             entry["mode"])
            for entry in files
        ]
        self.digest = state_digest(entry[:3] for entry in self.entries)
        # Of entries with one path, which is a fault, the last one counts below.
        self.entries = list({entry[0]: entry for entry in self.entries}.values())

    def check_info(self):
        info, here = self.info, "meta/PACK_INFO.json"
        self.only = []
        if not info:
            return
        if self.sealed and info["mode"] != self.sealed["mode"]:
            self.schema(here, "another mode than that of the seals")
        if not self.state:
            return
        emit, budget = info["emit"], info["max_tokens"]
        if info["version"] != "pack.info.v0" or not is_object_id(info["commit"]) or not is_object_id(info["tree"]):
            self.schema(here, "another version, or a commit or tree that is none")
        if emit is not None and (emit in ([], ["repo"]) or emit != sorted(set(emit))):
            self.schema(here, "emit is written otherwise")
        if budget is not None and ("split" not in self.emit() or not 1000 <= budget <= 10_000_000):
            self.schema(here, "a budget that is none")
        if info["scope"] != self.state["scope"] or info["stamp"] != self.digest[7:19]:
            self.schema(here, "another scope or stamp than that of the state")
        if info["only"] is not None:
            self.check_only(info["only"])

    def check_only(self, only):
        here = "meta/PACK_INFO.json"
        if any(globs == [] for globs in only.values()) or not any(only.values()):
            self.schema(here, "an empty list of globs")
        self.only = [(name, glob) for name in ("include", "exclude") for glob in only[name] or []]
        try:
            include, exclude = ([Glob(glob) for glob in only[name] or []] for name in ("include", "exclude"))
        except Fault as fault:
            self.schema(here, fault)
            return
        for path, *_ in self.entries:
            taken = not include or any(glob.matches(path) for glob in include)
            if not taken or any(glob.matches(path) for glob in exclude):
                self.schema(here, "an entry that its globs do not take")

    def check_indices(self):
        """The program, the list of members and the drawing of members."""
        provenance = self.document("meta/PROVENANCE.json", PROVENANCE)
        if provenance and provenance["version"] != "pack.provenance.v0":
            self.schema("meta/PROVENANCE.json", "another version")
        index = self.document("meta/FILE_INDEX.json", FILE_INDEX)
        if index:
            listed = [(file["path"], "sha256:" + file["hash"]) for file in index["files"]]
            members = [(m["path"], m["bytes_hash"]) for m in self.manifest.members if m["path"] != "meta/FILE_INDEX.json"]
            sizes = all(
                self.content(file["path"]) is None or len(self.content(file["path"])) == file["size"] for file in index["files"]
            )
            if listed != members or not sizes:
                self.schema("meta/FILE_INDEX.json", "other members, hashes or sizes")
        drawn = self.content("meta/FILE_TREE.txt")
        if drawn is not None:
            paths = [path for path in self.paths if is_safe(path) and path != "meta/FILE_INDEX.json"]
            if drawn != draw_tree(paths):
                self.schema("meta/FILE_TREE.txt", "another drawing")

    def check_copies(self):
        """The files under repo/ are those of the state."""
        if not self.tree_pack or not self.state:
            return
        has_copies = "repo" in self.emit()
        known = set()
        for entry in self.state["files"] if has_copies else ():
            known.add(entry["path"])
            copy = self.content(f"repo/{entry['path']}")
            if copy is None or sha256(copy) != entry["hash"] or len(copy) != entry["size"]:
                self.find("REPO_STATE_MISMATCH", entry["path"], "no copy of it, or another one")
        there = {path for path in self.contents if self.pack.kind(path) != "missing"}
        for path in there | set(self.extra):
            below = path[5:].rstrip("/")
            if path.startswith("repo/") and below and below not in known:
                self.find("REPO_STATE_MISMATCH", below, "not in the state")

    # Texts

    def check_texts(self):
        """Reads the texts, also to judge them, and holds them to the state."""
        self.texts, self.lists = {}, []
        if not self.tree_pack:
            return
        budget = self.info["max_tokens"] if self.info else None
        self.lists = [path for path in self.paths if re.fullmatch(r"SPLIT/[A-Za-z0-9_-]{1,64}-00_INDEX\.md", path)]
        broken = {}
        for path in sorted(self.paths):
            if not path.startswith(("FULL/", "SPLIT/")) or path in self.lists or not is_safe(path):
                continue
            try:
                if self.is_unread(path):
                    raise Fault("it could not be read, or it is of another type")
                format_ = "pack.full.v0" if path.startswith("FULL/") else "pack.split.v0"
                may_be_cut = format_ == "pack.split.v0" and (self.info is None or budget is not None)
                self.texts[path] = Texts(self.content(path), format_, may_be_cut)
            except Fault as fault:
                broken[path] = fault
        if self.info and self.state:
            info = self.info
            self.subject = Subject(
                info["title"], info["scope"], self.only, info["mode"], info["commit"], info["tree"], self.digest
            )
            if "full" in self.emit():
                self.check_full(broken)
            if "split" in self.emit():
                self.check_split(self.lists, broken)

    def is_unread(self, path):
        return self.content(path) is None or any(m["path"] == path and m["type"] != "other" for m in self.manifest.members)

    def must_be_texts(self):
        """The paths of copies under repo/ that are texts; none if they are not judged."""
        if not self.registry:
            return set()
        copies = ((entry, self.content(f"repo/{entry['path']}")) for entry in self.state["files"])
        return {
            path_bytes(entry["path"]) for entry, copy in copies
            if entry["mode"] in (None, "100755") and copy is not None and is_text(copy)
        }

    def check_full(self, broken):
        members = [path for path in self.paths if path.startswith("FULL/")]
        fitting = [path for path in members if re.fullmatch(rf"FULL/[A-Za-z0-9_-]{{1,64}}-FULL-{self.digest[7:19]}\.md", path)]
        for path in set(members) - set(fitting):
            self.find("REPO_STATE_MISMATCH", path, "a name that none has")
        if len(fitting) != 1:
            self.schema("meta/PACK_INFO.json", "not one file of all texts")
        for path in fitting:
            if path in broken:
                self.schema(path, broken[path])
                continue
            file = self.texts[path]
            texts = {bytewise(text_.path) for text_ in file.texts}
            if file.subject != self.subject or set(file.entries()) != set(self.entries):
                self.find("REPO_STATE_MISMATCH", path, "of something else than the state")
            if not self.must_be_texts() <= texts:
                self.find("REPO_STATE_MISMATCH", path, "a text is only listed")

    def check_split(self, lists, broken):
        budget = self.info["max_tokens"]
        if len(lists) != 1:
            self.schema("meta/PACK_INFO.json", "not one list of texts")
            return
        prefix, files, wrong = lists[0][6:-len(LIST_SUFFIX)], [], self.is_unread(lists[0])
        if wrong:
            self.schema(lists[0], "it could not be read, or it is of another type")
        for path in self.paths:
            if not path.startswith("SPLIT/") or path in lists:
                continue
            match = re.fullmatch(r"SPLIT/([A-Za-z0-9_-]{1,64})-(\d{2,})_([A-Z0-9._-]+)\.md", path)
            if path in broken:
                self.schema(path, broken[path])
                wrong = True
                continue
            file = self.texts[path]
            if file.subject != self.subject:
                self.find("REPO_STATE_MISMATCH", path, "of something else than the state")
            buckets = [bucket for bucket, _ in file.sections]
            word_ = "PART" if budget else bucket_word(buckets[0]) if len(buckets) == 1 else None
            if not match or match.group(2) != f"{int(match.group(2)):02}" or match.group(1, 3) != (prefix, word_):
                self.schema(path, "a name that none has, or another number of buckets")
                wrong = True
            elif budget and self.tokenizer and self.tokenizer.count(self.content(path)) > budget:
                self.schema(path, "more tokens than the budget")
                wrong = True
            else:
                files.append((int(match.group(2)), path, file))
        files.sort(key=lambda item: (item[0], bytewise(item[1])))
        if not wrong:
            self.check_all_of_split(lists[0], files)

    def join_parts(self, files):
        """All texts, the parts put together; None if a text does not go on as it must, or stands elsewhere, which is noted."""
        texts, open_, buckets = [], None, set()
        for _, path, file in files:
            for number, text_ in enumerate(file.texts):
                expected = (open_.path, open_.number + 1, len(open_.body)) if open_ else None
                found = (text_.path, text_.number, text_.first)
                if open_ and (found != expected or (text_.parts, text_.total) != (open_.parts, open_.total)):
                    self.schema(path, "a part that does not go on")
                    return None
                before = texts[-1][1] if texts else None
                if not open_:
                    same = before is not None and before.bucket == text_.bucket
                    if bytewise(before.path) >= bytewise(text_.path) if same else text_.bucket in buckets:
                        self.schema(path, "a text that is out of order, or there twice")
                        return None
                    buckets.add(text_.bucket)
                if not open_ and text_.parts:
                    if number or (text_.number, text_.first) != (1, 0) or text_.parts < 2:
                        self.schema(path, "a part that begins otherwise")
                        return None
                    open_ = Text(text_.path, text_.heading()[4 + len(code_span(text_.path)) : -1])
                    open_.executable, open_.encoding, open_.file_size = text_.executable, text_.encoding, text_.file_size
                if text_.parts:
                    open_.body += text_.body
                    open_.number, last = text_.number, text_.number == text_.parts
                    if last != (len(open_.body) == text_.total) or (not last and number + 1 < len(file.texts)):
                        self.schema(path, "a part of another length")
                        return None
                    if not last:
                        continue
                    open_.parts, text_, open_ = None, open_, None
                texts.append((path, text_))
        if open_:
            self.schema(files[-1][1], "the last part is missing")
            return None
        return texts

    def check_all_of_split(self, list_path, files):
        budget = self.info["max_tokens"]
        texts = self.join_parts(files) if budget else [(path, text_) for _, path, file in files for text_ in file.texts]
        if texts is None:
            return
        paths = [text_.path for _, text_ in texts]
        numbers = [number for number, _, _ in files]
        one_each = budget or len({text_.bucket for _, text_ in texts}) == len(files)
        if numbers != list(range(1, len(files) + 1)) or len(set(paths)) != len(paths) or not one_each:
            self.schema(list_path, "the numbers of the files have a gap, or a text or a bucket is there twice")
            return
        known = {bytewise(path) for path in paths}
        kinds = {mode: kind for kind, mode in KINDS.items()}
        others = [(*entry[:3], entry[3] if entry[3] in kinds else None) for entry in self.entries if entry[0] not in known]
        found = []
        for path, text_ in texts:
            try:
                found.append(text_.entry())
            except (Fault, UnicodeDecodeError):
                self.find("REPO_STATE_MISMATCH", list_path, "a text that cannot be converted")
            if self.registry and text_.total is not None:
                mode = self.sealed["mode"] if self.sealed else "public"
                if any(p == "never" or (p == "internal" and mode == "public") for p in self.judge_text(text_)):
                    self.find("PLAINTEXT_LEAK", path, "the registry protects it")
        if set(found + others) != set(self.entries) or not self.must_be_texts() <= known:
            self.find("REPO_STATE_MISMATCH", list_path, "of something else than the state")
        listed = sorted(
            (path.decode("utf-8", "surrogateescape"), size, kinds[mode], hash_) for path, hash_, size, mode in others
        )
        self.check_list(list_path, [(path[6:], file, self.content(path)) for _, path, file in files], listed)

    def check_list(self, list_path, files, others):
        try:
            shown = self.content(list_path).decode()
            anchors = []
            if (at := shown.find("\n\n## Read first\n\n")) >= 0 and at < (shown + "\n\n## ").find("\n\n## ", 0) + 1:
                for line in shown[at + 17 :].split("\n"):
                    if not line.startswith("- "):
                        break
                    anchors.append(read_span(line[2:])[0])
            known = {text_.path for _, file, _ in files for text_ in file.texts}
            if len(set(anchors)) != len(anchors) or not set(anchors) <= known:
                raise Fault("what is to be read first is no text, or named twice")
            if not self.tokenizer:
                self.notes.add("tokens were not counted: --ranks names the vocabulary")
            count = self.tokenizer.count if self.tokenizer else lambda _: 0
            expected = render_list(self.subject, files, others, anchors, self.info["max_tokens"], count)
            hide = (lambda list_: list_) if self.tokenizer else (lambda list_: TOKENS.sub("", list_))
            if hide(shown) != hide(expected):
                raise Fault("it is not the list that follows from the files")
            self.compare_with_full(list_path, anchors, known)
        except (Fault, UnicodeDecodeError) as fault:
            self.schema(list_path, fault)

    def compare_with_full(self, list_path, anchors, known):
        for path, file in self.texts.items():
            if path.startswith("FULL/") and "full" in self.emit():
                prefix = path[5:].rpartition("-FULL-")[0]
                if prefix != list_path[6:-len(LIST_SUFFIX)] or file.anchors != anchors or {t.path for t in file.texts} != known:
                    raise Fault("FULL/ and SPLIT/ differ")

    # LITE/

    def check_contents(self):
        """The manifest of contents, the refs of the run, and the summary."""
        if not self.tree_pack or not self.info or not self.state or "lite" not in self.emit():
            return
        for path in LITE:
            if path not in self.paths:
                self.schema(path, "missing")
        contents = self.document(LITE[0], CONTENTS, must_be_canonical=True)
        if not contents:
            return
        entries = contents["entries"]
        self.check_entries(contents, entries)
        refs = self.document(LITE[1], RUN_REFS, must_be_canonical=True)
        if not refs:
            return
        if refs["version"] != "pack.run_refs.v0":
            self.schema(LITE[1], "another version")
        else:
            self.check_refs(refs)
        summary = self.content(LITE[2])
        if summary is not None and summary != self.summary(contents, refs).encode():
            self.schema(LITE[2], "another summary")

    def check_entries(self, contents, entries):
        expected = {}
        for file in self.state["files"]:
            expected[file["path"]] = ("FILE", "sha256:" + file["hash"], file["size"], extension(file["path"]))
        for seal in self.declared_seals():
            path = seal.get("path") or seal["sealed_path"]
            expected[path] = ("SEALED", seal["sealed_hash"], seal["sealed_bytes"], extension(path))
        found = {entry["path"]: (entry["kind"], entry["ref"], entry["bytes"], entry["ext"]) for entry in entries}
        for path in {*expected, *found}:
            if expected.get(path) != found.get(path):
                self.find("REPO_STATE_MISMATCH", path, "another entry in the manifest of contents")
        paths = [entry["path"] for entry in entries]
        buckets = {path.partition("/")[0] for path in paths if "/" in path}
        here = {"commit": self.info["commit"], "tree": self.info["tree"]}
        if (
            paths != sorted(set(paths), key=bytewise)
            or sorted(buckets) != sorted(contents["buckets"])
            or (contents["version"], contents["scope"], contents["repo_state"]) != ("P2.0", self.info["scope"], here)
        ):
            self.schema(LITE[0], "another order, or other buckets, or of another version, scope, commit or tree")

    def check_refs(self, refs):
        six = [path for path in SIX if path not in ("meta/FILE_INDEX.json", "meta/FILE_TREE.txt")]
        six += ["SEALED_ARTIFACTS.json", LITE[0]]
        documents = [self.content(path) for path in six]
        contents_ref = "sha256:" + sha256(self.content(LITE[0]))
        if refs["manifest_ref"] != contents_ref:
            self.schema(LITE[1], "another manifest")
        if None in documents:
            return
        sizes = {file["hash"]: file["size"] for file in self.state["files"]}
        sizes.update((seal["sealed_hash"][7:], seal["sealed_bytes"]) for seal in self.declared_seals())
        sizes.update((sha256(document), len(document)) for document in documents)
        outputs = sorted(sizes)
        snapshot = "".join(f"{output} {sizes[output]}\n" for output in outputs)
        hashes = record({"hashes": [f"sha256:{output}" for output in outputs], "version": "pack.output_hashes.v0"})
        status = record({
            "cas_snapshot_hash": "sha256:" + sha256(snapshot.encode()), "manifest_ref": contents_ref,
            "output_hashes_ref": refs["output_hashes_ref"], "state": "COMPLETED", "task_spec_ref": refs["task_spec_ref"],
            "verdict": "PASS", "version": "pack.status.v0",
        })
        if (refs["output_hashes_ref"], refs["status_ref"]) != (hashes, status):
            self.schema(LITE[1], "refs of another run")

    def summary(self, contents, refs):
        entries = contents["entries"]

        def total(chosen):
            chosen = list(chosen)
            return len(chosen), sum(entry["bytes"] for entry in chosen)

        lines = [
            f"# {for_people(self.info['title'])}\n\nWhat is in this pack by name and hash; no content.\n\n"
            f"* scope: {for_people(contents['scope'])}, {self.info['mode']}\n* commit: {contents['repo_state']['commit']}\n"
            f"* tree: {contents['repo_state']['tree']}\n* state: {self.digest}\n"
        ]
        for name, kind in (("files", "FILE"), ("sealed", "SEALED")):
            lines.append("* %s: %d, %d bytes\n" % (name, *total(entry for entry in entries if entry["kind"] == kind)))
        lines.append("\n| bucket | entries | bytes |\n|---|---:|---:|\n")
        rows = [("(top)", total(entry for entry in entries if "/" not in entry["path"]))]
        for bucket in contents["buckets"]:
            below = total(entry for entry in entries if entry["path"].startswith(bucket + "/"))
            rows.append((for_people(bucket).replace("|", "\\|"), below))
        lines += ["| %s | %d | %d |\n" % (name, *numbers) for name, numbers in rows if numbers[0]]
        lines.append("\n| record of the run | ref |\n|---|---|\n")
        names = ("TASK_SPEC", "task_spec_ref"), ("OUTPUT_HASHES", "output_hashes_ref"), ("STATUS", "status_ref")
        lines += [f"| {name} | {refs[key]} |\n" for name, key in (*names, ("PACK_MANIFEST", "manifest_ref"))]
        lines.append(
            "\n`PACK_MANIFEST.json` names every entry by path, ref and size; `git pack restore` rebuilds them from these.\n"
        )
        return "".join(lines)

    # 8. Types

    def check_types(self):
        genomes = {}
        for member in self.manifest.members:
            path, kind, version = member["path"], member["type"], member["version"]
            content = self.content(path)
            if content is None or path in DOCUMENTS or path.startswith("sealed/") or kind not in TYPES:
                continue
            if kind in ("other", "registry"):
                if kind == "other" and version in TYPES_BY_VERSION:
                    self.schema(path, "a version of another type")
                elif version is not None:
                    self.notice("ARTIFACT_VERSION_EXTRA", path, "a version that has no schema")
                continue
            if TYPES_BY_VERSION.get(version, kind) != kind:
                self.schema(path, "a version of another type")
                continue
            if kind == "genome":
                if version in (None, "2"):
                    directory, _, name = path.rpartition("/")
                    genomes.setdefault(directory, {})[name] = content
                    if version is None:
                        self.notice("ARTIFACT_VERSION_MISSING", path, "no version")
                continue
            if version is not None and version not in TYPES_BY_VERSION and kind != "profile":
                continue
            if len(content) > EXAMINED_BYTES:
                self.notice("NOT_EXAMINED", path, "more than 16 MiB")
                continue
            if kind == "profile":
                found = profile_version(content)
            else:
                recognised = recognise(content)
                found = recognised[1] if recognised and recognised[0] == kind else None
            if found is None or version not in (None, found):
                self.schema(path, f"not a {kind} of this version")
            elif version is None:
                self.notice("ARTIFACT_VERSION_MISSING", path, f"its version is {found}")
        for directory, packs in genomes.items():
            for name, code in genome_faults(packs, first=None):
                self.schema(f"{directory}/{name}" if directory else name, code)

    # Attached files

    def check_attached(self):
        seen = set()
        manifest = self.manifest.canonical + b"\n"
        for name, content in self.pack.attached if is_ref(self.manifest.pack_id) else ():
            signature = name.endswith(".sig")
            pattern = r"(\.[2-9]|\.[1-9]\d+)?\.sig" if signature else r"\.[1-9]\d*\.intoto\.jsonl"
            try:
                if not name.startswith(self.manifest.pack_id[7:]) or not re.fullmatch(pattern, name[64:], re.ASCII):
                    raise Fault("it does not belong here")
                if content is None:
                    raise Fault("not a file of at most 1 MiB")
                if content in seen:
                    continue
                seen.add(content)
                if len(seen) > 256 or sum(map(len, seen)) > 16 * MIB:
                    raise Fault("too many, or too large together")
                if not signature:
                    check_attestation(content, self.manifest)
                    self.notices.add((name, "ATTESTATION_NOT_CHECKED"))
                elif not check_signature(content, manifest):
                    self.notes.add("signatures were not checked: there is no ssh-keygen")
            except Fault as fault:
                self.find("SIGNATURE_INVALID" if signature else "ATTESTATION_INVALID", name, fault)


def record(document):
    """The ref of a record of a run."""
    return "sha256:" + sha256(canonical(document) + b"\n")


# ---------------------------------------------------------------------------------------------------------------------
# The command line, and the test vectors
# ---------------------------------------------------------------------------------------------------------------------


def verify(pack, tokenizer=None):
    """The lines of the answer about a pack, the details of the findings, and notes about the answer."""
    try:
        opened = Directory(pack) if os.path.isdir(pack) else Archive(pack)
        verifier = Verifier(opened, tokenizer)
    except Refusal as refusal:
        return [f"REFUSAL {refusal.code}"], {}, [str(refusal)]
    findings, notices = verifier.report()
    return ["INVALID" if findings else "OK", *findings, *notices], verifier.findings, sorted(verifier.notes)


def answer(vector, tokenizer):
    """The answer about a test vector."""
    if (vector / "store").is_dir():
        findings = verify_store(vector / "store", vector / "earlier" if (vector / "earlier").is_dir() else None)
        return ["INVALID" if findings else "OK", *findings]
    archive = vector / "pack.tar.zst"
    return verify(str(archive if archive.is_file() else vector / "pack"), tokenizer)[0]


def expected_answer(vector):
    """The lines of `expect`, in one spelling of their escapes."""
    lines = (vector / "expect").read_bytes().decode().split("\n")
    lines = [line for line in lines if line and not line.startswith("# ")]
    return [line if line.endswith('""') else json.dumps(json.loads(f'"{line}"'), ensure_ascii=False)[1:-1] for line in lines]


def run_vectors(directory, tokenizer):
    vectors = sorted(path for path in Path(directory).iterdir() if (path / "expect").is_file())
    differ = 0
    for vector in vectors:
        expected, found = expected_answer(vector), answer(vector, tokenizer)
        if expected != found:
            differ += 1
            print(f"{vector.name}\n  expected  {' | '.join(expected)}\n  found     {' | '.join(found)}")
    print(f"{len(vectors) - differ} of {len(vectors)} vectors agree")
    return 0 if vectors and not differ else 1


def main():
    parser = argparse.ArgumentParser(description="A second verifier of packs of git-pack.")
    parser.add_argument("pack", nargs="?", help="a pack: a directory, or an archive")
    parser.add_argument("--agent", nargs="+", metavar="STORE", help="an agent store, and an earlier state of it")
    parser.add_argument("--vectors", metavar="DIRECTORY", help="the test vectors")
    parser.add_argument("--ranks", metavar="FILE", help="the vocabulary o200k_base: a token in base64 and its rank a line")
    arguments = parser.parse_args()
    tokenizer = Tokenizer(arguments.ranks) if arguments.ranks else None
    if arguments.vectors:
        return run_vectors(arguments.vectors, tokenizer)
    if arguments.agent:
        try:
            findings = verify_store(*arguments.agent[:2])
        except Refusal as refusal:
            print(f"REFUSAL {refusal.code}\n  {for_people(str(refusal))}")
            return 2
        print("\n".join(["INVALID" if findings else "OK", *map(for_people, findings)]))
        return 1 if findings else 0
    if not arguments.pack:
        parser.error("name a pack")
    lines, findings, notes = verify(arguments.pack, tokenizer)
    print("\n".join(lines))
    for (path, code), detail in findings.items():
        print(f"  {code} {for_people(path or '-')}: {for_people(detail)}", file=sys.stderr)
    for note in notes:
        print(f"  {for_people(note)}", file=sys.stderr)
    return {"OK": 0, "INVALID": 1}.get(lines[0], 2)


if __name__ == "__main__":
    sys.exit(main())
