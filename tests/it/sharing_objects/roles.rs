//! Credentials that a machine, a container or a program hands out. The services of the clouds are servers of the tests.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use super::*;
use crate::common::server::{Asked, Reply, Server};

const KEY: &str = "ASIAEXAMPLEEXAMPLE";
const SECRET: &str = "handed-out-secret-that-must-not-appear";
const SESSION: &str = "handed-out-session-that-must-not-appear";
const TOKEN: &str = "token-of-the-service-that-must-not-appear";

/// Starts a bucket without packs. It speaks as S3 and Azure do, and notes how each request is authorized.
fn empty_bucket() -> Server {
    Server::start(|asked| match asked.path.contains("comp=list") {
        true => Reply::new(200).body("<EnumerationResults><Blobs></Blobs></EnumerationResults>"),
        false => Reply::new(200).body("<ListBucketResult></ListBucketResult>"),
    })
}

fn credentials(token: &str) -> serde_json::Value {
    serde_json::json!({
        "Code": "Success", "Version": 1, "AccessKeyId": KEY, "SecretAccessKey": SECRET, token: SESSION,
        "Expiration": "2126-01-15T10:30:00Z",
    })
}

/// Lists a bucket with these variables. Asserts that nothing secret is shown.
#[track_caller]
fn list(repo: &Repo, url: &str, variables: &[(&str, &str)], args: &[&str]) -> Done {
    let mut command = repo.place.command(GIT_PACK, &repo.root);
    command.envs(variables.iter().copied()).arg("list").arg(url).args(args);
    let began = Instant::now();
    let done = Done::from(command.output().unwrap());
    assert!(began.elapsed() < Duration::from_secs(30));
    for secret in [SECRET, SESSION, TOKEN] {
        assert!(
            !done.stderr.contains(secret) && !done.out().contains(secret),
            "{}",
            done.stderr
        );
    }
    done
}

/// Asserts that each request to a bucket is signed with the credentials that were handed out.
#[track_caller]
fn used(bucket: &Server) {
    let asked = bucket.asked();
    assert!(!asked.is_empty());
    for asked in asked {
        assert!(
            asked.header("authorization").contains(&format!("Credential={KEY}/")),
            "{asked:?}"
        );
        assert_eq!(asked.header("x-amz-security-token"), SESSION);
    }
}

/// Starts the metadata service of a machine at AWS, with a role or without.
fn machine(has_role: bool) -> Server {
    Server::start(move |asked| {
        let knows = asked.header("x-aws-ec2-metadata-token") == TOKEN;
        match (asked.method.as_str(), asked.path.as_str()) {
            ("PUT", "/latest/api/token") if !asked.header("x-aws-ec2-metadata-token-ttl-seconds").is_empty() => {
                Reply::new(200).body(TOKEN)
            }
            ("GET", "/latest/meta-data/iam/security-credentials/") if knows && has_role => Reply::new(200).body("role"),
            ("GET", "/latest/meta-data/iam/security-credentials/role") if knows => {
                Reply::new(200).body(credentials("Token").to_string())
            }
            _ if knows => Reply::new(404),
            _ => Reply::new(401),
        }
    })
}

#[test]
fn the_role_of_a_machine_at_aws_is_used() {
    let repo = Repo::set_up();
    for variable in ["AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_METADATA_ENDPOINT"] {
        let (bucket, service) = (empty_bucket(), machine(true));
        let set = [("AWS_ENDPOINT_URL", &*bucket.url()), (variable, &*service.url())];
        list(&repo, "s3://bucket", &set, &[]).ok();
        used(&bucket);
        // What the user forbids is not asked.
        let before = service.asked().len();
        let forbidden = [&set[..], &[("AWS_EC2_METADATA_DISABLED", "true")]].concat();
        assert_eq!(list(&repo, "s3://bucket", &forbidden, &[]).code, 2);
        assert_eq!(service.asked().len(), before);
    }
    let (bucket, service) = (empty_bucket(), machine(false));
    let variable = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
    let set = [("AWS_ENDPOINT_URL", &*bucket.url()), (variable, &*service.url())];
    let refused = list(&repo, "s3://bucket", &set, &[]);
    assert!(refused.stderr.contains("has none for it"), "{}", refused.stderr);
    // Another machine is asked only if the user allows it.
    let set = [("AWS_ENDPOINT_URL", &*bucket.url()), (variable, "http://192.0.2.1:9")];
    let refused = list(&repo, "s3://bucket", &set, &[]);
    assert!(refused.stderr.contains("not encrypted"), "{}", refused.stderr);
    assert!(bucket.asked().is_empty());
}

#[test]
fn the_role_of_a_container_is_used() {
    let repo = Repo::set_up();
    let service = |wanted: &'static str| {
        Server::start(move |asked| match asked.header("authorization") == wanted {
            true => Reply::new(200).body(credentials("Token").to_string()),
            false => Reply::new(401).body(asked.header("authorization")),
        })
    };
    let file = repo.place.path().join("token");
    write(&file, TOKEN);
    for (variable, value, wanted) in [
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", TOKEN, TOKEN),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.to_str().unwrap(), TOKEN),
        ("UNSET", "", ""),
    ] {
        let (bucket, service) = (empty_bucket(), service(wanted));
        let url = format!("{}/credentials", service.url());
        let set = [
            ("AWS_ENDPOINT_URL", &*bucket.url()),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url),
            (variable, value),
        ];
        list(&repo, "s3://bucket", &set, &[]).ok();
        used(&bucket);
        assert_eq!(service.asked().len(), 1);
    }
    // A service that refuses the token, and repeats it.
    let (bucket, service) = (empty_bucket(), service("another"));
    let set = [
        ("AWS_ENDPOINT_URL", &*bucket.url()),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &*service.url()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", TOKEN),
    ];
    assert_eq!(list(&repo, "s3://bucket", &set, &[]).code, 2);
    // Another machine could read the token on its way.
    let set = [
        set[0],
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1:9/credentials"),
        set[2],
    ];
    for args in [&[][..], &["--insecure-http"]] {
        let refused = list(&repo, "s3://bucket", &set, args);
        assert!(refused.stderr.contains("without encryption"), "{}", refused.stderr);
    }
    assert!(bucket.asked().is_empty());
}

#[test]
fn a_program_hands_out_credentials_of_aws() {
    let repo = Repo::set_up();
    let tools = repo.place.path().join("my tools");
    let profile = |command: &str| {
        let config = format!("[default]\nregion = eu-west-1\n[profile ci]\ncredential_process = {command}\n");
        write(&repo.place.home().join(".aws/config"), config);
    };
    let answer = |json: &str| {
        let script = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$@\" >'{0}/args'\ncat '{0}/answer'\n",
            tools.display()
        );
        write(&tools.join("answer"), json);
        if !tools.join("get").exists() {
            // Another process writes the script, for the reason that `copy_binary` gives.
            let write = ["-c", "printf %s \"$1\" >get && chmod +x get", "sh", &script];
            repo.place.run(&tools, "sh", &write).ok();
        }
    };
    let bucket = empty_bucket();
    let url = bucket.url();
    let asked = || {
        list(
            &repo,
            "s3://bucket",
            &[("AWS_ENDPOINT_URL", &url), ("AWS_PROFILE", "ci")],
            &[],
        )
    };
    answer(&credentials("SessionToken").to_string());
    let get = tools.join("get");
    // No shell sees the command.
    let injected = repo.place.path().join("injected");
    profile(&format!(
        "\"{}\" --role 'a b' ; touch {}",
        get.display(),
        injected.display()
    ));
    asked().ok();
    used(&bucket);
    let arguments = fs::read_to_string(tools.join("args")).unwrap();
    assert_eq!(arguments, format!("--role\na b\n;\ntouch\n{}\n", injected.display()));
    assert!(!injected.exists());

    let before = bucket.asked().len();
    let expired = credentials("SessionToken").to_string().replace("2126", "2016");
    for (json, says) in [
        (expired.as_str(), "expired"),
        (
            &credentials("SessionToken").to_string().replace(":1", ":2"),
            "version 1",
        ),
        (SECRET, "JSON"),
        ("", "JSON"),
    ] {
        answer(json);
        let refused = asked();
        assert!(refused.stderr.contains(says), "{says}: {}", refused.stderr);
    }
    fs::set_permissions(&get, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(asked().stderr.contains("permission denied"));
    profile("'open");
    assert!(asked().stderr.contains("quote"));
    assert_eq!(bucket.asked().len(), before);
    // Keys come first: the program is not asked.
    profile("false");
    write(
        &repo.place.home().join(".aws/credentials"),
        format!("[ci]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\naws_session_token = {SESSION}\n"),
    );
    asked().ok();
    used(&bucket);
}

#[test]
fn single_sign_on_is_refused_with_what_to_do() {
    let repo = Repo::set_up();
    let bucket = empty_bucket();
    for key in ["sso_session", "sso_start_url", "source_profile"] {
        write(
            &repo.place.home().join(".aws/config"),
            format!("[profile ci]\n{key} = x\n"),
        );
        let set = [("AWS_ENDPOINT_URL", &*bucket.url()), ("AWS_PROFILE", "ci")];
        let refused = list(&repo, "s3://bucket", &set, &[]);
        assert_eq!(refused.code, 2);
        assert!(
            refused.stderr.contains("aws configure export-credentials"),
            "{}",
            refused.stderr
        );
        // What the hint advises works beside such a profile.
        let keys = [("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", SECRET)];
        let set = [&set[..], &keys, &[("AWS_SESSION_TOKEN", SESSION)]].concat();
        list(&repo, "s3://bucket", &set, &[]).ok();
    }
    used(&bucket);
}

#[test]
fn the_account_of_a_machine_at_google_is_used() {
    let repo = Repo::set_up();
    let bucket = empty_bucket();
    let service = Server::start(|asked: &Asked| {
        let path = asked.path.split('?').next().unwrap();
        let is_token = path == "/computeMetadata/v1/instance/service-accounts/default/token";
        match is_token && asked.header("metadata-flavor") == "Google" {
            true => Reply::new(200).body(format!(
                r#"{{"access_token":"{TOKEN}","expires_in":3599,"token_type":"Bearer"}}"#
            )),
            false => Reply::new(403),
        }
    });
    let host = service.url().replace("http://", "");
    let set = [("GOOGLE_BASE_URL", &*bucket.url()), ("GCE_METADATA_HOST", &host)];
    list(&repo, "gs://bucket", &set, &[]).ok();
    let asked = bucket.asked();
    assert_eq!(asked[0].header("authorization"), format!("Bearer {TOKEN}"));
    assert_eq!(service.asked().len(), 1);
}

#[test]
fn the_identity_of_an_app_at_azure_is_used() {
    let repo = Repo::set_up();
    let bucket = empty_bucket();
    let service = Server::start(|asked: &Asked| match asked.header("x-identity-header") {
        "app" => Reply::new(200).body(format!(
            r#"{{"access_token":"{TOKEN}","expires_on":"4922000000","resource":"r","token_type":"Bearer"}}"#
        )),
        _ => Reply::new(401),
    });
    let endpoint = format!("{}/msi/token", service.url());
    let set = [
        ("AZURE_STORAGE_ACCOUNT", "packs"),
        ("AZURE_STORAGE_ENDPOINT", &*bucket.url()),
        ("IDENTITY_ENDPOINT", &endpoint),
        ("IDENTITY_HEADER", "app"),
    ];
    list(&repo, "az://bucket", &set, &[]).ok();
    let asked = bucket.asked();
    assert_eq!(asked[0].header("authorization"), format!("Bearer {TOKEN}"));
    assert_eq!(service.asked().len(), 1);
}
