//! Many packs with common members in one repository of a real registry.

use std::collections::BTreeSet;
use std::fs;

use gitpack::format::digest::Digest;

use super::server::RegistryServer;
use super::{pulled, sealed};
use crate::common::{Place, number, snapshot};

/// With `GITPACK_PACKS=1000` there are so many packs, else 20.
#[test]
fn packs_that_share_members_send_each_content_once() {
    let (place, server) = (Place::new(), RegistryServer::start());
    let at = server.address("p");
    let count = number("GITPACK_PACKS", 20);
    let (mut ids, mut contents) = (Vec::new(), BTreeSet::from([Digest::of(b"{}").to_string()]));
    for n in 0..count {
        // Each pack has a member for each of its digits, and shares each of them with a tenth of the others.
        let digit = |name: &str, place: u64| format!("{} {name}\n", n / place % 10).into_bytes();
        let files = [
            ("hundreds", digit("hundreds", 100)),
            ("ones", digit("ones", 1)),
            ("tens", digit("tens", 10)),
        ];
        let name = format!("pack-{n}");
        let (id, pack) = sealed(&place, &name, &files);
        let manifest = fs::read(pack.join("manifest.json")).unwrap();
        let own = files.iter().map(|(_, content)| content).chain([&manifest]);
        contents.extend(own.map(|content| Digest::of(content).to_string()));
        place.pack_in(place.path(), &["--no-witness", "push", &name, &at]).ok();
        ids.push(id);
    }
    // What the server got, and what it has now.
    let sent = server.stored("p");
    assert_eq!(sent.len(), contents.len());
    assert_eq!(sent.into_iter().collect::<BTreeSet<_>>(), contents);
    assert_eq!(server.blobs("p"), contents);
    let listed = place.pack_in(place.path(), &["list", &at, "--json"]).ok();
    let document: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(document["packs"].as_array().unwrap().len() as u64, count);
    for n in [0, count / 2, count - 1] {
        let back = pulled(&place, &format!("{at}#{}", ids[n as usize]), &format!("back-{n}"));
        assert_eq!(snapshot(&back), snapshot(&place.path().join(format!("pack-{n}"))));
    }
}
