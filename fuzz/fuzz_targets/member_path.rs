//! Every accepted member path stays below the directory that it is joined to, and gives back the name that it is made of.
#![no_main]

use std::path::{Component, Path};

use gitpack::format::member_path::MemberPath;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(path) = MemberPath::of(bytes) {
        assert_eq!(path.original().as_ref(), bytes);
        assert!(!bytes.contains(&0));
        let mut normal = 0;
        for component in Path::new(path.as_str()).components() {
            assert!(matches!(component, Component::Normal(name) if !name.eq_ignore_ascii_case(".git")));
            normal += 1;
        }
        assert_eq!(normal, path.as_str().split('/').count());
    }
});
