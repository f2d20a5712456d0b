//! Small pushes that unpack to a very large amount.

use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;
use std::time::Duration;

use crate::common::{GIT_PACK, Repo};

/// The most that a server may spend on a push of under 1 MB: ten seconds on each of two cores, and this much memory.
const TIME: Duration = Duration::from_secs(20);
const MEMORY: u64 = 256 << 20;

/// The judgement of a push: exit status, message, processor time and memory.
struct Judged {
    code: i32,
    said: String,
    time: Duration,
    memory: u64,
}

/// Judges everything in the work tree as a server would: the objects exist, and the refs are about to change.
fn judge(repo: &Repo) -> Judged {
    repo.git(&["add", "-A", "-f"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "bombs"]).ok();
    let script = "git init -q --bare -b main ../remote.git; git push -q ../remote.git HEAD~1:refs/heads/main
        git push -q ../remote.git HEAD:refs/heads/new; cd ../remote.git; git update-ref -d refs/heads/new
        du -sk objects | cut -f1";
    let size = repo.place.run(&repo.root, "sh", &["-c", script]).ok().out();
    assert!(
        size.trim().parse::<u64>().unwrap() < 1300,
        "a push of {size} KiB is not small"
    );
    let (old, new) = (repo.rev("HEAD~1"), repo.rev("HEAD"));
    let mut command = repo.place.command(GIT_PACK, &repo.place.path().join("remote.git"));
    let mut child = command
        .args(["hook", "pre-receive"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{old} {new} refs/heads/main").unwrap();
    let (mut memory, mut time) = (0, Duration::ZERO);
    let status = loop {
        // The kernel reports time and memory until the process is reaped.
        time = time.max(processor_time(child.id()));
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<u64>().ok());
        memory = memory.max(peak.unwrap_or_default() << 10);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    Judged {
        code: status.code().unwrap(),
        said,
        time,
        memory,
    }
}

/// Returns the processor time of a process, which does not depend on the load: user and system time of `/proc/PID/stat`
/// (proc(5)), in hundredths of a second.
fn processor_time(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 10)
}

#[track_caller]
fn is_answered(what: &str, judged: &Judged) {
    let Judged { said, time, memory, .. } = judged;
    assert!(*time < TIME, "{what}: {time:?}");
    assert!(*memory < MEMORY, "{what}: {} MiB", memory >> 20);
    assert!(said.contains("EXAMINED_IN_PART"), "{what}: {said}");
}

/// The format, the size of the file `zeros` in MiB, and the command that makes `bomb` of it.
const BOMBS: [(&str, u32, &str); 8] = [
    ("gzip", 300, "gzip -1 <zeros >bomb"),
    ("zstd", 900, "zstd -q --long=27 <zeros >bomb"),
    (
        "xz",
        300,
        "xz -0 --lzma2=dict=64MiB,mode=fast,mf=hc3,nice=273 <zeros >bomb",
    ),
    ("bzip2", 300, "bzip2 -1 <zeros >bomb"),
    (
        "bzip2 of what does not run",
        60,
        "sed 's/./ab/g' <zeros | tr '\\000' c | bzip2 >bomb",
    ),
    ("tar in gzip in gzip", 280, "tar -c zeros | gzip -1 | gzip >bomb"),
    ("xz in xz in xz", 280, "xz -0 <zeros | xz -9 | xz -9 >bomb"),
    ("zstd in xz", 900, "zstd -q --long=27 <zeros | xz -9 >bomb"),
];

/// Gain: one small file keeps a server busy for minutes, or takes its memory.
#[test]
fn a_small_file_that_unpacks_to_very_much_is_answered() {
    for (what, megabytes, make) in BOMBS {
        let repo = Repo::set_up();
        let script = format!("truncate -s {megabytes}M zeros; {make}; rm zeros");
        repo.place.run(&repo.root, "sh", &["-c", &script]).ok();
        let judged = judge(&repo);
        assert_eq!(judged.code, 0, "{what}: {}", judged.said);
        is_answered(what, &judged);
    }
}

/// Gain: a hundred such files do so together, each within the bounds for one file.
#[test]
fn a_hundred_such_files_cost_no_more() {
    for (what, megabytes, pack) in [
        ("gzip", 8, "gzip"),
        ("xz", 8, "xz"),
        ("bzip2", 20, "bzip2"),
        ("zstd", 40, "zstd -q"),
    ] {
        let repo = Repo::set_up();
        // These formats allow several streams in a row.
        let script = format!(
            "truncate -s {megabytes}M zeros; {pack} -c zeros >bomb; rm zeros
            for n in $(seq 100); do (echo $n | {pack} -c; cat bomb) >bomb$n; done; rm bomb"
        );
        repo.place.run(&repo.root, "sh", &["-c", &script]).ok();
        let judged = judge(&repo);
        is_answered(what, &judged);
    }
}

/// Gain: an archive that contains itself, or lists one member a thousand times, is unpacked without end.
#[test]
fn entries_that_overlap_and_archives_in_archives_end_soon() {
    let repo = Repo::set_up();
    // Ten archives in each of ten archives, and so on; all of them share their bytes.
    let script = "import zipfile, io
data = b'0' * (1 << 20)
for depth in range(9):
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as z:
        for n in range(10): z.writestr('%d' % n, data)
    data = out.getvalue()
open('bomb', 'wb').write(data)
# Twenty thousand entries, each of which leads to the same megabyte.
import struct, zlib
packer = zlib.compressobj(9, 8, -15)
packed = packer.compress(b'1' * (1 << 20)) + packer.flush()
local = struct.pack('<IHHHHHIIIHH', 0x04034b50, 20, 0, 8, 0, 0, 0, len(packed), 1 << 20, 1, 0) + b'x' + packed
entry = struct.pack('<IHHHHHHIIIHHHHHII', 0x02014b50, 20, 20, 0, 8, 0, 0, 0, len(packed), 1 << 20, 1, 0, 0, 0, 0, 0, 0) + b'x'
names = b''.join(entry[:46] + b'x' for n in range(20000))
end = struct.pack('<IHHHHIIH', 0x06054b50, 0, 0, 20000, 20000, len(names), len(local), 0)
open('overlap', 'wb').write(local + names + end)
";
    let done = repo.place.run(&repo.root, "python3", &["-c", script]);
    done.ok();
    is_answered("nested", &judge(&repo));
}
