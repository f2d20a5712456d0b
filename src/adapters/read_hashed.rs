//! Reads a content to its end and hashes it, if it is large on another thread than the one that handles its bytes.

use std::io::{self, Read};
use std::sync::mpsc;

use crate::format::digest::{Digest, Hasher};

/// Number of bytes read at a time by one thread, which stay in its cache.
const FEW: usize = 128 << 10;

/// Number of bytes handed over at a time, and how many such buffers there are.
const MANY: usize = 256 << 10;
const BUFFERS: usize = 4;

/// The bytes of a content.
type Buffer = (Vec<u8>, usize);

/// Passes the bytes of `from` to `each`, and returns their hash.
pub fn read_hashed<E>(
    from: &mut dyn Read,
    unreadable: impl Fn(io::Error) -> E,
    mut each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<Digest, E> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; FEW];
    loop {
        match read(from, &mut buffer).map_err(&unreadable)? {
            0 => return Ok(hasher.finish()),
            n => {
                hasher.update(&buffer[..n]);
                each(&buffer[..n])?;
            }
        }
    }
}

/// Does the same, and hashes on another thread.
pub fn read_hashed_apart<E>(
    from: &mut dyn Read,
    unreadable: impl Fn(io::Error) -> E,
    mut each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<Digest, E> {
    let (give_back, free) = mpsc::channel::<Buffer>();
    let (to_hash, read_before) = mpsc::sync_channel::<Buffer>(BUFFERS);
    for _ in 0..BUFFERS {
        give_back.send((vec![0; MANY], 0)).expect("its receiver is here");
    }
    std::thread::scope(|scope| {
        let hashing = scope.spawn(move || {
            let mut hasher = Hasher::default();
            for (buffer, length) in read_before {
                hasher.update(&buffer[..length]);
                // At the end, nobody needs it any more.
                drop(give_back.send((buffer, length)));
            }
            hasher.finish()
        });
        // Both ends are open while the other thread has not panicked, which the join below would pass on.
        while let Ok((mut buffer, _)) = free.recv() {
            let length = read(from, &mut buffer).map_err(&unreadable)?;
            if length == 0 {
                break;
            }
            each(&buffer[..length])?;
            if to_hash.send((buffer, length)).is_err() {
                break;
            }
        }
        drop(to_hash);
        Ok(hashing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

fn read(from: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_pass_on_and_hash_every_byte() {
        for size in [0, 1, MANY, MANY + 1, 3_000_000] {
            let content: Vec<u8> = (0..size).map(|at| (at / 253) as u8).collect();
            let (mut near, mut apart) = (Vec::new(), Vec::new());
            let one = read_hashed(&mut &content[..], drop, |bytes| {
                near.extend_from_slice(bytes);
                Ok(())
            });
            let other = read_hashed_apart(&mut &content[..], drop, |bytes| {
                apart.extend_from_slice(bytes);
                Ok(())
            });
            assert_eq!(
                (one, other),
                (Ok(Digest::of(&content)), Ok(Digest::of(&content))),
                "{size}"
            );
            assert!(near == content && apart == content, "{size}");
        }
        let mut left = 3;
        let stopped = read_hashed_apart(
            &mut io::repeat(1),
            |_| "reading",
            |_| {
                left -= 1;
                if left == 0 { Err("stopped") } else { Ok(()) }
            },
        );
        assert_eq!(stopped, Err("stopped"));
        let mut failing = (&[1; 10][..]).chain(io::BufReader::new(Broken));
        assert_eq!(
            read_hashed_apart(&mut failing, |e| e.to_string(), |_| Ok(())),
            Err("broken".into())
        );
    }

    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }
}
