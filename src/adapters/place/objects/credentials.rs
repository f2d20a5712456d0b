//! Credentials for the object stores of clouds, from where the tools of each cloud keep them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::list::PaginatedListStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use zeroize::Zeroizing;

use super::ObjectReach;
use super::connector::Connector;
use crate::adapters::files;
use crate::format::aws_profile::{Profile, SharedFile, profile};
use crate::refusal::transport::TransportFault;

/// The largest file with credentials that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// What the environment says about clouds.
#[derive(Clone, Default)]
pub struct CloudSettings {
    /// Variables that the tools of clouds read: their names and values.
    pub variables: Vec<(String, String)>,
    /// The user's home directory.
    pub home: Option<PathBuf>,
}

impl fmt::Debug for CloudSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.variables.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("CloudSettings").field("variables", &names).finish()
    }
}

impl CloudSettings {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.variables.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    fn is_set(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| matches!(value, "1" | "true" | "True" | "TRUE"))
    }

    /// Returns the variables whose names begin with `prefix` as keys of the library, without those that it does not know.
    fn keys<K: FromStr>(&self, prefix: &str) -> impl Iterator<Item = (K, &str)> {
        let ours = self
            .variables
            .iter()
            .filter(move |(name, value)| name.starts_with(prefix) && !value.is_empty());
        ours.filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value.as_str())))
    }
}

/// What the store of a cloud can do.
pub(super) trait CloudStore: ObjectStore + PaginatedListStore {}

impl<S: ObjectStore + PaginatedListStore> CloudStore for S {}

/// Opens a bucket.
pub(super) fn store(scheme: &str, bucket: &str, reach: &ObjectReach) -> Result<Arc<dyn CloudStore>, TransportFault> {
    match scheme {
        "s3" => aws(bucket, reach),
        "gs" => google(bucket, reach),
        _ => azure(bucket, reach),
    }
}

/// How often the library tries a request, and for how long. git-pack does not try it again on top of that.
fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(10),
            base: 2.,
        },
        max_retries: 5,
        retry_timeout: Duration::from_secs(180),
    }
}

fn options(reach: &ObjectReach) -> ClientOptions {
    ClientOptions::new().with_allow_http(reach.insecure)
}

fn unusable(what: &'static str, said: impl Into<String>) -> TransportFault {
    TransportFault::Malformed {
        what,
        said: said.into(),
    }
}

/// Where credentials of AWS are looked for.
const AWS: &str = "the environment (AWS_…), the files in ~/.aws and the metadata service";

fn aws(bucket: &str, reach: &ObjectReach) -> Result<Arc<dyn CloudStore>, TransportFault> {
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
    for (key, value) in settings.keys::<AmazonS3ConfigKey>("AWS_") {
        match key {
            AmazonS3ConfigKey::Client(_) | AmazonS3ConfigKey::Bucket => {}
            key => builder = builder.with_config(key, value),
        }
    }
    let is_static = from_variables || profile.contains_key("aws_access_key_id");
    let elsewhere = [
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    let has_more = settings.is_set("AWS_SKIP_SIGNATURE") || elsewhere.iter().any(|name| settings.get(name).is_some());
    if !is_static && !has_more && settings.is_set("AWS_EC2_METADATA_DISABLED") {
        return Err(TransportFault::Unauthorized {
            sought: AWS.into(),
            found: false,
        });
    }
    let store = builder
        .with_bucket_name(bucket)
        .with_retry(retry())
        .with_client_options(options(reach))
        .with_http_connector(Connector {
            insecure: reach.insecure,
            sought: AWS,
        })
        .build();
    store
        .map(|store| Arc::new(store) as Arc<dyn CloudStore>)
        // Its error could hold a value.
        .map_err(|_| {
            unusable(
                "the configuration of AWS",
                "a key without its secret, or a value that is not valid",
            )
        })
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
    let has_keys = all.contains_key("aws_access_key_id") || settings.get("AWS_ACCESS_KEY_ID").is_some();
    let unsupported = [
        (
            "credential_process",
            "credential_process in ~/.aws/config is not supported",
        ),
        ("sso_session", "single sign-on in ~/.aws/config is not supported"),
        ("sso_start_url", "single sign-on in ~/.aws/config is not supported"),
        ("login_session", "a login session in ~/.aws/config is not supported"),
        ("source_profile", "source_profile in ~/.aws/config is not supported"),
        (
            "credential_source",
            "credential_source in ~/.aws/config is not supported",
        ),
    ];
    match unsupported.iter().find(|(key, _)| !has_keys && all.contains_key(*key)) {
        Some((_, what)) => Err(TransportFault::Impossible { what }),
        None => Ok(all),
    }
}

/// Where credentials of Google are looked for.
const GOOGLE: &str = "the environment (GOOGLE_…), the application default credentials and the metadata service";

fn google(bucket: &str, reach: &ObjectReach) -> Result<Arc<dyn CloudStore>, TransportFault> {
    let settings = &reach.cloud;
    let mut builder = GoogleCloudStorageBuilder::new();
    if settings.get("GOOGLE_APPLICATION_CREDENTIALS").is_none()
        && let Some(home) = &settings.home
    {
        let path = home.join(".config/gcloud/application_default_credentials.json");
        if let Some(path) = path.to_str().filter(|_| files::exists(&path)) {
            builder = builder.with_config(GoogleConfigKey::ApplicationCredentials, path);
        }
    }
    for (key, value) in settings.keys::<GoogleConfigKey>("GOOGLE_") {
        match key {
            GoogleConfigKey::Client(_) | GoogleConfigKey::Bucket => {}
            key => builder = builder.with_config(key, value),
        }
    }
    let store = builder
        .with_bucket_name(bucket)
        .with_retry(retry())
        .with_client_options(options(reach))
        .with_http_connector(Connector {
            insecure: reach.insecure,
            sought: GOOGLE,
        })
        .build();
    store.map(|store| Arc::new(store) as Arc<dyn CloudStore>).map_err(|_| {
        unusable(
            "the configuration of Google",
            "expected the credentials of a service account or of a user who logged in",
        )
    })
}

/// Where credentials of Azure are looked for.
const AZURE: &str = "the environment (AZURE_…) and the metadata service";

fn azure(container: &str, reach: &ObjectReach) -> Result<Arc<dyn CloudStore>, TransportFault> {
    let settings = &reach.cloud;
    let asks_cli = settings.get("AZURE_CREDENTIAL_TYPE") == Some("azure_cli");
    if settings.is_set("AZURE_USE_AZURE_CLI") || asks_cli {
        return Err(TransportFault::Impossible {
            what: "credentials from the Azure command line are not supported",
        });
    }
    let mut builder = MicrosoftAzureBuilder::new();
    // The names that the Azure command line uses.
    for (name, key) in [
        ("AZURE_STORAGE_ACCOUNT", AzureConfigKey::AccountName),
        ("AZURE_STORAGE_KEY", AzureConfigKey::AccessKey),
    ] {
        if let Some(value) = settings.get(name) {
            builder = builder.with_config(key, value);
        }
    }
    for (key, value) in settings.keys::<AzureConfigKey>("AZURE_") {
        match key {
            AzureConfigKey::Client(_) | AzureConfigKey::ContainerName => {}
            key => builder = builder.with_config(key, value),
        }
    }
    let store = builder
        .with_container_name(container)
        .with_retry(retry())
        .with_client_options(options(reach))
        .with_http_connector(Connector {
            insecure: reach.insecure,
            sought: AZURE,
        })
        .build();
    store.map(|store| Arc::new(store) as Arc<dyn CloudStore>).map_err(|_| {
        unusable(
            "the configuration of Azure",
            "expected AZURE_STORAGE_ACCOUNT and a key or token that is valid",
        )
    })
}
