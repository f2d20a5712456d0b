//! Attached files in archives.

use std::fs;

use super::Signed;

#[test]
fn archives_carry_attached_files_and_tar_puts_them_beside_the_pack() {
    let signed = Signed::with_three();
    let archived = |from: &str, to: &str| {
        signed.run(&["archive", from, "-o", to]).ok();
        fs::read(signed.path(to)).unwrap()
    };
    let bytes = archived("pack", "a.tar.zst");
    signed.run(&["pull", "./a.tar.zst", "-o", "back"]).ok();
    assert_eq!(
        super::contents(&signed.beside("back")),
        super::contents(&signed.beside("pack"))
    );
    // The same files make the same bytes, whatever their numbers and the kind of the source.
    assert_eq!(archived("back", "b.tar.zst"), bytes);
    assert_eq!(archived("a.tar.zst", "c.tar.zst"), bytes);
    fs::rename(
        signed.path(&format!("pack.attestations/{}.sig", signed.hex())),
        signed.path(&format!("pack.attestations/{}.31.sig", signed.hex())),
    )
    .unwrap();
    assert_eq!(archived("pack", "d.tar.zst"), bytes);
    fs::create_dir(signed.path("tar")).unwrap();
    let args = ["--zstd", "-xf", "a.tar.zst", "-C", "tar"];
    signed.place.run(signed.place.path(), "tar", &args).ok();
    let top = format!("tar/git-pack-{}", &signed.hex()[..12]);
    signed.run(&["verify", &top]).ok();
    assert_eq!(
        super::contents(&signed.beside(&top)),
        super::contents(&signed.beside("pack"))
    );
    assert_eq!(signed.listed(&top), (2.into(), 1.into()));
    // Without attached files, an archive is as it was before there were any.
    fs::remove_dir_all(signed.path("pack.attestations")).unwrap();
    assert_ne!(archived("pack", "e.tar.zst"), bytes);
    let listed = signed
        .place
        .run(signed.place.path(), "tar", &["--zstd", "-tf", "e.tar.zst"])
        .ok();
    assert!(!listed.out().contains("attestations"), "{}", listed.out());
    signed.attach("pack", ".sig", "one");
    fs::write(signed.path("pack.attestations/README"), "x").unwrap();
    let done = signed.run(&["archive", "pack", "-o", "f.tar.zst"]).ok();
    assert!(done.stderr.contains("1 file attached"), "{}", done.stderr);
    assert_eq!(done.stderr.matches("left out: ").count(), 1, "{}", done.stderr);
}
