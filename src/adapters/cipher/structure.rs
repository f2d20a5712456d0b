//! The structure of an age file, as far as it can be judged without a key (c2sp.org/age).
//!
//! The crate accepts older headers that the specification rules out, and checks a stanza only with a matching key. So
//! this module parses the header strictly and checks the shape of every stanza whose type is known.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::LazyLock;

use age::Identity;
use age_core::format::Stanza;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::MAX_WORK_FACTOR;
use super::armour::dearmoured;
use crate::format::line_ends::LineEnds;
use crate::format::sealed::{SealHeader, is_chunked, is_grease};
use crate::refusal::keys::CipherFault;

/// Most bytes of an age header: enough for some thousand recipients. Parsing a longer one would take too long.
pub const MAX_HEADER: usize = 512 << 10;

const VERSION_LINE: &[u8] = b"age-encryption.org/v1\n";
/// The version line of a file whose line ends git, or a tool that takes it for text, has converted.
const CONVERTED_LINE: &[u8] = b"age-encryption.org/v1\r\n";
/// Size of the payload's nonce in bytes.
pub(super) const NONCE: usize = 16;
const MAC: usize = 32;
/// Characters of a full line of a stanza's body.
const COLUMNS: usize = 64;
/// One in so many newlines in random bytes stands behind a carriage return.
const RETURNS: u64 = 1 << 8;
/// With this many newlines, the number of the carriage returns before them shows whether they were taken out. Of the 32 to
/// be expected, one in 10^11 files has two or less. What is left where they are taken out is one in 256, behind another
/// return.
const TELLING: u64 = 32 * RETURNS;
/// With this many newlines and no carriage return before any of them, the returns may have been taken out: fewer than one in
/// 1000 files has none by chance.
const HINTING: u64 = 7 * RETURNS;
/// Size of a wrapped file key in bytes: the key and the authentication tag.
const WRAPPED_KEY: usize = 32;

/// A header and the payload's nonce that follows it.
pub(super) struct Head {
    /// All bytes, from the version line to the end of the nonce.
    pub(super) bytes: Vec<u8>,
    /// The stanzas, in order.
    pub(super) stanzas: Vec<Stanza>,
    /// Number of bytes that the MAC covers: from the start to the `---`, inclusive.
    pub(super) authenticated: usize,
}

/// Why a header could not be read.
pub(super) enum HeadError {
    /// The input could not be read.
    Io(io::Error),
    /// The line ends of the header were converted to CRLF.
    LineEnds,
    /// The bytes are not a valid header.
    Broken(String),
}

impl From<io::Error> for HeadError {
    fn from(e: io::Error) -> Self {
        // Truncated or badly armoured input is malformed. It is not an I/O failure.
        match e.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput => {
                Self::Broken(format!("it is not an age file: {}", super::one_line(&e)))
            }
            _ => Self::Io(e),
        }
    }
}

impl From<&str> for HeadError {
    fn from(why: &str) -> Self {
        Self::Broken(why.to_owned())
    }
}

impl Head {
    /// Reads the header and the nonce, not a byte more, and checks everything that can be checked without a key.
    pub(super) fn read(input: &mut impl BufRead) -> Result<Self, HeadError> {
        let mut bytes = Vec::new();
        let mut stanzas: Vec<Stanza> = Vec::new();
        next_line(input, &mut bytes)?;
        if bytes != VERSION_LINE {
            return Err(match bytes.starts_with(b"age-encryption.org/") {
                _ if bytes == CONVERTED_LINE => HeadError::LineEnds,
                true => "it is an age file, but not of version v1".into(),
                false if bytes.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----") => "it is armoured".into(),
                false => "it is not an age file".into(),
            });
        }
        let mut line = next_line(input, &mut bytes)?;
        let authenticated = loop {
            if bytes[line..].starts_with(b"---") {
                break line + 3;
            }
            let (tag, args) = stanza_line(&bytes[line..])?;
            let mut body = Vec::new();
            loop {
                line = next_line(input, &mut bytes)?;
                let text = &bytes[line..bytes.len() - 1];
                let decoded = STANDARD_NO_PAD.decode(text).ok().filter(|_| text.len() <= COLUMNS);
                body.extend(decoded.ok_or("the body of a stanza is not base64 in lines of 64 columns")?);
                if text.len() < COLUMNS {
                    break;
                }
            }
            stanzas.push(Stanza { tag, args, body });
            line = next_line(input, &mut bytes)?;
        };
        let mac = bytes[line..bytes.len() - 1]
            .strip_prefix(b"--- ")
            .and_then(|mac| STANDARD_NO_PAD.decode(mac).ok());
        if mac.is_none_or(|mac| mac.len() != MAC) {
            return Err("the MAC line of its header is malformed".into());
        }
        if stanzas.is_empty() {
            return Err("its header names no recipient".into());
        }
        let mut nonce = [0; NONCE];
        input.read_exact(&mut nonce).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => HeadError::from("it ends within the payload's nonce"),
            _ => e.into(),
        })?;
        bytes.extend_from_slice(&nonce);
        for stanza in &stanzas {
            check(stanza, stanzas.len())
                .map_err(|why| HeadError::Broken(format!("its {} stanza {why}", stanza.tag)))?;
        }
        Ok(Self {
            bytes,
            stanzas,
            authenticated,
        })
    }

    /// Returns the payload's nonce.
    pub(super) fn nonce(&self) -> &[u8] {
        &self.bytes[self.bytes.len() - NONCE..]
    }

    /// Returns the stanza types, in order.
    pub(super) fn kinds(&self) -> Vec<String> {
        self.stanzas.iter().map(|stanza| stanza.tag.clone()).collect()
    }
}

/// Appends the next line, with its newline, to `bytes`. Returns the offset at which the line begins.
fn next_line(input: &mut impl BufRead, bytes: &mut Vec<u8>) -> Result<usize, HeadError> {
    let start = bytes.len();
    let left = MAX_HEADER - start;
    input.take(left as u64).read_until(b'\n', bytes)?;
    match bytes.last() {
        Some(b'\n') if bytes.len() > start => Ok(start),
        _ if bytes.len() - start == left => Err("its header is longer than 512 KiB".into()),
        _ => Err("it ends within the header".into()),
    }
}

/// Parses `-> type argument…`.
fn stanza_line(line: &[u8]) -> Result<(String, Vec<String>), HeadError> {
    let words = line.strip_prefix(b"-> ").ok_or("a line of its header is malformed")?;
    let text = std::str::from_utf8(&words[..words.len() - 1]).map_err(|_| "a line of its header is not text")?;
    let mut words = text.split(' ').map(
        |word| match word.bytes().all(|b| b.is_ascii_graphic()) && !word.is_empty() {
            true => Ok(word.to_owned()),
            false => Err(HeadError::from(
                "a line of its header has an empty or unprintable argument",
            )),
        },
    );
    let tag = words.next().unwrap_or(Err("a stanza has no type".into()))?;
    Ok((tag, words.collect::<Result<_, _>>()?))
}

/// Checks the shape of a stanza of a known type. A stanza of an unknown type may have any shape.
fn check(stanza: &Stanza, of: usize) -> Result<(), &'static str> {
    let args: Vec<&str> = stanza.args.iter().map(String::as_str).collect();
    match stanza.tag.as_str() {
        "X25519" => {
            let [share] = args[..] else {
                return Err("must have one argument");
            };
            ensure_share(share)?;
        }
        "scrypt" => {
            if of != 1 {
                return Err("must be the only one, so that only the passphrase opens it");
            }
            let [salt, factor] = args[..] else {
                return Err("must have two arguments");
            };
            ensure_length(salt, 16)?;
            let digits = factor.bytes().all(|b| b.is_ascii_digit()) && !factor.starts_with('0');
            match factor.parse::<u8>() {
                Ok(factor) if digits && factor <= MAX_WORK_FACTOR => {}
                Ok(_) if digits => return Err("has a work factor above 22"),
                _ => return Err("has a work factor that is not a number"),
            }
        }
        "ssh-ed25519" => {
            let [tag, share] = args[..] else {
                return Err("must have two arguments");
            };
            ensure_length(tag, 4)?;
            ensure_share(share)?;
        }
        "ssh-rsa" => {
            let [tag] = args[..] else {
                return Err("must have one argument");
            };
            ensure_length(tag, 4)?;
            // The body is as long as the key's modulus: from 512 bits, the weakest key ever in use, to 16384 bits, the
            // longest.
            return match (64..=2048).contains(&stanza.body.len()) {
                true => Ok(()),
                false => Err("has a body whose length does not fit an RSA key"),
            };
        }
        "mlkem768x25519" => {
            let [encapsulation] = args[..] else {
                return Err("must have one argument");
            };
            let bytes = ensure_length(encapsulation, 1088 + 32)?;
            ensure_share(&STANDARD_NO_PAD.encode(&bytes[1088..]))?;
        }
        "p256tag" | "mlkem768p256tag" => {
            let [tag, encapsulation] = args[..] else {
                return Err("must have two arguments");
            };
            ensure_length(tag, 4)?;
            let before = if stanza.tag == "p256tag" { 0 } else { 1088 };
            // An uncompressed point begins with the byte 4.
            if ensure_length(encapsulation, before + 65)?[before] != 4 {
                return Err("has a share that is not a curve point");
            }
        }
        _ => return Ok(()),
    }
    match stanza.body.len() == WRAPPED_KEY {
        true => Ok(()),
        false => Err("has a body that is not 32 bytes long"),
    }
}

fn ensure_length(argument: &str, length: usize) -> Result<Vec<u8>, &'static str> {
    let bytes = STANDARD_NO_PAD
        .decode(argument)
        .map_err(|_| "has an argument that is not base64")?;
    match bytes.len() == length {
        true => Ok(bytes),
        false => Err("has an argument of the wrong length"),
    }
}

/// Refuses an argument that is not an X25519 share, and one of low order: with it, the shared secret is zero for every
/// key.
///
/// The crate refuses such a share whichever key it tries, so a throw-away key finds it.
fn ensure_share(argument: &str) -> Result<(), &'static str> {
    static NOBODY: LazyLock<age::x25519::Identity> = LazyLock::new(age::x25519::Identity::generate);
    ensure_length(argument, 32)?;
    let stanza = Stanza {
        tag: "X25519".into(),
        args: vec![argument.to_owned()],
        body: vec![0; WRAPPED_KEY],
    };
    match NOBODY.unwrap_stanza(&stanza) {
        None => Ok(()),
        Some(_) => Err("has a share of low order"),
    }
}

/// Reads the header of an age file: its stanza types, payload nonce and length. The error says why there is no header.
///
/// Without a key, this cannot tell whether the header is authentic.
pub fn header(input: impl Read) -> Result<SealHeader, CipherFault> {
    match Head::read(&mut BufReader::new(input)) {
        Ok(head) => Ok(SealHeader {
            stanzas: head.kinds(),
            nonce: STANDARD_NO_PAD.encode(head.nonce()),
            bytes: head.bytes.len() as u64,
        }),
        Err(HeadError::LineEnds) => Err(CipherFault::LineEnds),
        Err(HeadError::Broken(why)) => Err(CipherFault::Said(why)),
        Err(HeadError::Io(e)) => Err(CipherFault::Said(e.to_string())),
    }
}

/// Returns whether the bytes begin with a complete age header, armoured or not.
pub fn has_header(head: &[u8]) -> bool {
    header_fault(head).is_none()
}

/// Returns the stanza types in the header with which the bytes begin, armoured or not: sorted, without grease. They tell how
/// many recipients of which kinds can open the file.
pub fn kinds(head: &[u8]) -> Result<Vec<String>, CipherFault> {
    let header = header(dearmoured(head))?;
    let mut kinds: Vec<String> = header.stanzas.into_iter().filter(|kind| !is_grease(kind)).collect();
    kinds.sort();
    Ok(kinds)
}

/// Returns why the bytes do not begin with a complete age header, armoured or not. `None` if they do.
pub fn header_fault(head: &[u8]) -> Option<CipherFault> {
    header(dearmoured(head)).err()
}

/// Reads an age file to its end, armoured or not, and checks the header, the stanzas and the length of the payload.
///
/// The inner error says what is wrong with the file; the outer one is a failure to read it. Without a key, this cannot
/// tell whether the file is authentic.
pub fn examine_seal(input: &mut dyn Read) -> io::Result<Result<(), String>> {
    let mut source = Source {
        inner: input,
        failed: None,
    };
    let verdict = {
        let mut plain = dearmoured(&mut source);
        let mut counted = Counted::of(&mut plain);
        match header(&mut counted) {
            Err(why) => Err(why.to_string()),
            Ok(seal) if seal.stanzas.iter().all(|kind| is_grease(kind)) => Err("it is sealed to no recipient".into()),
            Ok(seal) => match io::copy(&mut counted, &mut io::sink()) {
                Err(e) => Err(e.to_string()),
                Ok(_) if counted.lost_returns() => Err(LineEnds::Lf.converted().into()),
                Ok(_) => match is_chunked(counted.count.saturating_sub(seal.bytes)) {
                    true => Ok(()),
                    false => Err("its payload has an impossible length".into()),
                },
            },
        }
    };
    // Read the stream to its end whatever the verdict is: a file that could not be read must not count as judged.
    let drained = io::copy(&mut source, &mut io::sink());
    match source.failed {
        Some(e) => Err(e),
        None => drained.map(|_| verdict),
    }
}

/// Remembers a read error, which the crate would report as a format error.
struct Source<'a> {
    inner: &'a mut dyn Read,
    failed: Option<io::Error>,
}

impl Read for Source<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Some(e) = &self.failed {
            return Err(io::Error::new(e.kind(), e.to_string()));
        }
        self.inner.read(buf).inspect_err(|e| {
            if e.kind() != io::ErrorKind::Interrupted {
                self.failed = Some(io::Error::new(e.kind(), e.to_string()));
            }
        })
    }
}

/// Counts the bytes that are read, and looks for a carriage return before a newline.
pub(super) struct Counted<R> {
    inner: R,
    count: u64,
    /// The first bytes.
    head: Vec<u8>,
    after_return: bool,
    newlines: u64,
    /// Number of carriage returns before a newline.
    pairs: u64,
}

impl<R: Read> Counted<R> {
    pub(super) fn of(inner: R) -> Self {
        Self {
            inner,
            count: 0,
            head: Vec::new(),
            after_return: false,
            newlines: 0,
            pairs: 0,
        }
    }

    /// Reads what is left.
    pub(super) fn read_to_its_end(&mut self) -> io::Result<&Self> {
        io::copy(self, &mut io::sink())?;
        Ok(self)
    }

    /// Returns whether what was read is a binary age file whose carriage returns before newlines were taken out.
    pub(super) fn lost_returns(&self) -> bool {
        self.newlines >= TELLING && self.pairs <= self.newlines / RETURNS / 16 && self.head == VERSION_LINE
    }
}

impl<R: Read> Counted<R> {
    /// Returns whether a file that cannot be decrypted may have lost them, although it is too short to be sure.
    pub(super) fn may_have_lost_returns(&self) -> bool {
        self.newlines >= HINTING && self.pairs == 0 && self.head == VERSION_LINE
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.count += n as u64;
        let read = &buf[..n];
        let wanted = VERSION_LINE.len() - self.head.len();
        self.head.extend(read.iter().take(wanted));
        if let Some(last) = read.last() {
            self.newlines += read.iter().filter(|byte| **byte == b'\n').count() as u64;
            self.pairs += u64::from(self.after_return && read[0] == b'\n');
            self.pairs += read.windows(2).filter(|pair| pair == b"\r\n").count() as u64;
            self.after_return = *last == b'\r';
        }
        Ok(n)
    }
}
