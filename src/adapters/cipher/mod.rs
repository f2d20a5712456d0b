//! The cipher: age v1 (age-encryption.org/v1), implemented by the `age` crate.

mod armour;
mod ask;
mod encrypt;
mod identities;
mod open;
mod payload;
mod recipients;
mod rewrap;
mod structure;

use std::io::Write;

use age::secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::refusal::keys::CipherFault;

pub use ask::{Ask, Asker, Silence};
pub use encrypt::{EncryptError, encrypt, encrypt_large};
pub use identities::{Identities, PublicKey};
pub use open::{DecryptError, decrypt, open};
pub use recipients::{Recipients, is_secret};
pub use rewrap::{RewrapError, rewrap};
pub use structure::{MAX_HEADER, examine_seal, has_header, header, header_fault, kinds};

/// The scrypt work factor for sealing with a passphrase. It is that of the `age` tool and takes about a second.
const WORK_FACTOR: u8 = 18;

/// The highest scrypt work factor accepted for opening. It is that of the `age` tool. The crate's own bound depends on
/// the speed of the machine at that moment; this one is the same everywhere.
const MAX_WORK_FACTOR: u8 = 22;

/// A new identity: the text of its file, and its recipient.
pub struct NewIdentity {
    /// The content of an age identity file.
    pub file: Zeroizing<String>,
    /// The recipient, `age1…`.
    pub recipient: String,
}

/// Generates an X25519 identity. `created` goes into the file's comment, as `age-keygen` writes it.
pub fn generate_identity(created: &str) -> NewIdentity {
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public().to_string();
    let secret = identity.to_string();
    let file = Zeroizing::new(format!(
        "# created: {created}\n# public key: {recipient}\n{}\n",
        secret.expose_secret()
    ));
    NewIdentity { file, recipient }
}

/// Encrypts the text of an identity file with a passphrase and armours it, in the form that `age -p -a` writes and `age
/// -i` reads.
pub fn lock_identity(file: &str, passphrase: &str) -> Result<String, CipherFault> {
    let mut recipient = age::scrypt::Recipient::new(SecretString::from(passphrase));
    recipient.set_work_factor(WORK_FACTOR);
    let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient))
        .map_err(|e| encrypt::fault_of(&e))?;
    let armour = age::armor::ArmoredWriter::wrap_output(Vec::new(), age::armor::Format::AsciiArmor);
    let written = armour.and_then(|armour| {
        let mut writer = encryptor.wrap_output(armour)?;
        writer.write_all(file.as_bytes())?;
        writer.finish()?.finish()
    });
    let bytes = written.map_err(|e| CipherFault::Said(e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| CipherFault::Said(e.to_string()))
}

/// Formats an error of the crate on one line, without the Unicode isolation marks that it puts around inserted values.
fn one_line(said: &impl std::fmt::Display) -> String {
    let text = said.to_string().replace(['\u{2068}', '\u{2069}'], "");
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join(" ")
}
