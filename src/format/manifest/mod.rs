//! `manifest.json` (`pack.v0`): the members of a pack, and the id that covers every byte of the pack.

mod document;
mod fields;
mod member_type;
mod members;
mod read;
mod spelled;
mod write;

pub use document::ManifestDocument;
pub use fields::Malformed;
pub use member_type::MemberType;
pub use members::{Declared, DeclaredMembers, MemberIndex};
pub use write::{Manifest, Member};

/// Version of this format, which every manifest states.
pub const VERSION: &str = "pack.v0";

/// Most bytes of a manifest that is held in memory as it is: in an archive, in a commit, or at a place. A longer one is refused
/// unread.
pub const MAX_BYTES: u64 = 256 << 20;

/// Most bytes of memory for the members of a manifest. They are read one by one, so that its own length does not matter.
///
/// A member takes more bytes in a manifest than in memory, so no manifest of at most so many bytes is refused.
pub const MAX_HELD: u64 = 1 << 30;

/// The key of the list of members.
const MEMBERS: &str = "members";

/// The key of the pack's id.
const PACK_ID: &str = "pack_id";

/// The number of bytes that are hashed and written at a time.
const BUFFER: usize = 64 << 10;
