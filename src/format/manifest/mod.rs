//! `manifest.json` (`pack.v0`): the members of a pack, and the id that covers every byte of the pack.

mod document;
mod fields;
mod member_type;
mod members;
mod read;
mod spelled;
mod write;

pub use document::ManifestDocument;
pub use fields::{Departure, Malformed};
pub use member_type::MemberType;
pub use members::{Declared, DeclaredRef};
pub use write::{Manifest, Member};

/// Version of this format, which every manifest states.
pub const VERSION: &str = "pack.v0";

/// Most bytes of a manifest. A longer one is refused unread.
pub const MAX_BYTES: u64 = 64 << 20;

/// The key of the list of members.
const MEMBERS: &str = "members";

/// The key of the pack's id.
const PACK_ID: &str = "pack_id";

/// The number of bytes that are hashed and written at a time.
const BUFFER: usize = 64 << 10;
