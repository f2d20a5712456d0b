//! Recognises the weights of Keras in HDF5 by the names that Keras gives to groups and attributes.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

/// Most bytes of a heap of names that are looked at.
pub const REACH: usize = 256;

/// Returns whether bytes with this start are an HDF5 file.
pub fn may_be(head: &[u8]) -> bool {
    head.starts_with(b"\x89HDF\r\n\x1a\n")
}

/// Returns whether a list of layers is named, as in the files of Keras before version 3.
pub fn names_layers(window: &[u8], judged: Range<usize>) -> bool {
    static NAME: LazyLock<Finder> = LazyLock::new(|| Finder::new("layer_names\0"));
    has(&NAME, window, judged)
}

/// Returns whether a list of the weights of a layer is named, as in the files of Keras before version 3.
pub fn names_weights(window: &[u8], judged: Range<usize>) -> bool {
    static NAME: LazyLock<Finder> = LazyLock::new(|| Finder::new("weight_names\0"));
    has(&NAME, window, judged)
}

fn has(name: &Finder, window: &[u8], judged: Range<usize>) -> bool {
    let end = window.len().min(judged.end + name.needle().len() - 1);
    name.find(&window[judged.start..end]).is_some()
}

/// Returns whether the names of a group's members are `vars` and one of those beside it in a model of Keras 3.
pub fn has_layers(window: &[u8], judged: Range<usize>) -> bool {
    static HEAP: LazyLock<Finder> = LazyLock::new(|| Finder::new("HEAP\0\0\0\0"));
    // Names are separated and padded by zeros.
    static VARIABLES: LazyLock<Finder> = LazyLock::new(|| Finder::new("\0vars\0"));
    static LAYERS: LazyLock<Finder> = LazyLock::new(|| Finder::new("\0layers\0"));
    static DEPENDENCIES: LazyLock<Finder> = LazyLock::new(|| Finder::new("\0_layer_checkpoint_dependencies\0"));
    let end = window.len().min(judged.end + 7);
    HEAP.find_iter(&window[judged.start..end]).any(|at| {
        let at = judged.start + at;
        let names = &window[at..window.len().min(at + REACH)];
        let has = |name: &Finder| name.find(names).is_some();
        has(&VARIABLES) && (has(&LAYERS) || has(&DEPENDENCIES))
    })
}
