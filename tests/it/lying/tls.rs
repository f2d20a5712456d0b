//! Servers over TLS: with a certificate that nobody vouches for, and with one of an authority of the tests.

use std::path::PathBuf;

use super::*;

/// The certificates of a test, made by openssl in a directory.
struct Certificates(PathBuf);

impl Certificates {
    fn make(place: &Place) -> Self {
        let directory = place.path().join("tls");
        write(
            &directory.join("openssl.cnf"),
            "[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=tests\n\
             [ca]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n\
             [here]\nbasicConstraints=critical,CA:FALSE\nsubjectAltName=IP:127.0.0.1\n\
             [elsewhere]\nbasicConstraints=critical,CA:FALSE\nsubjectAltName=DNS:registry.example\n",
        );
        let make = |name: &str, kind: &str, signed: &[&str]| {
            let names = [format!("{name}.key"), format!("{name}.pem")];
            let args = [
                "req",
                "-x509",
                "-config",
                "openssl.cnf",
                "-extensions",
                kind,
                "-days",
                "30",
                "-nodes",
            ];
            let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
            let files = ["-keyout", &names[0], "-out", &names[1]];
            let all = [&args[..], &key, &files, signed].concat();
            place.run(&directory, "openssl", &all).ok();
        };
        make("ca", "ca", &[]);
        make("own", "here", &[]);
        let by_ca = ["-CA", "ca.pem", "-CAkey", "ca.key"];
        make("here", "here", &by_ca);
        make("elsewhere", "elsewhere", &by_ca);
        Self(directory)
    }

    fn fabric(&self, name: &str) -> (Arc<FakeFabric>, Server) {
        let held = Arc::new(FakeFabric::default());
        let answering = Arc::clone(&held);
        let server = self.server(name, move |asked| answering.answer(asked));
        (held, server)
    }

    fn server(&self, name: &str, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Server {
        let place = |ending: &str| self.0.join(format!("{name}.{ending}"));
        Server::start_tls((&place("pem"), &place("key")), answer)
    }
}

impl World {
    /// Pushes, and trusts the authority of the tests.
    fn push_trusting(&self, certificates: &Certificates, to: &str) -> Done {
        let mut command = self.command(&["push", "p", to]);
        command.env("SSL_CERT_FILE", certificates.0.join("ca.pem"));
        within(command, DEADLINE)
    }
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let world = World::new();
    let certificates = Certificates::make(&world.place);
    for (name, trusting) in [("own", false), ("own", true), ("here", false), ("elsewhere", true)] {
        let (_, server) = certificates.fabric(name);
        let began = Instant::now();
        let done = match trusting {
            true => world.push_trusting(&certificates, &server.url()),
            false => world.push(&server.url()),
        };
        assert!(began.elapsed() < Duration::from_secs(4), "it is tried again");
        for says in ["a certificate that is not trusted", "SSL_CERT_FILE"] {
            assert!(done.stderr.contains(says), "{name}: {}", done.stderr);
        }
        done.refused("E_TRANSPORT");
        // Nothing was asked, so nothing was told.
        assert!(server.asked().is_empty());
    }
}

#[test]
fn an_authority_that_the_user_trusts_vouches_for_a_server() {
    let world = World::new();
    let certificates = Certificates::make(&world.place);
    let (_, server) = certificates.fabric("here");
    world.push_trusting(&certificates, &server.url()).ok();
    let args = ["pull", &world.id, "--from", &server.url(), "--output", "q"];
    let mut pull = world.command(&args);
    pull.env("SSL_CERT_FILE", certificates.0.join("ca.pem"));
    within(pull, DEADLINE).ok();
    // The same for object stores, whose library has no TLS of its own.
    let bucket = certificates.server("here", |_| {
        Reply::new(200).body("<ListBucketResult></ListBucketResult>")
    });
    let list = |trusting: bool| {
        let mut list = world.command(&["list", "s3://bucket"]);
        list.env("AWS_ACCESS_KEY_ID", "k").env("AWS_SECRET_ACCESS_KEY", "s");
        list.env("AWS_ENDPOINT_URL", bucket.url());
        if trusting {
            list.env("SSL_CERT_FILE", certificates.0.join("ca.pem"));
        }
        within(list, DEADLINE)
    };
    list(true).ok();
    assert!(list(false).stderr.contains("not trusted"));
}

#[test]
fn an_encrypted_server_does_not_lead_to_one_that_is_not() {
    let world = World::new();
    let certificates = Certificates::make(&world.place);
    let plain = Server::start(|_| Reply::new(200).body("x"));
    let target = plain.url();
    let server = certificates.server("here", move |asked| {
        Reply::new(307).with("Location", format!("{target}{}", asked.path))
    });
    for args in [
        &["push", "p", &server.url()][..],
        &["pull", &world.id, "--from", &server.url(), "--output", "q"],
    ] {
        let mut command = world.command(args);
        command.env("SSL_CERT_FILE", certificates.0.join("ca.pem"));
        let done = within(command, DEADLINE);
        assert!(done.stderr.contains("redirects to http://"), "{}", done.stderr);
        done.refused("E_TRANSPORT");
    }
    assert!(plain.asked().is_empty());
}
