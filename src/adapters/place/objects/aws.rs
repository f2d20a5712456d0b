//! The configuration of AWS: its variables, the profiles in `~/.aws`, and where credentials come from.

use std::path::PathBuf;
use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use url::Url;
use zeroize::Zeroizing;

use super::ObjectReach;
use super::credentials::{CloudSettings, CloudStore, built, unusable};
use super::renewed::{Issuer, RenewedCredentials};
use crate::adapters::files;
use crate::format::aws_profile::{Profile, SharedFile, command_words, profile};
use crate::refusal::transport::TransportFault;

/// The largest file with credentials that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Where credentials of AWS are looked for.
const AWS: &str = "the environment (AWS_…), the files in ~/.aws and the metadata service";

pub(super) fn aws(bucket: &str, reach: &ObjectReach) -> Result<Arc<dyn CloudStore>, TransportFault> {
    let settings = &reach.cloud;
    let profile = aws_profile(settings)?;
    let mut builder = AmazonS3Builder::new();
    // What is set later wins: the environment over the files.
    for (key, value) in &profile {
        let key = match key.as_str() {
            "aws_access_key_id" => AmazonS3ConfigKey::AccessKeyId,
            "aws_secret_access_key" => AmazonS3ConfigKey::SecretAccessKey,
            "aws_session_token" => AmazonS3ConfigKey::Token,
            "region" => AmazonS3ConfigKey::Region,
            "endpoint_url" => AmazonS3ConfigKey::Endpoint,
            _ => continue,
        };
        builder = builder.with_config(key, value);
    }
    let from_variables = settings.get("AWS_ACCESS_KEY_ID").is_some();
    if from_variables && settings.get("AWS_SESSION_TOKEN").is_none() && profile.contains_key("aws_session_token") {
        // A token belongs to the key beside it.
        return Err(TransportFault::Impossible {
            what: "the key in the environment and the session token in ~/.aws do not belong together",
        });
    }
    let metadata = settings
        .get("AWS_EC2_METADATA_SERVICE_ENDPOINT")
        .or(profile.get("ec2_metadata_service_endpoint").map(String::as_str));
    if let Some(endpoint) = metadata {
        builder = builder.with_config(AmazonS3ConfigKey::MetadataEndpoint, endpoint.trim_end_matches('/'));
    }
    for (key, value) in settings.keys::<AmazonS3ConfigKey>("AWS_") {
        match key {
            AmazonS3ConfigKey::Client(_) | AmazonS3ConfigKey::Bucket => {}
            key => builder = builder.with_config(key, value),
        }
    }
    match KeySource::of(settings, &profile)? {
        KeySource::Renewed(from) => {
            builder = builder.with_credentials(Arc::new(RenewedCredentials::of(from, AWS, settings.clock)));
        }
        KeySource::Machine if settings.is_set("AWS_EC2_METADATA_DISABLED") => {
            return Err(TransportFault::Unauthorized {
                sought: AWS.into(),
                found: false,
            });
        }
        KeySource::Machine | KeySource::Library => {}
    }
    let metadata = settings.get("AWS_METADATA_ENDPOINT").or(metadata);
    let metadata = metadata.and_then(|endpoint| endpoint.parse::<Url>().ok());
    let builder = builder.with_bucket_name(bucket);
    // Its error could hold a value.
    built!(builder, reach, AWS, metadata).map_err(|_| {
        unusable(
            "the configuration of AWS",
            "a key without its secret, or a value that is not valid",
        )
    })
}

/// Where the credentials are, in the order in which the tools of AWS look for them.
enum KeySource {
    /// Somewhere where the library finds them by itself.
    Library,
    /// A program or a service that hands them out.
    Renewed(Issuer),
    /// The role of the machine, which the library asks for.
    Machine,
}

impl KeySource {
    fn of(settings: &CloudSettings, profile: &Profile) -> Result<Self, TransportFault> {
        let has = |name: &str| settings.get(name).is_some();
        if has_keys(settings, profile) {
            return Ok(Self::Library);
        }
        if let Some(command) = profile.get("credential_process") {
            let words = command_words(command)
                .ok_or_else(|| unusable("credential_process", "a quote in it does not end, or it is empty"))?;
            return Ok(Self::Renewed(Issuer::Program(words)));
        }
        if has("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            return Ok(Self::Library);
        }
        match settings.get("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
            Some(uri) => Ok(Self::Renewed(Issuer::container(
                uri,
                settings.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
                settings.get("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
            )?)),
            None => Ok(Self::Machine),
        }
    }
}

/// Returns whether there are keys, or something that stands in for them before any other source is asked.
fn has_keys(settings: &CloudSettings, profile: &Profile) -> bool {
    let has = |name: &str| settings.get(name).is_some();
    has("AWS_ACCESS_KEY_ID")
        || profile.contains_key("aws_access_key_id")
        || settings.is_set("AWS_SKIP_SIGNATURE")
        || (has("AWS_WEB_IDENTITY_TOKEN_FILE") && has("AWS_ROLE_ARN"))
}

/// Returns the keys and values of the chosen profile, from both shared files.
fn aws_profile(settings: &CloudSettings) -> Result<Profile, TransportFault> {
    let named = settings
        .get("AWS_PROFILE")
        .or_else(|| settings.get("AWS_DEFAULT_PROFILE"));
    let name = named.unwrap_or("default");
    let place = |variable: &str, below: &str| {
        let named = settings.get(variable).map(PathBuf::from);
        named.or_else(|| Some(settings.home.as_ref()?.join(below)))
    };
    let files = [
        (place("AWS_CONFIG_FILE", ".aws/config"), SharedFile::Config),
        (
            place("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
            SharedFile::Credentials,
        ),
    ];
    let (mut all, mut is_there) = (Profile::new(), false);
    for (path, file) in files {
        let Some(path) = path.filter(|path| path.exists()) else {
            continue;
        };
        let bytes = files::read_any(&path, MAX_FILE).map_err(|e| unusable("a file of AWS", e.to_string()))?;
        let bytes = Zeroizing::new(bytes);
        let bad = |said: String| unusable("a file of AWS", format!("{}: {said}", path.display()));
        let text = std::str::from_utf8(&bytes).map_err(|_| bad("it is not UTF-8".into()))?;
        let found = profile(text, file, name).map_err(|line| bad(format!("line {line} is not a key and a value")))?;
        is_there |= found.is_some();
        all.extend(found.unwrap_or_default());
    }
    if !is_there && named.is_some() {
        return Err(unusable("a file of AWS", format!("there is no profile {name}")));
    }
    let unsupported = [
        ("sso_session", "single sign-on in ~/.aws/config is not supported"),
        ("sso_start_url", "single sign-on in ~/.aws/config is not supported"),
        ("login_session", "a login session in ~/.aws/config is not supported"),
        ("source_profile", "source_profile in ~/.aws/config is not supported"),
        (
            "credential_source",
            "credential_source in ~/.aws/config is not supported",
        ),
    ];
    let named = unsupported.iter().find(|(key, _)| all.contains_key(*key));
    match named.filter(|_| !has_keys(settings, &all)) {
        Some((_, what)) => Err(TransportFault::AwsLogin { what }),
        None => Ok(all),
    }
}
