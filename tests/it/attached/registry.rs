//! Attached files in a real registry that does not list referrers: the fallback tag of the OCI specification.

use gitpack::format::attachment::AttachmentKind;
use gitpack::format::digest::Digest;
use serde_json::Value;

use super::{Signed, contents};
use crate::common::packs::copy_tree;
use crate::common::snapshot;
use crate::sharing::schemas::schema;
use crate::sharing::server::RegistryServer;

/// Fetches a document of the repository `p` by its tag or digest, with another client.
fn fetched(signed: &Signed, server: &RegistryServer, reference: &str) -> Vec<u8> {
    let from = match reference.contains(':') {
        true => format!("docker://{}/p@{reference}", server.host()),
        false => format!("docker://{}/p:{reference}", server.host()),
    };
    let args = ["inspect", "--raw", "--tls-verify=false", &from];
    signed.place.run(signed.place.path(), "skopeo", &args).ok().stdout
}

fn document(signed: &Signed, server: &RegistryServer, reference: &str) -> Value {
    serde_json::from_slice(&fetched(signed, server, reference)).unwrap()
}

/// Returns the referrers tag of the pack, by the digest that the other client finds.
fn subject_tag(signed: &Signed, server: &RegistryServer) -> String {
    let image = fetched(signed, server, &format!("pack-{}", signed.hex()));
    format!("sha256-{}", Digest::of(&image).hex())
}

#[test]
fn attached_files_come_along_and_a_second_push_sends_only_new_ones() {
    let (signed, server) = (Signed::with_three(), RegistryServer::start());
    let at = server.address("p");
    let done = signed.run(&["push", "pack", &at]).ok();
    assert!(done.stderr.contains("3 files attached, 3 sent"), "{}", done.stderr);
    signed.three_come_from(&at, "one");
    assert_eq!(signed.listed(&at), (2.into(), 1.into()));
    let sent = || server.requests("POST", "/blobs/uploads/") + server.requests("PUT", "/manifests/");
    let before = sent();
    let done = signed.run(&["push", "pack", &at]).ok();
    assert!(done.stderr.contains("everything was there already"), "{}", done.stderr);
    assert!(done.stderr.contains("3 files attached, 0 sent"), "{}", done.stderr);
    assert_eq!(sent(), before);
    signed.attach("pack", ".7.sig", "three");
    let uploads = server.requests("POST", "/blobs/uploads/");
    let done = signed.run(&["push", "pack", &at]).ok();
    assert!(done.stderr.contains("4 files attached, 1 sent"), "{}", done.stderr);
    assert_eq!(server.requests("POST", "/blobs/uploads/"), uploads + 1);
    assert_eq!(contents(&signed.pulled(&at, "two")).len(), 4);
    // From one place to another.
    let other = server.address("other");
    signed.run(&["push", &at, &other]).ok();
    assert_eq!(
        contents(&signed.pulled(&other, "three")),
        contents(&signed.beside("pack"))
    );
}

#[test]
fn the_documents_are_as_the_specification_has_them_and_other_clients_copy_the_pack() {
    let (signed, server) = (Signed::with_three(), RegistryServer::start());
    signed.run(&["push", "pack", &server.address("p")]).ok();
    let tag = subject_tag(&signed, &server);
    let index = document(&signed, &server, &tag);
    assert!(
        jsonschema::validator_for(&schema("image-index-schema"))
            .unwrap()
            .is_valid(&index)
    );
    let listed = index["manifests"].as_array().unwrap();
    assert_eq!(listed.len(), 3);
    let image_schema = jsonschema::validator_for(&schema("image-manifest-schema")).unwrap();
    for descriptor in listed {
        let image = document(&signed, &server, descriptor["digest"].as_str().unwrap());
        assert!(image_schema.is_valid(&image), "{image}");
        let subject = image["subject"]["digest"].as_str().unwrap();
        assert_eq!(subject.replace(':', "-"), tag);
        let kind = AttachmentKind::of_media_type(image["artifactType"].as_str().unwrap()).unwrap();
        assert_eq!(descriptor["artifactType"], kind.media_type());
        let title = &image["layers"][0]["annotations"]["org.opencontainers.image.title"];
        assert!(title.as_str().unwrap().ends_with(kind.ending()), "{title}");
        assert_eq!(image["config"]["mediaType"], "application/vnd.oci.empty.v1+json");
    }
    let [from, to] = ["p", "copy"].map(|name| format!("docker://{}/{name}:pack-{}", server.host(), signed.hex()));
    let args = [
        "copy",
        "-q",
        "--src-tls-verify=false",
        "--dest-tls-verify=false",
        &from,
        &to,
    ];
    signed.place.run(signed.place.path(), "skopeo", &args).ok();
    assert!(signed.pulled(&server.address("copy"), "copied").is_empty());
    assert_eq!(snapshot(&signed.path("copied")), snapshot(&signed.path("pack")));
}

#[test]
fn sixteen_signers_at_once_all_arrive() {
    let (signed, server) = (Signed::new(), RegistryServer::start());
    let at = server.address("p");
    signed.run(&["push", "pack", &at]).ok();
    for n in 0..16 {
        let pack = format!("pack-{n}");
        copy_tree(&signed.path("pack"), &signed.path(&pack));
        signed.attach(&pack, ".sig", &format!("signer {n}"));
    }
    std::thread::scope(|scope| {
        for n in 0..16 {
            let (signed, at) = (&signed, &at);
            scope.spawn(move || signed.run(&["push", &format!("pack-{n}"), at]).ok());
        }
    });
    assert_eq!(signed.pulled(&at, "back").len(), 16);
    assert_eq!(signed.listed(&at), (16.into(), 0.into()));
}

/// A bill of materials that somebody else attached is neither fetched nor lost.
#[test]
fn what_others_attach_stays_where_it_is() {
    let (signed, server) = (Signed::new(), RegistryServer::start());
    let at = server.address("p");
    signed.run(&["push", "pack", &at]).ok();
    let tag = subject_tag(&signed, &server);
    // Another client keeps an image in the index; its artifact type is not one of ours.
    let pack = fetched(&signed, &server, &format!("pack-{}", signed.hex()));
    let index = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": tag.replace('-', ":"),
            "size": pack.len(),
            "artifactType": "application/spdx+json",
        }],
    });
    let put = format!(
        "import requests; requests.put('http://{}/v2/p/manifests/{tag}', data='{index}', \
         headers={{'content-type': 'application/vnd.oci.image.index.v1+json'}}).raise_for_status()",
        server.host()
    );
    let python = format!("{}/bin/python", std::env::var("GITPACK_SHARING").unwrap());
    signed.place.run(signed.place.path(), &python, &["-c", &put]).ok();
    signed.attach("pack", ".sig", "one");
    signed.run(&["push", "pack", &at]).ok();
    assert_eq!(signed.pulled(&at, "back").len(), 1);
    let listed = document(&signed, &server, &tag);
    assert_eq!(listed["manifests"].as_array().unwrap().len(), 2, "{listed}");
    assert!(listed.to_string().contains("spdx"), "{listed}");
}
