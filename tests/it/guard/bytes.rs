//! Small files of the formats that the guard recognises, built byte by byte or by the libraries that write them.

use std::path::Path;

/// A sample below `fixtures/content`.
pub fn sample(name: &str) -> Vec<u8> {
    std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures/content")
            .join(name),
    )
    .unwrap()
}

/// A faiss index of `n` vectors of 8 floats, stored flat and compared by distance.
pub fn faiss(n: usize) -> Vec<u8> {
    flat(b"IxF2", 1, n)
}

/// A faiss index of 4 such vectors, compared by inner product.
pub fn faiss_inner_product() -> Vec<u8> {
    flat(b"IxFI", 0, 4)
}

/// A flat index behind a map of ids.
pub fn faiss_id_map() -> Vec<u8> {
    let mut out = faiss_header(b"IxMp", 1, 4);
    out.extend(faiss(4));
    out.extend(4u64.to_le_bytes());
    for id in 0..4u64 {
        out.extend(id.to_le_bytes());
    }
    out
}

/// An inverted file with a flat quantizer and two lists of two vectors.
pub fn faiss_ivf() -> Vec<u8> {
    let mut out = faiss_header(b"IwFl", 1, 4);
    out.extend(2u64.to_le_bytes()); // lists
    out.extend(1u64.to_le_bytes()); // probes
    out.extend(faiss(2));
    out.push(0); // no direct map
    out.extend(0u64.to_le_bytes());
    out.extend(b"ilar");
    out.extend(2u64.to_le_bytes());
    out.extend(32u64.to_le_bytes());
    out.extend(b"full");
    out.extend(2u64.to_le_bytes());
    for _ in 0..2 {
        out.extend(2u64.to_le_bytes());
    }
    for list in 0..2u64 {
        out.extend(floats(16));
        out.extend((2 * list).to_le_bytes());
        out.extend((2 * list + 1).to_le_bytes());
    }
    out
}

fn flat(kind: &[u8; 4], metric: i32, n: usize) -> Vec<u8> {
    let mut out = faiss_header(kind, metric, n);
    out.extend((n as u64 * 8).to_le_bytes());
    out.extend(floats(n * 8));
    out
}

fn faiss_header(kind: &[u8; 4], metric: i32, n: usize) -> Vec<u8> {
    let mut out = kind.to_vec();
    out.extend(8i32.to_le_bytes());
    out.extend((n as i64).to_le_bytes());
    out.extend((1i64 << 20).to_le_bytes());
    out.extend((1i64 << 20).to_le_bytes());
    out.push(1);
    out.extend(metric.to_le_bytes());
    out
}

/// An hnswlib index of four vectors of 4 floats, all on the lowest level, with 16 links an element.
pub fn hnsw() -> Vec<u8> {
    let (count, links, data) = (4u64, 16u64, 16u64);
    let links_size = 2 * links * 4 + 4;
    let element = links_size + data + 8;
    let mut out = Vec::new();
    for word in [0, 10, count, element, links_size + data, links_size] {
        out.extend(word.to_le_bytes());
    }
    out.extend(0i32.to_le_bytes()); // the highest level
    out.extend(0u32.to_le_bytes()); // where a search enters
    for word in [links, 2 * links, links] {
        out.extend(word.to_le_bytes());
    }
    out.extend((1.0 / (links as f64).ln()).to_le_bytes());
    out.extend(200u64.to_le_bytes());
    for label in 0..count {
        let mut neighbours = vec![0; links_size as usize];
        neighbours[..2].copy_from_slice(&3u16.to_le_bytes());
        let others = (0..count as u32).filter(|other| u64::from(*other) != label);
        for (at, other) in others.enumerate() {
            neighbours[4 + 4 * at..8 + 4 * at].copy_from_slice(&other.to_le_bytes());
        }
        out.extend(neighbours);
        out.extend(floats(4));
        out.extend(label.to_le_bytes());
    }
    for _ in 0..count {
        out.extend(0u32.to_le_bytes());
    }
    out
}

/// A safetensors file with one 2 by 2 matrix.
pub fn safetensors() -> Vec<u8> {
    let header = br#"{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#;
    let padding = header.len().next_multiple_of(8) - header.len();
    let mut out = ((header.len() + padding) as u64).to_le_bytes().to_vec();
    out.extend(header);
    out.extend(std::iter::repeat_n(b' ', padding));
    out.extend(floats(4));
    out
}

/// A GGUF file with one key and one tensor.
pub fn gguf() -> Vec<u8> {
    let string = |out: &mut Vec<u8>, text: &str| {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.as_bytes());
    };
    let mut out = b"GGUF".to_vec();
    out.extend(3u32.to_le_bytes());
    out.extend(1u64.to_le_bytes());
    out.extend(1u64.to_le_bytes());
    string(&mut out, "general.architecture");
    out.extend(8u32.to_le_bytes());
    string(&mut out, "llama");
    string(&mut out, "token_embd.weight");
    out.extend(1u32.to_le_bytes());
    out.extend(8u64.to_le_bytes());
    out.extend(0u32.to_le_bytes());
    out.extend(0u64.to_le_bytes());
    out.resize(out.len().next_multiple_of(32), 0);
    out.extend(floats(8));
    out
}

/// What `torch.save` writes: a zip of a pickle and its storages.
pub fn torch() -> Vec<u8> {
    let mut pickle = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nq\x00((X\x07\x00\x00\x00storageq\x01".to_vec();
    pickle.extend(b"ctorch\nFloatStorage\nq\x02X\x01\x00\x00\x000q\x03X\x03\x00\x00\x00cpuq\x04K\x04tq\x05Q");
    pickle.extend(b"K\x00K\x04\x85q\x06K\x01\x85q\x07\x89ccollections\nOrderedDict\nq\x08)Rq\ttq\nRq\x0b.");
    zip(&[
        ("model/data.pkl", &pickle),
        ("model/byteorder", b"little"),
        ("model/data/0", &floats(4)),
        ("model/version", b"3\n"),
    ])
}

/// A NumPy array of eight floats.
pub fn npy() -> Vec<u8> {
    let mut header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (8,), }".to_vec();
    let length = (10 + header.len() + 1).next_multiple_of(64) - 10;
    header.resize(length - 1, b' ');
    header.push(b'\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((length as u16).to_le_bytes());
    out.extend(header);
    out.extend(floats(8));
    out
}

/// A Parquet file without rows: magic, a page's worth of bytes, the footer's metadata and its length.
pub fn parquet() -> Vec<u8> {
    let mut metadata = vec![0x15, 0x02, 0x19, 0x1c, 0x48, 6];
    metadata.extend(b"schema");
    metadata.extend([0x00, 0x16, 0x00, 0x19, 0x0c, 0x00]);
    let mut out = b"PAR1".to_vec();
    out.extend(&metadata);
    out.extend((metadata.len() as u32).to_le_bytes());
    out.extend(b"PAR1");
    out
}

fn floats(n: usize) -> Vec<u8> {
    (0..n).flat_map(|i| (i as f32 * 0.25 - 1.0).to_le_bytes()).collect()
}

/// gzip without compression.
pub fn gzip(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let mut chunks = data.chunks(0xffff).peekable();
    while let Some(chunk) = chunks.next() {
        out.push(u8::from(chunks.peek().is_none()));
        out.extend((chunk.len() as u16).to_le_bytes());
        out.extend((!(chunk.len() as u16)).to_le_bytes());
        out.extend(chunk);
    }
    out.extend(crc32(data).to_le_bytes());
    out.extend((data.len() as u32).to_le_bytes());
    out
}

/// A zstd frame of raw blocks.
pub fn zstd(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    out.extend((data.len() as u32).to_le_bytes());
    let mut chunks = data.chunks(1 << 17).peekable();
    while let Some(chunk) = chunks.next() {
        let header = (chunk.len() as u32) << 3 | u32::from(chunks.peek().is_none());
        out.extend(&header.to_le_bytes()[..3]);
        out.extend(chunk);
    }
    out
}

/// A zip archive of stored members.
pub fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let members: Vec<_> = members.iter().map(|(name, data)| (*name, 0, *data, *data)).collect();
    archive(&members)
}

/// A zip archive with one deflated member, from what `gzip` made of its data.
pub fn zip_deflated(name: &str, data: &[u8], gzipped: &[u8]) -> Vec<u8> {
    assert_eq!(gzipped[3], 0, "the gzip header has optional fields");
    archive(&[(name, 8, data, &gzipped[10..gzipped.len() - 8])])
}

fn archive(members: &[(&str, u16, &[u8], &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for (name, method, data, stored) in members {
        let mut common = Vec::new();
        common.extend(20u16.to_le_bytes());
        common.extend(0u16.to_le_bytes());
        common.extend(method.to_le_bytes());
        common.extend([0, 0, 0x21, 0x5a]);
        common.extend(crc32(data).to_le_bytes());
        common.extend((stored.len() as u32).to_le_bytes());
        common.extend((data.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend(0u16.to_le_bytes());
        directory.extend(b"PK\x01\x02");
        directory.extend(20u16.to_le_bytes());
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend((out.len() as u32).to_le_bytes());
        directory.extend(name.as_bytes());
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(*stored);
    }
    let at = out.len() as u32;
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend((members.len() as u16).to_le_bytes());
    out.extend((members.len() as u16).to_le_bytes());
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(at.to_le_bytes());
    out.extend([0, 0]);
    out
}

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

/// A Git LFS pointer.
pub fn lfs_pointer() -> String {
    format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 4096\n",
        "4d7a".repeat(16)
    )
}

#[test]
fn archives_are_what_their_tools_say() {
    let place = crate::common::Place::new();
    let check = |name: &str, bytes: Vec<u8>, program: &str, args: &[&str]| {
        crate::common::write(&place.path().join(name), bytes);
        let present = place.run(place.path(), "sh", &["-c", &format!("command -v {program}")]);
        if present.code == 0 {
            place.run(place.path(), program, args).ok();
        }
    };
    let data = faiss(3);
    check("a.gz", gzip(&data), "gzip", &["-t", "a.gz"]);
    check("a.zst", zstd(&data), "zstd", &["-q", "-t", "a.zst"]);
    check("a.zip", zip(&[("a", &data), ("b", b"")]), "unzip", &["-t", "a.zip"]);
    let gzipped = place.run(place.path(), "gzip", &["-dc", "a.gz"]).ok().stdout;
    assert_eq!(gzipped, data);
}
